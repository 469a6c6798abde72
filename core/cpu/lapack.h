// LAPACK for float and double, out of OpenBLAS, which exports its Fortran functions but has no
// header for them on Debian.
//
//   use_one_library_thread();
//   int info = lapack::getrf(n, n, a, n, pivots);      // > 0: the factor U is singular
//
// Matrices are column-major; a row-major one is its transpose. Names, arguments and results are
// LAPACK's (netlib.org/lapack), `info` is returned. A negative one, an argument that has no
// meaning, is an assertion. Functions that need a workspace take its length in elements, which
// their namesakes ending in _work tell. Safe to call from several threads at once.
#pragma once

#include <cstddef>

#include "core/base/error.h"

namespace mica::lapack {

// Fortran functions take the lengths of their text arguments as hidden ones at the end.
#define MICA_LAPACK_DECLARE(T, p)                                                                  \
  extern "C" {                                                                                     \
  void p##getrf_(const int*, const int*, T*, const int*, int*, int*);                              \
  void p##getri_(const int*, T*, const int*, const int*, T*, const int*, int*);                    \
  void p##gesv_(const int*, const int*, T*, const int*, int*, T*, const int*, int*);               \
  void p##potrf_(const char*, const int*, T*, const int*, int*, size_t);                           \
  void p##geqrf_(const int*, const int*, T*, const int*, T*, T*, const int*, int*);                \
  void p##orgqr_(const int*, const int*, const int*, T*, const int*, const T*, T*, const int*,     \
                 int*);                                                                            \
  void p##gesdd_(const char*, const int*, const int*, T*, const int*, T*, T*, const int*, T*,      \
                 const int*, T*, const int*, int*, int*, size_t);                                  \
  void p##syevd_(const char*, const char*, const int*, T*, const int*, T*, T*, const int*, int*,   \
                 const int*, int*, size_t, size_t);                                                \
  void p##geev_(const char*, const char*, const int*, T*, const int*, T*, T*, T*, const int*, T*,  \
                const int*, T*, const int*, int*, size_t, size_t);                                 \
  }                                                                                                \
  inline int getrf(int m, int n, T* a, int lda, int* pivots) {                                     \
    int info = 0;                                                                                  \
    p##getrf_(&m, &n, a, &lda, pivots, &info);                                                     \
    return checked(info);                                                                          \
  }                                                                                                \
  inline int getri(int n, T* a, int lda, const int* pivots, T* work, int lwork) {                  \
    int info = 0;                                                                                  \
    p##getri_(&n, a, &lda, pivots, work, &lwork, &info);                                           \
    return checked(info);                                                                          \
  }                                                                                                \
  inline int gesv(int n, int nrhs, T* a, int lda, int* pivots, T* b, int ldb) {                    \
    int info = 0;                                                                                  \
    p##gesv_(&n, &nrhs, a, &lda, pivots, b, &ldb, &info);                                          \
    return checked(info);                                                                          \
  }                                                                                                \
  inline int potrf(char uplo, int n, T* a, int lda) {                                              \
    int info = 0;                                                                                  \
    p##potrf_(&uplo, &n, a, &lda, &info, 1);                                                       \
    return checked(info);                                                                          \
  }                                                                                                \
  inline int geqrf(int m, int n, T* a, int lda, T* tau, T* work, int lwork) {                      \
    int info = 0;                                                                                  \
    p##geqrf_(&m, &n, a, &lda, tau, work, &lwork, &info);                                          \
    return checked(info);                                                                          \
  }                                                                                                \
  inline int orgqr(int m, int n, int k, T* a, int lda, const T* tau, T* work, int lwork) {         \
    int info = 0;                                                                                  \
    p##orgqr_(&m, &n, &k, a, &lda, tau, work, &lwork, &info);                                      \
    return checked(info);                                                                          \
  }                                                                                                \
  inline int gesdd(char job, int m, int n, T* a, int lda, T* s, T* u, int ldu, T* vt, int ldvt,    \
                   T* work, int lwork, int* iwork) {                                               \
    int info = 0;                                                                                  \
    p##gesdd_(&job, &m, &n, a, &lda, s, u, &ldu, vt, &ldvt, work, &lwork, iwork, &info, 1);        \
    return checked(info);                                                                          \
  }                                                                                                \
  inline int syevd(char job, char uplo, int n, T* a, int lda, T* w, T* work, int lwork,            \
                   int* iwork, int liwork) {                                                       \
    int info = 0;                                                                                  \
    p##syevd_(&job, &uplo, &n, a, &lda, w, work, &lwork, iwork, &liwork, &info, 1, 1);             \
    return checked(info);                                                                          \
  }                                                                                                \
  inline int geev(char left, char right, int n, T* a, int lda, T* wr, T* wi, T* vl, int ldvl,      \
                  T* vr, int ldvr, T* work, int lwork) {                                           \
    int info = 0;                                                                                  \
    p##geev_(&left, &right, &n, a, &lda, wr, wi, vl, &ldvl, vr, &ldvr, work, &lwork, &info, 1, 1); \
    return checked(info);                                                                          \
  }

inline int checked(int info) {
  MICA_ASSERT(info >= 0);
  return info;
}

MICA_LAPACK_DECLARE(float, s)
MICA_LAPACK_DECLARE(double, d)
#undef MICA_LAPACK_DECLARE

// Lengths of workspaces in elements: what LAPACK answers to a length of -1.

template <class T>
int getri_work(int n) {
  T best = 0;
  getri(n, static_cast<T*>(nullptr), n, nullptr, &best, -1);
  return static_cast<int>(best);
}

/// For geqrf of m x n and orgqr of m x columns.
template <class T>
int qr_work(int m, int n, int columns, int k) {
  T first = 0, second = 0;
  T* none = nullptr;
  geqrf(m, n, none, m, none, &first, -1);
  orgqr(m, columns, k, none, m, none, &second, -1);
  return static_cast<int>(first > second ? first : second);
}

template <class T>
int gesdd_work(char job, int m, int n) {
  T best = 0;
  T* none = nullptr;
  const int k = m < n ? m : n;
  gesdd(job, m, n, none, m, none, none, m, none, job == 'A' ? n : k, &best, -1, nullptr);
  return static_cast<int>(best);
}

struct SyevdWork {
  int floats = 0, ints = 0;
};
template <class T>
SyevdWork syevd_work(char job, int n) {
  T best = 0;
  int ints = 0;
  T* none = nullptr;
  syevd(job, 'U', n, none, n, none, &best, -1, &ints, -1);
  return {static_cast<int>(best), ints};
}

template <class T>
int geev_work(char right, int n) {
  T best = 0;
  T* none = nullptr;
  geev('N', right, n, none, n, none, none, none, 1, none, n, &best, -1);
  return static_cast<int>(best);
}

}  // namespace mica::lapack

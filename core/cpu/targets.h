// Which instruction sets kernels are compiled for; included before <hwy/foreach_target.h>.
//
// Each is one more pass of the compiler over every kernel. On x86 the baseline (SSE2), AVX2 and
// AVX-512 are kept: what lies between is rare on machines that train models.
#ifndef HWY_DISABLED_TARGETS
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SSE4 | HWY_AVX3_DL)
#endif

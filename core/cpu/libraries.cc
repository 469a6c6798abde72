#include "core/cpu/libraries.h"

#include <cblas.h>
#include <fmt/format.h>
#include <oneapi/tbb/version.h>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/cpu/libraries.cc"
#include "core/cpu/targets.h"

#include <hwy/foreach_target.h>

// After foreach_target.h, which includes this file once for each target.
#include <hwy/highway.h>

#ifdef MICA_WITH_DNNL
#include <oneapi/dnnl/dnnl.hpp>
#endif

HWY_BEFORE_NAMESPACE();
namespace mica::HWY_NAMESPACE {
int64_t target() { return HWY_TARGET; }
}  // namespace mica::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mica {
namespace {

HWY_EXPORT(target);

#ifdef MICA_WITH_DNNL
std::string isa_name(dnnl::cpu_isa isa) {
  switch (isa) {
    case dnnl::cpu_isa::sse41: return "SSE4.1";
    case dnnl::cpu_isa::avx: return "AVX";
    case dnnl::cpu_isa::avx2: return "AVX2";
    case dnnl::cpu_isa::avx2_vnni: return "AVX2 with VNNI";
    case dnnl::cpu_isa::avx512_core: return "AVX-512";
    case dnnl::cpu_isa::avx512_core_vnni: return "AVX-512 with VNNI";
    case dnnl::cpu_isa::avx512_core_bf16: return "AVX-512 with bfloat16";
    case dnnl::cpu_isa::avx512_core_amx: return "AVX-512 with AMX";
    default: return fmt::format("ISA {:#x}", static_cast<unsigned>(isa));
  }
}

std::string dnnl_text() {
  const dnnl_version_t* version = dnnl_version();
  return fmt::format("{}.{}.{}, up to {}", version->major, version->minor, version->patch,
                     isa_name(dnnl::get_effective_cpu_isa()));
}
#endif

}  // namespace

std::string simd_target() { return hwy::TargetName(HWY_DYNAMIC_DISPATCH(target)()); }

std::vector<std::pair<std::string, std::string>> kernel_libraries() {
  return {{"BLAS", fmt::format("{}, kernel {}", openblas_get_config(), openblas_get_corename())},
#ifdef MICA_WITH_DNNL
          {"oneDNN", dnnl_text()},
#else
          {"oneDNN", "not built in"},
#endif
          {"TBB", TBB_runtime_version()}};
}

}  // namespace mica
#endif

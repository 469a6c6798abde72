// Fourier transforms, resizing, pooling, general convolution and scan under the names that
// spatial.py uses.
#include "core/eval/loop.h"
#include "core/ops/complex.h"
#include "core/ops/conv_general.h"
#include "core/ops/elementwise.h"
#include "core/ops/fft.h"
#include "core/ops/interpolate.h"
#include "core/ops/matmul.h"
#include "core/ops/view.h"
#include "tests/oracles/oracle.h"

namespace mica::oracles {
namespace {

void add(Functions& all, const std::string& name, std::function<Array(const Array&)> f) {
  all[name] = [f = std::move(f)](const Arrays& in) { return Arrays{f(in[0])}; };
}

void add_fourier(Functions& all) {
  using fft::Norm;
  const std::pair<const char*, Norm> norms[] = {
      {"backward", Norm::kBackward}, {"ortho", Norm::kOrtho}, {"forward", Norm::kForward}};
  for (const auto& [text, norm] : norms) {
    const std::string end = fmt::format("_{}", text);
    add(all, "fft" + end, [norm = norm](auto& x) { return fft::fft(x, {}, -1, norm); });
    add(all, "ifft" + end, [norm = norm](auto& x) { return fft::ifft(x, {}, -1, norm); });
    add(all, "rfft" + end, [norm = norm](auto& x) { return fft::rfft(x, {}, -1, norm); });
    add(all, "irfft" + end, [norm = norm](auto& x) { return fft::irfft(x, {}, -1, norm); });
    add(all, "fft2" + end, [norm = norm](auto& x) { return fft::fft2(x, {}, {-2, -1}, norm); });
    add(all, "ifft2" + end, [norm = norm](auto& x) { return fft::ifft2(x, {}, {-2, -1}, norm); });
    add(all, "rfft2" + end, [norm = norm](auto& x) { return fft::rfft2(x, {}, {-2, -1}, norm); });
    add(all, "irfft2" + end, [norm = norm](auto& x) { return fft::irfft2(x, {}, {-2, -1}, norm); });
    add(all, "fftn" + end, [norm = norm](auto& x) { return fft::fftn(x, {}, {}, norm); });
    add(all, "ifftn" + end, [norm = norm](auto& x) { return fft::ifftn(x, {}, {}, norm); });
    add(all, "rfftn" + end, [norm = norm](auto& x) { return fft::rfftn(x, {}, {}, norm); });
    add(all, "irfftn" + end, [norm = norm](auto& x) { return fft::irfftn(x, {}, {}, norm); });
  }
  for (const int64_t n : {1, 4, 7, 16}) {
    const std::string end = fmt::format("_n{}", n);
    add(all, "fft" + end, [n](auto& x) { return fft::fft(x, n, 0); });
    add(all, "ifft" + end, [n](auto& x) { return fft::ifft(x, n, 0); });
    add(all, "rfft" + end, [n](auto& x) { return fft::rfft(x, n, 0); });
    add(all, "irfft" + end, [n](auto& x) { return fft::irfft(x, n, 0); });
    add(all, "rfftn" + end, [n](auto& x) { return fft::rfftn(x, {3, n}, {1, 0}); });
    add(all, "irfftn" + end, [n](auto& x) { return fft::irfftn(x, {3, n}, {1, 0}); });
  }
  add(all, "fftshift", [](auto& x) { return fft::fftshift(x); });
  add(all, "ifftshift", [](auto& x) { return fft::ifftshift(x, {0}); });
  add(all, "fftfreq", [](auto& x) { return fft::fftfreq(x.dim(0), 0.3, float64); });
  add(all, "rfftfreq", [](auto& x) { return fft::rfftfreq(x.dim(0), 0.3, float64); });
  all["fft_parts"] = [](const Arrays& in) {
    const Array z = fft::fft2(to_complex(in[0], in[1]));
    return Arrays{real(z), imag(z), square(abs(z)), angle(z)};
  };
  all["fft_convolve"] = [](const Arrays& in) {
    return Arrays{fft::irfft(fft::rfft(in[0], 12) * fft::rfft(in[1], 12), 12)};
  };
  add(all, "complex_chain", [](auto& x) {
    const Array z = to_complex(x, 0.5f * x + 1);
    return real(exp(z * 0.3) / (z * z + 2) + sqrt(z) * conjugate(sin(z)) + log(z) * tanh(z));
  });
}

std::string sizes_text(const Shape& sizes) {
  std::string text;
  for (const int64_t size : sizes) text += fmt::format("_{}", size);
  return text;
}

void add_resizing(Functions& all) {
  const std::pair<const char*, Interpolation> modes[] = {{"nearest", Interpolation::kNearest},
                                                         {"linear", Interpolation::kLinear},
                                                         {"cubic", Interpolation::kCubic}};
  for (const Shape& size : {Shape{3}, {12}, {3, 9}, {10, 4}, {2, 7, 6}, {6, 3, 4}}) {
    for (const auto& [text, mode] : modes) {
      for (const bool align : {false, true}) {
        add(all, std::string(text) + (align ? "_aligned" : "") + sizes_text(size),
            [=, mode = mode](auto& x) {
              return interpolate(x, {.size = size, .mode = mode, .align_corners = align});
            });
      }
    }
    add(all, "avg_pool" + sizes_text(size), [=](auto& x) {
      if (size.size() == 1) return adaptive_avg_pool1d(x, size[0]);
      if (size.size() == 2) return adaptive_avg_pool2d(x, {size[0], size[1]});
      return adaptive_avg_pool3d(x, {size[0], size[1], size[2]});
    });
    add(all, "max_pool" + sizes_text(size), [=](auto& x) {
      if (size.size() == 1) return adaptive_max_pool1d(x, size[0]);
      if (size.size() == 2) return adaptive_max_pool2d(x, {size[0], size[1]});
      return adaptive_max_pool3d(x, {size[0], size[1], size[2]});
    });
  }
  for (const auto& [text, mode] : modes) {
    add(all, std::string(text) + "_scale_1.7",
        [mode = mode](auto& x) { return interpolate(x, {.scale = {1.7}, .mode = mode}); });
  }
}

void add_convolution(Functions& all) {
  // The same list as in spatial.py.
  const ConvGeneralOptions options[] = {
      {},
      {.stride = {2, 1}, .padding_low = {1, 2}, .padding_high = {0, 1}},
      {.padding_low = {2, 2}, .kernel_dilation = {2, 1}, .input_dilation = {1, 3}},
      {.stride = {1, 2}, .padding_low = {3, 1}, .input_dilation = {2, 2}, .flip = true},
      {.padding_low = {-1, 1}, .padding_high = {2, -1}, .groups = 2},
  };
  for (size_t i = 0; i < std::size(options); ++i) {
    all[fmt::format("conv_general_{}", i)] = [o = options[i]](const Arrays& in) {
      return Arrays{conv_general(in[0], in[1], o)};
    };
  }
}

void add_loops(Functions& all) {
  for (const bool reverse : {false, true}) {
    all[reverse ? "scan_reverse" : "scan"] = [=](const Arrays& in) {
      const auto body = [&](const Array& h, const Array& x) {
        const Array next = tanh(matmul(h, in[2]) + matmul(x, in[3]));
        return std::pair(next, next * next + 0.5f * h);
      };
      const auto [last, outputs] = scan(body, in[0], in[1], {.reverse = reverse});
      return Arrays{last, outputs};
    };
  }
}

}  // namespace

Functions spatial_functions() {
  Functions all;
  add_fourier(all);
  add_resizing(all);
  add_convolution(all);
  add_loops(all);
  return all;
}

}  // namespace mica::oracles

// activation: silu and gelu, in inference by kernels of our own. LibTorch's own kernels compute the numbers behind the last whole vector of a call by
// another formula, so that what a row gets depends on how many rows there are; here every number is computed alike.
#include "fused.h"
#include "multiply.h"
#include "pool.h"

namespace anneal {
namespace {

/** 1 − (a₁t + … + a₅t⁵)·e^(−x²) for t = 1 / (1 + 0.3275911·x), x ≥ 0: off by 1.5e-7 at most (Abramowitz and Stegun 1964, 7.1.26). */
inline float errorFunction(float x) {
  float size = std::fabs(x), t = 1.0f / (1.0f + 0.3275911f * size);
  float p = ((((1.061405429f * t - 1.453152027f) * t + 1.421413741f) * t - 0.284496736f) * t + 0.254829592f) * t;
  return std::copysign(1.0f - p * exponential(-size * size), x);
}

inline float silu(float x) { return x / (1.0f + exponential(-x)); }
inline float gelu(float x) { return 0.5f * x * (1.0f + errorFunction(x * 0.70710678f)); }
/** x·(1 + tanh(u)) / 2 = x / (1 + e^(−2u)) with u = √(2/π)·(x + 0.044715·x³). */
inline float geluTanh(float x) { return x / (1.0f + exponential(-1.59576912f * (x + 0.044715f * x * x * x))); }

template <float Of(float)> Tensor each(const Tensor& x) {
  Tensor in = x.contiguous(), y = at::empty_like(in);
  const float* from = data(in);
  float* to = data(y);
  parallelFor(0, in.numel(), 16384, [=](int64_t begin, int64_t end) {
#pragma omp simd
    for (int64_t i = begin; i < end; i++) to[i] = Of(from[i]);
  });
  return y;
}

/** `kind`: silu, gelu or gelu_tanh. */
Tensor activation(const Tensor& x, c10::string_view kind) {
  bool isSilu = kind == "silu", isTanh = kind == "gelu_tanh";
  TORCH_CHECK(isSilu || isTanh || kind == "gelu", "expected silu, gelu or gelu_tanh");
  if (!isInference() || at::GradMode::is_enabled() || !fast(x)) return isSilu ? at::silu(x) : at::gelu(x, isTanh ? "tanh" : "none");
  return isSilu ? each<silu>(x) : isTanh ? each<geluTanh>(x) : each<gelu>(x);
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(anneal, m) { m.def("activation(Tensor x, str kind) -> Tensor", &activation); }

}  // namespace anneal

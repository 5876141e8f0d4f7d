// What the operators of our own share. They are registered in LibTorch's dispatcher under "anneal::" and therefore called, typed and
// differentiated like every other operator. Each has a fast float32 CPU kernel; any other device or dtype takes the composition
// of ATen operators beside it.
#pragma once

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <cmath>
#include <limits>
#include <tuple>

#include "exponential.h"
#include "matmul.h"
#include "shim.h"

namespace anneal {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/** Whether the float32 CPU kernels apply. */
inline bool fast(const Tensor& t) { return t.device().is_cpu() && t.scalar_type() == at::kFloat; }
/** Whether the kernels of mixed.cc apply. */
inline bool half(const Tensor& t) { return t.device().is_cpu() && t.scalar_type() == at::kBFloat16; }
inline bool recording(std::initializer_list<Tensor> inputs) {
  if (!at::GradMode::is_enabled()) return false;
  for (const auto& t : inputs)
    if (t.requires_grad()) return true;
  return false;
}
inline float* data(const Tensor& t) { return t.data_ptr<float>(); }
/** The kernels below have no derivative of their derivative; without this check it would silently be zero. */
inline void onceDifferentiable(const char* name) { TORCH_CHECK(!at::GradMode::is_enabled(), name, " has no second derivative; for createGraph compose it of other operators"); }
/** Rows per thread so that one task touches at least 32 Ki elements. */
inline int64_t grain(int64_t width) { return std::max<int64_t>(1, 32768 / std::max<int64_t>(1, width)); }

// Operators that others are composed of.
Tensor rmsNorm(const Tensor& x, const Tensor& weight, double eps, double offset);
Tensor swiglu(const Tensor& gate, const Tensor& up);
Tensor linear(const Tensor& x, const Tensor& weight, const Optional<Tensor>& bias, const Optional<Tensor>& residual);

/** [..., D] → [N, D] */
inline Tensor rowsOf(const Tensor& t) { return t.reshape({-1, t.size(-1)}); }

/** swiglu and rope for bf16 on a CPU; cos and sin are float32. */
Tensor swigluHalf(const Tensor& gate, const Tensor& up);
Tensor ropeHalf(const Tensor& x, const Tensor& cos, const Tensor& sin);

}  // namespace anneal

// What the operators around the products of inference (multiply.h) share: when these apply, and tensors as what they take.
#pragma once

#include "fused.h"
#include "multiply.h"

namespace anneal {

/** Whether the products of inference read `t`. */
inline bool multiplies(const Tensor& t) { return t.device().is_cpu() && (t.scalar_type() == at::kFloat || t.scalar_type() == at::kBFloat16); }
inline int64_t rowCount(const Tensor& x) { return x.size(-1) > 0 ? x.numel() / x.size(-1) : 0; }

/** Whether x · weightᵀ + bias is a product of inference: asked for, without gradients, on the CPU, in f32 or with a weight of half precision. */
inline bool multiplies(const Tensor& x, const Tensor& weight, const Optional<Tensor>& bias) {
  return isInference() && !at::GradMode::is_enabled() && multiplies(x) && multiplies(weight) && (!bias.has_value() || multiplies(*bias)) &&
         (weight.scalar_type() == x.scalar_type() || weight.scalar_type() == at::kBFloat16) && rowCount(x) > 0;
}

/** One factor of x, with its products in a new tensor; keeps alive what it points to. */
struct Output {
  Tensor weight, bias, residual, y;

  Output(const Tensor& x, const Tensor& w, const Optional<Tensor>& b, const Optional<Tensor>& added = {}) : weight(w.contiguous()) {
    TORCH_CHECK(w.dim() == 2 && x.size(-1) == w.size(1), "expected x [...,in] and weight [out,in]");
    TORCH_CHECK(!b.has_value() || (b->dim() == 1 && b->size(0) == w.size(0)), "expected a bias [out]");
    auto sizes = x.sizes().vec();
    sizes.back() = w.size(0);
    TORCH_CHECK(!added.has_value() || added->sizes() == at::IntArrayRef(sizes), "expected a residual like y");
    if (b.has_value()) bias = b->to(at::kFloat).contiguous();
    if (added.has_value()) residual = added->to(at::kFloat).contiguous();
    y = at::empty(sizes, x.options().dtype(at::kFloat));
  }
  Factor factor() const {
    return {weight.data_ptr(), weight.scalar_type() == at::kBFloat16, bias.defined() ? data(bias) : nullptr, residual.defined() ? data(residual) : nullptr, data(y), weight.size(0)};
  }
};

/** x with rows of f32 one behind the other. */
inline Tensor floatRows(const Tensor& x) { return x.scalar_type() == at::kFloat && x.is_contiguous() ? x : x.to(at::kFloat).contiguous(); }

/** y [..., out] as [..., out / head, head]; 0: as it is. */
inline Tensor headsOf(const Tensor& y, int64_t head) {
  if (head == 0) return y;
  TORCH_CHECK(head > 0 && y.size(-1) % head == 0, "expected outputs of whole heads of ", head, ", got ", y.size(-1));
  auto sizes = y.sizes().vec();
  sizes.back() /= head;
  sizes.push_back(head);
  return y.view(sizes);
}

}  // namespace anneal

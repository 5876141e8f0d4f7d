// x · Wᵀ + bias where W is stored otherwise and never trained: gradients go through to x, and the graph keeps what is stored, not a
// dense matrix, which is made for each product anew.
#pragma once

#include "fused.h"

namespace anneal {

inline Tensor multiplyDense(const Tensor& x, const Tensor& dense, const Optional<Tensor>& bias) {
  auto sizes = x.sizes().vec();
  sizes.back() = dense.size(0);
  Tensor rows = rowsOf(x), y = (fast(rows) ? productNT(rows, dense) : at::linear(rows, dense)).view(sizes);
  return bias.has_value() ? y.add_(*bias) : y;
}

/** `Weight` has `parts()` and `layout()`, from which `from` makes it again, `dense(dtype)` and the operator's `name`. */
template <class Weight> struct FrozenProduct : torch::autograd::Function<FrozenProduct<Weight>> {
  static Tensor forward(AutogradContext* context, const Tensor& x, const Optional<Tensor>& bias, const Weight& w) {
    context->save_for_backward(w.parts());
    context->saved_data["layout"] = w.layout();
    context->saved_data["sizes"] = x.sizes().vec();
    context->saved_data["needX"] = x.requires_grad();
    context->saved_data["needBias"] = bias.has_value() && bias->requires_grad();
    return multiplyDense(x, w.dense(x.scalar_type()), bias);
  }
  static variable_list backward(AutogradContext* context, variable_list gradients) {
    onceDifferentiable(Weight::name);
    Tensor dy = rowsOf(gradients[0]), dx;
    if (context->saved_data["needX"].toBool()) {
      Tensor dense = Weight::from(context->get_saved_variables(), context->saved_data["layout"].toIntVector()).dense(dy.scalar_type());
      dx = (fast(dy) ? product(dy, dense) : dy.matmul(dense)).view(context->saved_data["sizes"].toIntVector());
    }
    return {dx, context->saved_data["needBias"].toBool() ? dy.sum(0) : Tensor(), Tensor()};
  }
};

}  // namespace anneal

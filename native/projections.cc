// norm_linears and gated_mlp: what goes into attention and into an MLP in one call each. A token of a small model is a hundred short
// operators, and calling them costs as much as their work.
#include "outputs.h"

namespace anneal {
namespace {

using Biases = c10::List<Optional<Tensor>>;

/** Rows of f32 of x, normed where there is a norm. */
Tensor normedRows(const Tensor& x, const Optional<Tensor>& norm, double eps, double offset) {
  return floatRows(norm.has_value() ? rmsNorm(x, *norm, eps, offset) : x);
}

std::vector<Tensor> normLinears(const Tensor& x, const Optional<Tensor>& norm, double eps, double offset, at::TensorList weights, const Biases& biases, int64_t head) {
  TORCH_CHECK(weights.size() == biases.size() && x.dim() > 0, "expected x [...,in] and a bias or none for every weight");
  auto bias = [&](size_t i) { return static_cast<Optional<Tensor>>(biases.get(i)); };
  bool isFused = true;
  for (size_t i = 0; i < weights.size(); i++) isFused = isFused && multiplies(x, weights[i], bias(i));
  std::vector<Tensor> results;
  if (!isFused) {
    Tensor h = norm.has_value() ? rmsNorm(x, *norm, eps, offset) : x;
    for (size_t i = 0; i < weights.size(); i++) results.push_back(headsOf(linear(h, weights[i], bias(i), {}), head));
    return results;
  }
  Tensor h = normedRows(x, norm, eps, offset);
  std::vector<Output> outputs;
  std::vector<Factor> factors;
  for (size_t i = 0; i < weights.size(); i++) {
    outputs.emplace_back(x, weights[i], bias(i));
    factors.push_back(outputs.back().factor());
  }
  multiply(data(h), rowCount(x), x.size(-1), factors.data(), static_cast<int64_t>(factors.size()));
  for (auto& output : outputs) results.push_back(headsOf(output.y.to(x.scalar_type()), head));
  return results;
}

Tensor gatedLinear(const Tensor& x, const Optional<Tensor>& norm, double eps, double offset, const Tensor& gate, const Optional<Tensor>& gateBias, const Tensor& up,
                   const Optional<Tensor>& upBias) {
  TORCH_CHECK(gate.sizes() == up.sizes() && x.dim() > 0, "expected x [...,in] and gate and up of one shape");
  // In half precision the two products are rounded before they meet, as they are when they are operators of their own.
  bool isFused = fast(x) && multiplies(x, gate, gateBias) && multiplies(x, up, upBias);
  if (!isFused) {
    Tensor h = norm.has_value() ? rmsNorm(x, *norm, eps, offset) : x;
    return swiglu(linear(h, gate, gateBias, {}), linear(h, up, upBias, {}));
  }
  Tensor h = normedRows(x, norm, eps, offset);
  Output opened(x, gate, gateBias), raised(x, up, upBias);
  multiplyGated(data(h), rowCount(x), x.size(-1), opened.factor(), raised.factor());
  return opened.y;
}

Tensor gatedMlp(const Tensor& x, const Optional<Tensor>& norm, double eps, double offset, const Tensor& gate, const Optional<Tensor>& gateBias, const Tensor& up, const Optional<Tensor>& upBias,
                const Tensor& down, const Optional<Tensor>& downBias, const Optional<Tensor>& residual) {
  return linear(gatedLinear(x, norm, eps, offset, gate, gateBias, up, upBias), down, downBias, residual);
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(anneal, m) {
  m.def("norm_linears(Tensor x, Tensor? norm, float eps, float offset, Tensor[] weights, Tensor?[] biases, int head=0) -> Tensor[]", &normLinears);
  m.def(
      "gated_mlp(Tensor x, Tensor? norm, float eps, float offset, Tensor gate, Tensor? gate_bias, Tensor up, Tensor? up_bias, Tensor down, Tensor? down_bias, "
      "Tensor? residual) -> Tensor",
      &gatedMlp);
}

}  // namespace anneal

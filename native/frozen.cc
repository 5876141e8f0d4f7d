// frozen_linear, frozen_linears and frozen_mlp: products with matrices that are stored in few bits and never trained. In inference they are
// computed from what is stored, where they can be as integers, and x is rounded once for all matrices that take it. Else, and in the backward
// pass, from a dense matrix that lives for that product only: the graph keeps what is stored.
#include "frozen.h"

#include "outputs.h"

namespace anneal {
namespace {

using Parts = c10::List<Optional<Tensor>>;
using Matrices = std::vector<std::unique_ptr<FrozenMatrix>>;

/** The matrices of `layout`, their parts one behind the other. */
Matrices readMatrices(const Parts& parts, at::IntArrayRef layout) {
  TORCH_CHECK(layout.size() % kLayoutLength == 0, "expected ", kLayoutLength, " numbers a matrix");
  Matrices matrices;
  size_t used = 0;
  for (size_t at = 0; at < layout.size(); at += kLayoutLength) {
    auto own = layout.slice(at, kLayoutLength);
    auto count = static_cast<size_t>(own[1]);
    TORCH_CHECK(own[1] > 0 && used + count <= parts.size(), "expected the parts of every matrix");
    variable_list some;
    for (size_t i = 0; i < count; i++) {
      auto part = static_cast<Optional<Tensor>>(parts.get(used++));
      some.push_back(part.has_value() ? part->contiguous() : Tensor());
    }
    matrices.push_back(frozenMatrix(some, own));
  }
  TORCH_CHECK(used == parts.size(), "expected no more parts than those of the matrices");
  return matrices;
}

std::unique_ptr<FrozenMatrix> oneMatrix(const Parts& parts, at::IntArrayRef layout) {
  auto matrices = readMatrices(parts, layout);
  TORCH_CHECK(matrices.size() == 1, "expected one matrix");
  return std::move(matrices[0]);
}

Tensor multiplyDense(const Tensor& x, const Tensor& dense, const Optional<Tensor>& bias) {
  auto sizes = x.sizes().vec();
  sizes.back() = dense.size(0);
  Tensor rows = rowsOf(x), y = (fast(rows) ? productNT(rows, dense) : at::linear(rows, dense)).view(sizes);
  return bias.has_value() ? y.add_(*bias) : y;
}

struct FrozenProduct : torch::autograd::Function<FrozenProduct> {
  static Tensor forward(AutogradContext* context, const Tensor& x, const Optional<Tensor>& bias, const FrozenMatrix& w) {
    context->save_for_backward(w.parts());
    context->saved_data["layout"] = w.layout();
    context->saved_data["sizes"] = x.sizes().vec();
    context->saved_data["needX"] = x.requires_grad();
    context->saved_data["needBias"] = bias.has_value() && bias->requires_grad();
    return multiplyDense(x, w.dense(x.scalar_type()), bias);
  }
  static variable_list backward(AutogradContext* context, variable_list gradients) {
    onceDifferentiable("frozen_linear");
    Tensor dy = rowsOf(gradients[0]), dx;
    if (context->saved_data["needX"].toBool()) {
      Tensor dense = frozenMatrix(context->get_saved_variables(), context->saved_data["layout"].toIntVector())->dense(dy.scalar_type());
      dx = (fast(dy) ? product(dy, dense) : dy.matmul(dense)).view(context->saved_data["sizes"].toIntVector());
    }
    return {dx, context->saved_data["needBias"].toBool() ? dy.sum(0) : Tensor(), Tensor()};
  }
};

/** In training all of a pass is computed from the same numbers, also where nothing is recorded, as in checkpointing's first pass. */
bool isTraining() { return !isInference() || at::GradMode::is_enabled(); }

/** Products with matrices whose sources are given, as integers: x is rounded once. */
std::vector<Tensor> integerLinears(const Tensor& x, const std::vector<std::unique_ptr<PanelSource>>& sources, const std::vector<Optional<Tensor>>& biases, const Tensor& residual = {}) {
  Tensor input = floatRows(x);
  std::vector<Tensor> results, kept;
  std::vector<IntegerProduct> products;
  auto sizes = x.sizes().vec();
  for (size_t i = 0; i < sources.size(); i++) {
    if (biases[i].has_value()) kept.push_back(floatRows(*biases[i]));
    sizes.back() = sources[i]->rows;
    results.push_back(at::empty(sizes, input.options()));
    products.push_back({sources[i].get(), biases[i].has_value() ? data(kept.back()) : nullptr, residual.defined() ? data(residual) : nullptr, data(results[i])});
  }
  if (x.numel() > 0) integerProducts(roundRows(data(input), rowCount(x), x.size(-1)), products.data(), static_cast<int64_t>(products.size()));
  if (x.scalar_type() != at::kFloat)
    for (auto& y : results) y = y.to(x.scalar_type());
  return results;
}

void checkWidth(const Tensor& x, const FrozenMatrix& w) { TORCH_CHECK(x.dim() > 0 && x.size(-1) == w.columns, "expected x [...,", w.columns, "]"); }

/** The source of a matrix, if its product with x is one of integers. */
std::unique_ptr<PanelSource> sourceFor(const Tensor& x, const FrozenMatrix& w) { return !isTraining() && multiplies(x) ? w.source() : nullptr; }

Tensor productOf(const Tensor& x, const FrozenMatrix& w, const Optional<Tensor>& bias) {
  checkWidth(x, w);
  if (isTraining()) return FrozenProduct::apply(x, bias, w);
  if (auto source = sourceFor(x, w)) {
    std::vector<std::unique_ptr<PanelSource>> sources;
    sources.push_back(std::move(source));
    return integerLinears(x, sources, {bias})[0];
  }
  if (multiplies(x)) {
    Tensor input = floatRows(x), b = bias.has_value() ? floatRows(*bias) : Tensor();
    auto sizes = x.sizes().vec();
    sizes.back() = w.rows;
    Tensor y = at::empty(sizes, input.options());
    if (w.multiply(rowCount(x), data(input), b.defined() ? data(b) : nullptr, data(y))) return y.to(x.scalar_type());
  }
  return linear(x, w.dense(x.scalar_type()), bias, {});
}

std::vector<Tensor> productsOf(const Tensor& x, const Optional<Tensor>& norm, double eps, double offset, const Matrices& matrices, const std::vector<Optional<Tensor>>& biases) {
  for (const auto& w : matrices) checkWidth(x, *w);
  Tensor h = norm.has_value() ? rmsNorm(x, *norm, eps, offset) : x;
  std::vector<std::unique_ptr<PanelSource>> sources;
  for (const auto& w : matrices)
    if (auto source = sourceFor(h, *w)) sources.push_back(std::move(source));
  if (sources.size() == matrices.size()) return integerLinears(h, sources, biases);
  std::vector<Tensor> results;
  for (size_t i = 0; i < matrices.size(); i++) results.push_back(productOf(h, *matrices[i], biases[i]));
  return results;
}

/** The product of one matrix, and a sum with what x went around it. */
Tensor addedProduct(const Tensor& x, const FrozenMatrix& w, const Optional<Tensor>& bias, const Optional<Tensor>& residual) {
  if (residual.has_value() && fast(x) && fast(*residual)) {
    checkWidth(x, w);
    if (auto source = sourceFor(x, w)) {
      auto sizes = x.sizes().vec();
      sizes.back() = w.rows;
      TORCH_CHECK(residual->sizes() == at::IntArrayRef(sizes), "expected a residual like y");
      std::vector<std::unique_ptr<PanelSource>> sources;
      sources.push_back(std::move(source));
      return integerLinears(x, sources, {bias}, residual->contiguous())[0];
    }
  }
  Tensor y = productOf(x, w, bias);
  return residual.has_value() ? y + *residual : y;
}

Tensor frozenLinear(const Tensor& x, const Optional<Tensor>& bias, const Optional<Tensor>& residual, const Parts& parts, at::IntArrayRef layout) {
  return addedProduct(x, *oneMatrix(parts, layout), bias, residual);
}

std::vector<Tensor> frozenLinears(const Tensor& x, const Optional<Tensor>& norm, double eps, double offset, const Parts& parts, at::IntArrayRef layout, const Parts& biases, int64_t head) {
  auto matrices = readMatrices(parts, layout);
  TORCH_CHECK(biases.size() == matrices.size(), "expected a bias or none for every matrix");
  std::vector<Optional<Tensor>> list;
  for (size_t i = 0; i < biases.size(); i++) list.push_back(biases.get(i));
  auto results = productsOf(x, norm, eps, offset, matrices, list);
  for (auto& y : results) y = headsOf(y, head);
  return results;
}

Tensor frozenMlp(const Tensor& x, const Optional<Tensor>& norm, double eps, double offset, const Parts& parts, at::IntArrayRef layout, const Parts& biases, const Optional<Tensor>& residual) {
  auto matrices = readMatrices(parts, layout);
  TORCH_CHECK(matrices.size() == 3 && biases.size() == 3, "expected gate, up and down");
  auto down = std::move(matrices[2]);
  matrices.pop_back();
  auto both = productsOf(x, norm, eps, offset, matrices, {biases.get(0), biases.get(1)});
  return addedProduct(swiglu(both[0], both[1]), *down, biases.get(2), residual);
}

Tensor frozenDense(const Parts& parts, at::IntArrayRef layout, at::ScalarType dtype) { return oneMatrix(parts, layout)->dense(dtype); }

}  // namespace

TORCH_LIBRARY_FRAGMENT(anneal, m) {
  m.def("frozen_linear(Tensor x, Tensor? bias, Tensor? residual, Tensor?[] parts, int[] layout) -> Tensor", &frozenLinear);
  m.def("frozen_linears(Tensor x, Tensor? norm, float eps, float offset, Tensor?[] parts, int[] layout, Tensor?[] biases, int head=0) -> Tensor[]", &frozenLinears);
  m.def("frozen_mlp(Tensor x, Tensor? norm, float eps, float offset, Tensor?[] parts, int[] layout, Tensor?[] biases, Tensor? residual) -> Tensor", &frozenMlp);
  m.def("frozen_dense(Tensor?[] parts, int[] layout, ScalarType dtype) -> Tensor", &frozenDense);
}

}  // namespace anneal

// linear and lora_linear: y = x Wᵀ + b, plain and with a low-rank update.
#include "fused.h"
#include "outputs.h"

namespace anneal {
namespace {

// ---- linear: where gradients are recorded by the fastest library, else by the products of multiply.h --------------------------------

Tensor linearForward(const Tensor& x, const Tensor& weight, const Optional<Tensor>& bias) {
  auto sizes = x.sizes().vec();
  sizes.back() = weight.size(0);
  Tensor y = productNT(rowsOf(x), weight).view(sizes);
  return bias.has_value() ? y.add_(*bias) : y;
}

struct LinearProduct : torch::autograd::Function<LinearProduct> {
  static Tensor forward(AutogradContext* context, const Tensor& x, const Tensor& weight, const Optional<Tensor>& bias) {
    bool needX = x.requires_grad(), needWeight = weight.requires_grad();
    context->save_for_backward({needWeight ? x : Tensor(), needX ? weight : Tensor()});
    context->saved_data["sizes"] = x.sizes().vec();
    context->saved_data["needBias"] = bias.has_value() && bias->requires_grad();
    return linearForward(x, weight, bias);
  }
  static variable_list backward(AutogradContext* context, variable_list gradients) {
    onceDifferentiable("linear");
    auto saved = context->get_saved_variables();
    Tensor dy = rowsOf(gradients[0]), dx, dweight;
    if (saved[1].defined()) dx = product(dy, saved[1]).view(context->saved_data["sizes"].toIntVector());
    if (saved[0].defined()) dweight = product(dy.t(), rowsOf(saved[0]));
    return {dx, dweight, context->saved_data["needBias"].toBool() ? dy.sum(0) : Tensor()};
  }
};

/** The product that gradients go through, by the fastest library. */
Tensor trainedLinear(const Tensor& x, const Tensor& weight, const Optional<Tensor>& bias) {
  bool ours = rowCount(x) > 0 && fast(x) && fast(weight) && x.size(-1) == weight.size(1) && (!bias.has_value() || (bias->dim() == 1 && bias->size(0) == weight.size(0) && fast(*bias)));
  if (!ours) return at::linear(x, weight, bias.has_value() ? *bias : Tensor());
  bool isRecorded = recording({x, weight}) || (bias.has_value() && recording({*bias}));
  return isRecorded ? LinearProduct::apply(x, weight, bias) : linearForward(x, weight, bias);
}

}  // namespace

Tensor linear(const Tensor& x, const Tensor& weight, const Optional<Tensor>& bias, const Optional<Tensor>& residual) {
  TORCH_CHECK(weight.dim() == 2, "expected weight [out,in]");
  if (multiplies(x, weight, bias) && (!residual.has_value() || multiplies(*residual))) {
    // In half precision y is rounded before the sum, as it is where that is an operator of its own.
    bool inOne = residual.has_value() && fast(x);
    Output output(x, weight, bias, inOne ? residual : Optional<Tensor>());
    Tensor input = floatRows(x);
    Factor factor = output.factor();
    multiply(data(input), rowCount(x), x.size(-1), &factor, 1);
    Tensor y = output.y.to(x.scalar_type());
    return !residual.has_value() || inOne ? y : y + *residual;
  }
  bool isMixed = x.scalar_type() == at::kFloat && weight.scalar_type() == at::kBFloat16;
  Tensor y = trainedLinear(x, isMixed ? weight.to(at::kFloat) : weight, bias);
  return residual.has_value() ? y + *residual : y;
}

namespace {

// ---- lora_linear: x·Wᵀ + bias + scale·(x ⊙ mask)·Aᵀ·Bᵀ with W frozen, saving x, the mask and the thin product only ---------------
// Composed of ATen operators this takes two more tensors like y in the forward pass and one more like x in the backward pass. Thin products
// are kept as [r, N]: for dyᵀ·thin with 1024 × 1024 and r = 8, MKL takes 3.6 ms from [N, r] and 0.3 ms from [r, N].

Tensor masked(const Tensor& x, const Tensor& mask) { return mask.defined() ? x * rowsOf(mask) : x; }

/** y [N, D] += weightsᵀ·rows in place, for weights [r, N] and rows [r, D]. */
void addLowRank(const Tensor& y, const Tensor& weights, const Tensor& rows, int64_t kCached = 32) {  // more rows do not stay in the cache, and a blocked product is better
  int64_t r = weights.size(0), N = y.size(0), D = y.size(1);
  if (r > kCached || !fast(y) || !fast(rows) || !y.is_contiguous()) {
    if (fast(y)) y.add_(product(weights.t(), rows));
    else y.addmm_(weights.t(), rows);
    return;
  }
  Tensor w = weights.contiguous(), from = rows.contiguous();
  const float *pw = data(w), *pb = data(from);
  float* py = data(y);
  at::parallel_for(0, N, grain(D * r), [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; n++) {
      float* out = py + n * D;
      int64_t k = 0;
      for (; k + 4 <= r; k += 4) {
        const float *b0 = pb + k * D, *b1 = b0 + D, *b2 = b1 + D, *b3 = b2 + D;
        float w0 = pw[k * N + n], w1 = pw[(k + 1) * N + n], w2 = pw[(k + 2) * N + n], w3 = pw[(k + 3) * N + n];
#pragma omp simd
        for (int64_t i = 0; i < D; i++) out[i] += w0 * b0[i] + w1 * b1[i] + w2 * b2[i] + w3 * b3[i];
      }
      for (; k < r; k++) {
        const float* b0 = pb + k * D;
        float w0 = pw[k * N + n];
#pragma omp simd
        for (int64_t i = 0; i < D; i++) out[i] += w0 * b0[i];
      }
    }
  });
}

/**
 * y [..., out] += scale·(x·Aᵀ)·Bᵀ in place. No row sees another, as in `linear`: those of many texts go through their own adapters in one call.
 */
Tensor loraAdd(const Tensor& y, const Tensor& x, const Tensor& A, const Tensor& B, double scale) {
  TORCH_CHECK(A.dim() == 2 && B.dim() == 2 && x.dim() > 0 && y.dim() > 0 && x.size(-1) == A.size(1) && y.size(-1) == B.size(0) && A.size(0) == B.size(1),
              "expected y [...,out], x [...,in], A [r,in] and B [out,r]");
  Tensor thin = anneal::linear(rowsOf(x), A, {}, {}).mul_(scale), rows = y.view({-1, y.size(-1)});
  if (fast(y) && fast(thin) && fast(B)) addLowRank(rows, thin.t(), B.t(), A.size(0));
  else rows.add_(at::linear(thin, B.to(thin.scalar_type())));
  return y;
}

/** y [..., out] and, for the backward pass, scale·(x·Aᵀ)ᵀ [r, N]. */
std::pair<Tensor, Tensor> loraForward(const Tensor& x, const Tensor& weight, const Optional<Tensor>& bias, const Tensor& A, const Tensor& B, double scale, const Tensor& mask) {
  Tensor y = trainedLinear(x, weight, bias), thin = productNT(A, masked(rowsOf(x), mask)).mul_(scale);
  addLowRank(y.view({-1, y.size(-1)}), thin, B.t());
  return {y, thin};
}

struct LoraLinear : torch::autograd::Function<LoraLinear> {
  // Optional, because autograd asks every Tensor argument for its device.
  static Tensor forward(AutogradContext* context, const Tensor& x, const Tensor& weight, const Optional<Tensor>& bias, const Tensor& A, const Tensor& B, double scale,
                        const Optional<Tensor>& mask) {
    Tensor kept = mask.has_value() ? *mask : Tensor();
    auto [y, thin] = loraForward(x, weight, bias, A, B, scale, kept);
    context->save_for_backward({x, weight, A, B, thin, kept});
    context->saved_data["scale"] = scale;
    context->saved_data["needX"] = x.requires_grad();
    context->saved_data["needA"] = A.requires_grad();
    context->saved_data["needB"] = B.requires_grad();
    return y;
  }
  static variable_list backward(AutogradContext* context, variable_list gradients) {
    onceDifferentiable("lora_linear");
    auto saved = context->get_saved_variables();
    const Tensor &x = saved[0], &weight = saved[1], &A = saved[2], &B = saved[3], &thin = saved[4], &mask = saved[5];
    bool needX = context->saved_data["needX"].toBool(), needA = context->saved_data["needA"].toBool();
    Tensor dy = rowsOf(gradients[0]), dx, dA, dB;
    if (context->saved_data["needB"].toBool()) dB = product(thin, dy).t();
    if (needX || needA) {
      Tensor dthin = productNT(B.t(), dy).mul_(context->saved_data["scale"].toDouble());
      if (needA) dA = product(dthin, masked(rowsOf(x), mask));
      if (needX) {
        dx = product(dy, weight);
        if (mask.defined()) dx.add_(product(dthin.t(), A).mul_(rowsOf(mask)));
        else addLowRank(dx, dthin, A);
        dx = dx.view(x.sizes());
      }
    }
    return {dx, Tensor(), Tensor(), dA, dB, Tensor(), Tensor()};
  }
};

Tensor loraLinear(const Tensor& x, const Tensor& weight, const Optional<Tensor>& bias, const Tensor& A, const Tensor& B, double scale, const Optional<Tensor>& mask) {
  TORCH_CHECK(weight.dim() == 2 && A.dim() == 2 && B.dim() == 2 && x.dim() > 0 && x.size(-1) == weight.size(1) && A.size(1) == weight.size(1) && B.size(0) == weight.size(0) &&
                  A.size(0) == B.size(1) && (!mask.has_value() || mask->sizes() == x.sizes()),
              "expected x [...,in], weight [out,in], A [r,in], B [out,r] and a mask like x");
  if (!recording({x, A, B})) {
    // What training does without recording must be what it records.
    bool trains = at::GradMode::is_enabled() || !isInference();
    if (mask.has_value() || trains) return loraForward(x, weight, bias, A, B, scale, mask.has_value() ? *mask : Tensor()).first;
    return loraAdd(anneal::linear(x, weight, bias, {}), x, A, B, scale);
  }
  TORCH_CHECK(!weight.requires_grad() && !(bias.has_value() && bias->requires_grad()), "expected a frozen weight and bias; compose it of linear() to train them");
  return LoraLinear::apply(x, weight, bias, A, B, scale, mask);
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(anneal, m) {
  m.def("linear(Tensor x, Tensor weight, Tensor? bias=None, Tensor? residual=None) -> Tensor", &linear);
  m.def("lora_linear(Tensor x, Tensor weight, Tensor? bias, Tensor A, Tensor B, float scale, Tensor? mask=None) -> Tensor", &loraLinear);
  m.def("lora_add_(Tensor(a!) y, Tensor x, Tensor A, Tensor B, float scale) -> Tensor(a!)", &loraAdd);
}

}  // namespace anneal

// linear and lora_linear: y = x Wᵀ + b, plain and with a low-rank update.
#include "fused.h"
#include "lanes.h"
#include "pool.h"

namespace anneal {
namespace {

// ---- linear: products by the fastest library, and for a few rows without gradients a kernel that streams the weights once -------

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

/**
 * y [Rows, Outputs] = x [Rows, K] times the rows `w[0…]` of a weight, all read at once. A sum has the same order whatever Rows and Outputs
 * are, so that a text gets the same numbers alone and beside others: two vectors of lanes over K in turn, added at the end.
 */
template <int64_t Rows, int64_t Outputs> inline void dotTile(const float* x, const float* const (&w)[Outputs], int64_t K, float* y) {
  constexpr int64_t kAhead = 1024;  // what memory gives while the tile before is multiplied
  Lanes even[Outputs * Rows] = {}, odd[Outputs * Rows] = {};
  int64_t k = 0;
  for (; k + 2 * kLanes <= K; k += 2 * kLanes) {
#pragma GCC unroll 4
    for (int64_t o = 0; o < Outputs; o++) {
      __builtin_prefetch(w[o] + k + kAhead);
      __builtin_prefetch(w[o] + k + kAhead + kLanes);
      Lanes low = loadLanes(w[o] + k), high = loadLanes(w[o] + k + kLanes);
#pragma GCC unroll 4
      for (int64_t r = 0; r < Rows; r++) {
        even[o * Rows + r] += low * loadLanes(x + r * K + k);
        odd[o * Rows + r] += high * loadLanes(x + r * K + k + kLanes);
      }
    }
  }
  for (; k < K; k += kLanes) {  // what is left, filled up with zeros
    size_t bytes = static_cast<size_t>(std::min(kLanes, K - k)) * sizeof(float);
    for (int64_t o = 0; o < Outputs; o++) {
      Lanes part = {};
      std::memcpy(&part, w[o] + k, bytes);
      for (int64_t r = 0; r < Rows; r++) {
        Lanes in = {};
        std::memcpy(&in, x + r * K + k, bytes);
        even[o * Rows + r] += part * in;
      }
    }
  }
#pragma GCC unroll 16
  for (int64_t i = 0; i < Outputs * Rows; i++) y[i % Rows * Outputs + i / Rows] = sumLanes(even[i] + odd[i]);
}

/** y [rows, N] = x [rows, K] · Wᵀ + bias for at most kFewRows rows: W is read from memory once, as several streams, which is faster than as one. */
template <int64_t Outputs> void multiplyRows(const float* x, const float* w, const float* bias, float* y, int64_t rows, int64_t K, int64_t N) {
  int64_t apart = (N + Outputs - 1) / Outputs;
  parallelFor(0, apart, std::max<int64_t>(1, kWorthSharing / (K * Outputs * rows)), [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; n++) {
      const float* streams[Outputs];
      for (int64_t o = 0; o < Outputs; o++) streams[o] = w + std::min(n + o * apart, N - 1) * K;
      for (int64_t first = 0; first < rows; first += kTile) {
        float products[kTile * Outputs];
        const float* in = x + first * K;
        int64_t count = std::min(kTile, rows - first);
        switch (count) {
          case 1: dotTile<1>(in, streams, K, products); break;
          case 2: dotTile<2>(in, streams, K, products); break;
          case 3: dotTile<3>(in, streams, K, products); break;
          default: dotTile<4>(in, streams, K, products);
        }
        for (int64_t i = 0; i < count * Outputs; i++) {
          int64_t at = n + i % Outputs * apart;
          if (at < N) y[(first + i / Outputs) * N + at] = products[i] + (bias ? bias[at] : 0.0f);
        }
      }
    }
  });
}

Tensor linear(const Tensor& x, const Tensor& weight, const Optional<Tensor>& bias) {
  TORCH_CHECK(weight.dim() == 2, "expected weight [out,in]");
  int64_t K = weight.size(1), N = weight.size(0), rows = K > 0 ? x.numel() / K : 0;
  bool records = recording({x, weight}) || (bias.has_value() && bias->requires_grad() && at::GradMode::is_enabled());
  bool ours = rows > 0 && fast(x) && fast(weight) && x.dim() > 0 && x.size(-1) == K && (!bias.has_value() || (bias->dim() == 1 && bias->size(0) == N && fast(*bias)));
  if (!ours) return at::linear(x, weight, bias.has_value() ? *bias : Tensor());
  if (records) return LinearProduct::apply(x, weight, bias);
  if (rows > kFewRows || !weight.is_contiguous()) return linearForward(x, weight, bias);
  Tensor input = x.contiguous();
  auto sizes = x.sizes().vec();
  sizes.back() = N;
  Tensor y = at::empty(sizes, x.options());
  Tensor b = bias.has_value() ? bias->contiguous() : Tensor();
  // As many streams as there are registers for sums.
  (rows <= 2 ? multiplyRows<4> : multiplyRows<2>)(data(input), data(weight), b.defined() ? data(b) : nullptr, data(y), rows, K, N);
  return y;
}

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
  Tensor thin = anneal::linear(rowsOf(x), A, Optional<Tensor>()).mul_(scale), rows = y.view({-1, y.size(-1)});
  if (fast(y) && fast(thin) && fast(B)) addLowRank(rows, thin.t(), B.t(), A.size(0));
  else rows.add_(at::linear(thin, B.to(thin.scalar_type())));
  return y;
}

/** y [..., out] and, for the backward pass, scale·(x·Aᵀ)ᵀ [r, N]. */
std::pair<Tensor, Tensor> loraForward(const Tensor& x, const Tensor& weight, const Optional<Tensor>& bias, const Tensor& A, const Tensor& B, double scale, const Tensor& mask) {
  Tensor y = anneal::linear(x, weight, bias), thin = productNT(A, masked(rowsOf(x), mask)).mul_(scale);
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
    if (mask.has_value()) return loraForward(x, weight, bias, A, B, scale, *mask).first;
    return loraAdd(anneal::linear(x, weight, bias), x, A, B, scale);
  }
  TORCH_CHECK(!weight.requires_grad() && !(bias.has_value() && bias->requires_grad()), "expected a frozen weight and bias; compose it of linear() to train them");
  return LoraLinear::apply(x, weight, bias, A, B, scale, mask);
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(anneal, m) {
  m.def("linear(Tensor x, Tensor weight, Tensor? bias=None) -> Tensor", &linear);
  m.def("lora_linear(Tensor x, Tensor weight, Tensor? bias, Tensor A, Tensor B, float scale, Tensor? mask=None) -> Tensor", &loraLinear);
  m.def("lora_add_(Tensor(a!) y, Tensor x, Tensor A, Tensor B, float scale) -> Tensor(a!)", &loraAdd);
}

}  // namespace anneal

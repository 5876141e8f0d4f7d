// Operators that LibTorch lacks or that would save too much for the backward pass, registered in the same dispatcher under "anneal::"
// and therefore called, typed and differentiated like every other operator. Each has a fast float32 CPU kernel; any other
// device or dtype takes the composition of ATen operators beside it.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <cmath>
#include <limits>
#include <tuple>

#include "matmul.h"
#include "shim.h"

namespace anneal {
namespace {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

bool fast(const Tensor& t) { return t.device().is_cpu() && t.scalar_type() == at::kFloat; }
bool recording(std::initializer_list<Tensor> inputs) {
  if (!at::GradMode::is_enabled()) return false;
  for (const auto& t : inputs)
    if (t.requires_grad()) return true;
  return false;
}
float* data(const Tensor& t) { return t.data_ptr<float>(); }
/** The kernels below have no derivative of their derivative; without this check it would silently be zero. */
void onceDifferentiable(const char* name) { TORCH_CHECK(!at::GradMode::is_enabled(), name, " has no second derivative; for createGraph compose it of other operators"); }
/** Rows per thread so that one task touches at least 32 Ki elements. */
int64_t grain(int64_t width) { return std::max<int64_t>(1, 32768 / std::max<int64_t>(1, width)); }

/** e^x to 2 ulp in float32, written so that the compiler turns it into vector code; NaN stays NaN. */
inline float exponential(float x) {
  x = x < -87.3f ? -87.3f : x;
  x = x > 88.3f ? 88.3f : x;
  float shifted = x * 1.44269504f + 12582912.0f;  // 1.5·2²³: rounds to the nearest integer
  float n = shifted - 12582912.0f;
  float r = x - n * 0.693145752f - n * 1.42860677e-6f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  union {
    int32_t i;
    float f;
  } scale = {(static_cast<int32_t>(n) + 127) << 23};
  return p * scale.f;
}

// ---- rms_norm: y = x / sqrt(mean(x²) + eps) · (weight + offset), rows over the last dimension --------------------------------

std::tuple<Tensor, Tensor> rmsNormForward(const Tensor& x, const Tensor& weight, double eps, double offset) {
  int64_t width = x.size(-1), rows = x.numel() / std::max<int64_t>(1, width);
  Tensor y = at::empty_like(x), rstd = at::empty({rows}, x.options());
  const float *px = data(x), *pw = data(weight);
  float *py = data(y), *pr = data(rstd), shift = static_cast<float>(offset);
  at::parallel_for(0, rows, grain(width), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; row++) {
      const float* in = px + row * width;
      float* out = py + row * width;
      float sum = 0;
#pragma omp simd reduction(+ : sum)
      for (int64_t i = 0; i < width; i++) sum += in[i] * in[i];
      float scale = 1.0f / std::sqrt(sum / static_cast<float>(width) + static_cast<float>(eps));
      pr[row] = scale;
#pragma omp simd
      for (int64_t i = 0; i < width; i++) out[i] = in[i] * scale * (pw[i] + shift);
    }
  });
  return {y, rstd};
}

std::tuple<Tensor, Tensor> rmsNormBackward(const Tensor& dy, const Tensor& x, const Tensor& weight, const Tensor& rstd, double offset, bool needWeight) {
  int64_t width = x.size(-1), rows = rstd.numel();
  Tensor dx = at::empty_like(x);
  int64_t tasks = needWeight ? std::max<int64_t>(1, std::min<int64_t>(at::get_num_threads(), rows)) : 0;
  Tensor partial = at::zeros({std::max<int64_t>(tasks, 1), width}, x.options());
  const float *pdy = data(dy), *px = data(x), *pw = data(weight), *pr = data(rstd);
  float *pdx = data(dx), *pp = data(partial), shift = static_cast<float>(offset);
  int64_t slots = std::max<int64_t>(tasks, 1), each = (rows + slots - 1) / slots;
  auto work = [&](int64_t slot, int64_t begin, int64_t end) {
    float* dw = pp + slot * width;
    for (int64_t row = begin; row < end; row++) {
      const float *in = px + row * width, *grad = pdy + row * width;
      float* out = pdx + row * width;
      float scale = pr[row], dot = 0;
#pragma omp simd reduction(+ : dot)
      for (int64_t i = 0; i < width; i++) dot += grad[i] * (pw[i] + shift) * in[i];
      float correction = dot * scale * scale * scale / static_cast<float>(width);
#pragma omp simd
      for (int64_t i = 0; i < width; i++) out[i] = grad[i] * (pw[i] + shift) * scale - in[i] * correction;
      if (needWeight) {
#pragma omp simd
        for (int64_t i = 0; i < width; i++) dw[i] += grad[i] * in[i] * scale;
      }
    }
  };
  if (needWeight) {
    // One slot per thread, rows split the same way every time: the sum has one order for a given thread count.
    at::parallel_for(0, slots, 1, [&](int64_t first, int64_t last) {
      for (int64_t slot = first; slot < last; slot++) work(slot, slot * each, std::min(rows, (slot + 1) * each));
    });
  } else {
    at::parallel_for(0, rows, grain(width), [&](int64_t begin, int64_t end) { work(0, begin, end); });
  }
  return {dx, needWeight ? partial.sum(0) : Tensor()};
}

struct RmsNorm : torch::autograd::Function<RmsNorm> {
  static Tensor forward(AutogradContext* context, const Tensor& x, const Tensor& weight, double eps, double offset) {
    auto [y, rstd] = rmsNormForward(x, weight, eps, offset);
    context->save_for_backward({x, weight, rstd});
    context->saved_data["offset"] = offset;
    context->saved_data["needWeight"] = weight.requires_grad();
    return y;
  }
  static variable_list backward(AutogradContext* context, variable_list gradients) {
    onceDifferentiable("rms_norm");
    auto saved = context->get_saved_variables();
    auto [dx, dw] = rmsNormBackward(gradients[0].contiguous(), saved[0], saved[1], saved[2], context->saved_data["offset"].toDouble(),
                                    context->saved_data["needWeight"].toBool());
    return {dx, dw, Tensor(), Tensor()};
  }
};

Tensor rmsNorm(const Tensor& x, const Tensor& weight, double eps, double offset) {
  TORCH_CHECK(x.dim() > 0 && weight.dim() == 1 && weight.size(0) == x.size(-1), "expected x [...,D] and weight [D]");
  if (!fast(x) || !fast(weight)) {
    Tensor wide = x.to(at::promote_types(x.scalar_type(), at::kFloat));
    Tensor scaled = wide * at::rsqrt(wide.square().mean(-1, true) + eps);
    Tensor scale = weight.to(wide.scalar_type());
    return (scaled * (offset == 0 ? scale : scale + offset)).to(x.scalar_type());
  }
  Tensor input = x.contiguous(), scale = weight.contiguous();
  if (recording({x, weight})) return RmsNorm::apply(input, scale, eps, offset);
  return std::get<0>(rmsNormForward(input, scale, eps, offset));
}

// ---- swiglu: silu(gate) · up, saving only its two inputs ----------------------------------------------------------------------

Tensor swigluForward(const Tensor& gate, const Tensor& up) {
  Tensor y = at::empty_like(gate);
  const float *pg = data(gate), *pu = data(up);
  float* py = data(y);
  at::parallel_for(0, gate.numel(), 32768, [&](int64_t begin, int64_t end) {
#pragma omp simd
    for (int64_t i = begin; i < end; i++) py[i] = pg[i] / (1.0f + exponential(-pg[i])) * pu[i];
  });
  return y;
}

struct Swiglu : torch::autograd::Function<Swiglu> {
  static Tensor forward(AutogradContext* context, const Tensor& gate, const Tensor& up) {
    context->save_for_backward({gate, up});
    return swigluForward(gate, up);
  }
  static variable_list backward(AutogradContext* context, variable_list gradients) {
    onceDifferentiable("swiglu");
    auto saved = context->get_saved_variables();
    Tensor dy = gradients[0].contiguous(), dgate = at::empty_like(saved[0]), dup = at::empty_like(saved[1]);
    const float *pdy = data(dy), *pg = data(saved[0]), *pu = data(saved[1]);
    float *pdg = data(dgate), *pdu = data(dup);
    at::parallel_for(0, dy.numel(), 32768, [&](int64_t begin, int64_t end) {
#pragma omp simd
      for (int64_t i = begin; i < end; i++) {
        float s = 1.0f / (1.0f + exponential(-pg[i]));
        pdu[i] = pdy[i] * pg[i] * s;
        pdg[i] = pdy[i] * pu[i] * s * (1.0f + pg[i] * (1.0f - s));
      }
    });
    return {dgate, dup};
  }
};

Tensor swiglu(const Tensor& gate, const Tensor& up) {
  TORCH_CHECK(gate.sizes() == up.sizes(), "expected gate and up of one shape");
  if (!fast(gate) || !fast(up)) return at::silu(gate) * up;
  Tensor g = gate.contiguous(), u = up.contiguous();
  return recording({gate, up}) ? Swiglu::apply(g, u) : swigluForward(g, u);
}

// ---- rope: rotates the first 2·R entries of each head by the position's angle (half-split layout, as Hugging Face) ------------

/** x [B, T, H, D]; cos, sin [T, R] or [B, T, R]. `sign` −1 is the inverse rotation, which is also the gradient. */
Tensor rotate(const Tensor& x, const Tensor& cos, const Tensor& sin, float sign) {
  int64_t B = x.size(0), T = x.size(1), H = x.size(2), D = x.size(3), R = cos.size(-1);
  int64_t perBatch = cos.dim() == 3 && cos.size(0) > 1 ? T : 0;
  Tensor y = at::empty_like(x);
  const float *px = data(x), *pc = data(cos), *ps = data(sin);
  float* py = data(y);
  at::parallel_for(0, B * T, grain(H * D), [&](int64_t begin, int64_t end) {
    for (int64_t token = begin; token < end; token++) {
      int64_t position = (token / T) * perBatch + token % T;
      const float *c = pc + position * R, *s = ps + position * R;
      for (int64_t head = 0; head < H; head++) {
        const float* in = px + (token * H + head) * D;
        float* out = py + (token * H + head) * D;
#pragma omp simd
        for (int64_t i = 0; i < R; i++) {
          out[i] = in[i] * c[i] - sign * in[i + R] * s[i];
          out[i + R] = in[i + R] * c[i] + sign * in[i] * s[i];
        }
        for (int64_t i = 2 * R; i < D; i++) out[i] = in[i];
      }
    }
  });
  return y;
}

struct Rope : torch::autograd::Function<Rope> {
  static Tensor forward(AutogradContext* context, const Tensor& x, const Tensor& cos, const Tensor& sin) {
    context->save_for_backward({cos, sin});
    return rotate(x, cos, sin, 1.0f);
  }
  static variable_list backward(AutogradContext* context, variable_list gradients) {
    onceDifferentiable("rope");
    auto saved = context->get_saved_variables();
    return {rotate(gradients[0].contiguous(), saved[0], saved[1], -1.0f), Tensor(), Tensor()};
  }
};

Tensor rope(const Tensor& x, const Tensor& cos, const Tensor& sin) {
  TORCH_CHECK(x.dim() == 4 && (cos.dim() == 2 || (cos.dim() == 3 && (cos.size(0) == 1 || cos.size(0) == x.size(0)))) && cos.sizes() == sin.sizes() &&
                  cos.size(-2) == x.size(1) && 2 * cos.size(-1) <= x.size(-1),
              "expected x [B,T,H,D] and cos, sin [T,R] or [B,T,R] with 2·R ≤ D");
  int64_t R = cos.size(-1), D = x.size(-1);
  if (!fast(x) || !fast(cos)) {
    Tensor c = cos.unsqueeze(-2), s = sin.unsqueeze(-2), a = x.narrow(-1, 0, R), b = x.narrow(-1, R, R);
    Tensor turned = at::cat({a * c - b * s, b * c + a * s}, -1).to(x.scalar_type());
    return 2 * R == D ? turned : at::cat({turned, x.narrow(-1, 2 * R, D - 2 * R)}, -1);
  }
  Tensor input = x.contiguous();
  return recording({x}) ? Rope::apply(input, cos.contiguous(), sin.contiguous()) : rotate(input, cos.contiguous(), sin.contiguous(), 1.0f);
}

// ---- linear_cross_entropy: Σ −log softmax(hidden · weightᵀ)[label] without ever holding [tokens, vocabulary] ------------------

/** Losses (f64) and argmax hits of these rows; with needGradient, logits become the gradient of the summed loss in place. */
std::pair<Tensor, Tensor> softmaxRows(Tensor& logits, const Tensor& labels, double softcap, bool needGradient) {
  int64_t rows = logits.size(0), width = logits.size(1);
  Tensor losses = at::empty({rows}, at::kDouble), hits = at::empty({rows}, at::kLong);
  float *pl = data(logits), cap = static_cast<float>(softcap);
  const int64_t* target = labels.data_ptr<int64_t>();
  double* loss = losses.data_ptr<double>();
  int64_t* hit = hits.data_ptr<int64_t>();
  at::parallel_for(0, rows, grain(width), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; row++) {
      float* in = pl + row * width;
      if (cap > 0)
        for (int64_t i = 0; i < width; i++) in[i] = cap * std::tanh(in[i] / cap);
      float wanted = in[target[row]], top = -std::numeric_limits<float>::infinity(), sum = 0;
#pragma omp simd reduction(max : top)
      for (int64_t i = 0; i < width; i++) top = in[i] > top ? in[i] : top;
      hit[row] = wanted >= top;
      if (needGradient && cap == 0) {
#pragma omp simd reduction(+ : sum)
        for (int64_t i = 0; i < width; i++) {
          in[i] = exponential(in[i] - top);
          sum += in[i];
        }
        float inverse = 1.0f / sum;
#pragma omp simd
        for (int64_t i = 0; i < width; i++) in[i] *= inverse;
        in[target[row]] -= 1.0f;
      } else {
#pragma omp simd reduction(+ : sum)
        for (int64_t i = 0; i < width; i++) sum += exponential(in[i] - top);
        if (needGradient) {
          float inverse = 1.0f / sum;
          for (int64_t i = 0; i < width; i++) {
            float slope = 1.0f - (in[i] / cap) * (in[i] / cap);  // d tanh
            in[i] = (exponential(in[i] - top) * inverse - (i == target[row] ? 1.0f : 0.0f)) * slope;
          }
        }
      }
      loss[row] = static_cast<double>(top) + std::log(static_cast<double>(sum)) - static_cast<double>(wanted);
    }
  });
  return {losses, hits};
}

/** The same composed of ATen operators, for any device and dtype; losses are at least float32. */
std::pair<Tensor, Tensor> composedRows(Tensor& logits, const Tensor& labels, double softcap, bool needGradient) {
  auto dtype = logits.scalar_type();
  Tensor wide = logits.to(at::promote_types(dtype, at::kFloat));
  if (softcap > 0) wide = (wide / softcap).tanh_().mul_(softcap);
  Tensor logs = at::log_softmax(wide, -1), index = labels.unsqueeze(-1);
  Tensor losses = logs.gather(-1, index).squeeze(-1).neg(), hits = wide.argmax(-1).eq(labels);
  if (needGradient) {
    Tensor d = logs.exp_();
    d.scatter_add_(-1, index, at::full_like(index, -1, d.options()));
    if (softcap > 0) d = d * (1 - (wide / softcap).square());
    logits = d.to(dtype);
  }
  return {losses, hits};
}

struct CrossEntropyResult {
  Tensor loss, correct, dhidden, dweight;
};

/**
 * hidden [N, D], weight [V, D], labels [N] (−100 = ignore). Gradients are made chunk by chunk, while the logits are at hand: of the summed
 * loss, or with `factors` [N] of the sum of each row's loss times its factor. With `perRow` the loss is [N], 0 where ignored.
 */
CrossEntropyResult crossEntropy(const Tensor& hidden, const Tensor& weight, const Tensor& labels, int64_t chunk, double softcap, bool needHidden, bool needWeight,
                                bool perRow = false, const Tensor& factors = Tensor()) {
  Tensor kept = at::nonzero(labels.ne(-100)).squeeze(-1);
  bool all = kept.numel() == labels.numel();
  auto pick = [&](const Tensor& t) { return all ? t : t.index_select(0, kept); };
  Tensor rows = pick(hidden), targets = pick(labels);
  int64_t count = rows.size(0), V = weight.size(0);
  if (count > 0) {
    auto [low, high] = at::aminmax(targets);
    TORCH_CHECK(low.item<int64_t>() >= 0 && high.item<int64_t>() < V, "labels must be −100 or in [0, ", V, "), got ", low.item<int64_t>(), " … ", high.item<int64_t>());
  }
  if (chunk <= 0) chunk = std::max<int64_t>(128, (int64_t{6} << 20) / V);  // about 24 MiB of float32 logits at a time
  Tensor dhidden = needHidden ? (all ? at::empty_like(rows) : at::zeros_like(hidden)) : Tensor(), dweight = needWeight && count == 0 ? at::zeros_like(weight) : Tensor();
  bool quick = fast(rows) && fast(weight);
  auto sums = hidden.options().dtype(at::promote_types(hidden.scalar_type(), at::kFloat));
  Tensor loss = perRow ? at::zeros(labels.sizes(), sums) : at::zeros({}, quick ? sums.dtype(at::kDouble) : sums), correct = at::zeros({}, sums);
  Tensor scales = factors.defined() ? pick(factors).unsqueeze(-1) : Tensor();
  /** Rows of `into` that this chunk is about. */
  auto put = [&](Tensor& into, int64_t start, const Tensor& values) {
    if (all) into.narrow(0, start, values.size(0)).copy_(values);
    else into.index_copy_(0, kept.narrow(0, start, values.size(0)), values.to(into.scalar_type()));
  };
  for (int64_t start = 0; start < count; start += chunk) {
    int64_t size = std::min(chunk, count - start);
    Tensor h = rows.narrow(0, start, size), y = targets.narrow(0, start, size).contiguous(), logits = productNT(h, weight);
    auto [losses, hits] = (quick ? softmaxRows : composedRows)(logits, y, softcap, needHidden || needWeight);
    if (perRow) put(loss, start, losses);
    else loss += losses.sum();
    correct += hits.sum();
    if (scales.defined()) logits.mul_(scales.narrow(0, start, size).to(logits.scalar_type()));
    if (needHidden) put(dhidden, start, product(logits, weight));
    if (needWeight) {
      Tensor d = product(logits.t(), h);
      dweight = dweight.defined() ? dweight.add_(d) : d;
    }
  }
  return {loss.to(sums.dtype()), correct, dhidden, dweight};
}

struct LinearCrossEntropy : torch::autograd::Function<LinearCrossEntropy> {
  static variable_list forward(AutogradContext* context, const Tensor& hidden, const Tensor& weight, const Tensor& labels, int64_t chunk, double softcap) {
    auto result = crossEntropy(hidden, weight, labels, chunk, softcap, hidden.requires_grad(), weight.requires_grad());
    context->mark_non_differentiable({result.correct});
    context->save_for_backward({result.dhidden, result.dweight});
    return {result.loss, result.correct};
  }
  static variable_list backward(AutogradContext* context, variable_list gradients) {
    onceDifferentiable("linear_cross_entropy");
    auto saved = context->get_saved_variables();
    auto scaled = [&](const Tensor& d) { return d.defined() ? d * gradients[0].to(d.scalar_type()) : Tensor(); };
    return {scaled(saved[0]), scaled(saved[1]), Tensor(), Tensor(), Tensor()};
  }
};

void checkHead(const Tensor& hidden, const Tensor& weight, const Tensor& labels) {
  TORCH_CHECK(hidden.dim() == 2 && weight.dim() == 2 && labels.dim() == 1 && hidden.size(0) == labels.size(0) && hidden.size(1) == weight.size(1) && weight.size(0) > 0 &&
                  labels.scalar_type() == at::kLong,
              "expected hidden [N,D], weight [V,D], labels [N] of i64");
}

std::tuple<Tensor, Tensor> linearCrossEntropy(const Tensor& hidden, const Tensor& weight, const Tensor& labels, int64_t chunk, double softcap) {
  checkHead(hidden, weight, labels);
  if (recording({hidden, weight})) {
    auto result = LinearCrossEntropy::apply(hidden.contiguous(), weight, labels, chunk, softcap);
    return {result[0], result[1]};
  }
  auto result = crossEntropy(hidden.contiguous(), weight, labels, chunk, softcap, false, false);
  return {result.loss, result.correct};
}

// ---- linear_log_probs: log softmax(hidden · weightᵀ)[label] of each row, 0 where the label is −100 ------------------------------
// What a loss makes of the rows is not known before the backward pass. With a frozen weight a row's gradient can still be made at once and
// wait for its factor; the weight's gradient mixes rows, so then both come from the logits computed again.

struct LinearLogProbs : torch::autograd::Function<LinearLogProbs> {
  static Tensor forward(AutogradContext* context, const Tensor& hidden, const Tensor& weight, const Tensor& labels, int64_t chunk, double softcap) {
    bool again = weight.requires_grad();
    auto result = crossEntropy(hidden, weight, labels, chunk, softcap, !again, false, true);
    context->save_for_backward(again ? variable_list{hidden, weight, labels} : variable_list{result.dhidden});
    context->saved_data["needHidden"] = hidden.requires_grad();
    context->saved_data["chunk"] = chunk;
    context->saved_data["softcap"] = softcap;
    return result.loss.neg_();
  }
  static variable_list backward(AutogradContext* context, variable_list gradients) {
    onceDifferentiable("linear_log_probs");
    auto saved = context->get_saved_variables();
    Tensor factors = gradients[0].neg();
    if (saved.size() == 1) return {saved[0] * factors.to(saved[0].scalar_type()).unsqueeze(-1), Tensor(), Tensor(), Tensor(), Tensor()};
    auto result = crossEntropy(saved[0], saved[1], saved[2], context->saved_data["chunk"].toInt(), context->saved_data["softcap"].toDouble(),
                               context->saved_data["needHidden"].toBool(), true, false, factors);
    return {result.dhidden, result.dweight, Tensor(), Tensor(), Tensor()};
  }
};

Tensor linearLogProbs(const Tensor& hidden, const Tensor& weight, const Tensor& labels, int64_t chunk, double softcap) {
  checkHead(hidden, weight, labels);
  if (recording({hidden, weight})) return LinearLogProbs::apply(hidden.contiguous(), weight, labels, chunk, softcap);
  return crossEntropy(hidden.contiguous(), weight, labels, chunk, softcap, false, false, true).loss.neg_();
}

// ---- linear: products by the fastest library, and for a few rows without gradients a kernel that streams the weights once -------

Tensor rowsOf(const Tensor& t) { return t.reshape({-1, t.size(-1)}); }

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

constexpr int64_t kFewRows = 4;

template <int64_t Rows> void dotRows(const float* x, const float* w, const float* bias, float* y, int64_t K, int64_t N) {
  at::parallel_for(0, N, std::max<int64_t>(16, 16384 / K), [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; n++) {
      const float* row = w + n * K;
      float sums[Rows] = {};
      for (int64_t r = 0; r < Rows; r++) {
        const float* in = x + r * K;
        float sum = 0;
#pragma omp simd reduction(+ : sum)
        for (int64_t k = 0; k < K; k++) sum += in[k] * row[k];
        sums[r] = sum;
      }
      for (int64_t r = 0; r < Rows; r++) y[r * N + n] = sums[r] + (bias ? bias[n] : 0.0f);
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
  const float* pb = b.defined() ? data(b) : nullptr;
  switch (rows) {
    case 1: dotRows<1>(data(input), data(weight), pb, data(y), K, N); break;
    case 2: dotRows<2>(data(input), data(weight), pb, data(y), K, N); break;
    case 3: dotRows<3>(data(input), data(weight), pb, data(y), K, N); break;
    default: dotRows<4>(data(input), data(weight), pb, data(y), K, N);
  }
  return y;
}

// ---- lora_linear: x·Wᵀ + bias + scale·(x ⊙ mask)·Aᵀ·Bᵀ with W frozen, saving x, the mask and the thin product only ---------------
// Composed of ATen operators this takes two more tensors like y in the forward pass and one more like x in the backward pass. Thin products
// are kept as [r, N]: for dyᵀ·thin with 1024 × 1024 and r = 8, MKL takes 3.6 ms from [N, r] and 0.3 ms from [r, N].

Tensor masked(const Tensor& x, const Tensor& mask) { return mask.defined() ? x * rowsOf(mask) : x; }

/** y [N, D] += weightsᵀ·rows in place, for weights [r, N] and rows [r, D]. */
void addLowRank(const Tensor& y, const Tensor& weights, const Tensor& rows) {
  constexpr int64_t kCached = 32;  // more rows than that do not stay in the cache, and a blocked product is better
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

/** y [..., out] and scale·(x·Aᵀ)ᵀ [r, N]. */
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
  if (!recording({x, A, B})) return loraForward(x, weight, bias, A, B, scale, mask.has_value() ? *mask : Tensor()).first;
  TORCH_CHECK(!weight.requires_grad() && !(bias.has_value() && bias->requires_grad()), "expected a frozen weight and bias; compose it of linear() to train them");
  return LoraLinear::apply(x, weight, bias, A, B, scale, mask);
}

// ---- scale_gradient: the identity, whose gradient is multiplied by a constant; saves nothing -------------------------------------

struct ScaleGradient : torch::autograd::Function<ScaleGradient> {
  static Tensor forward(AutogradContext* context, const Tensor& x, double scale) {
    context->saved_data["scale"] = scale;
    return x;  // autograd makes a view of it
  }
  static variable_list backward(AutogradContext* context, variable_list gradients) {
    return {gradients[0] * context->saved_data["scale"].toDouble(), Tensor()};
  }
};

Tensor scaleGradient(const Tensor& x, double scale) { return recording({x}) ? ScaleGradient::apply(x, scale) : x.alias(); }

}  // namespace

TORCH_LIBRARY(anneal, m) {
  m.def("rms_norm(Tensor x, Tensor weight, float eps, float offset=0.) -> Tensor", &rmsNorm);
  m.def("swiglu(Tensor gate, Tensor up) -> Tensor", &swiglu);
  m.def("rope(Tensor x, Tensor cos, Tensor sin) -> Tensor", &rope);
  m.def("linear_cross_entropy(Tensor hidden, Tensor weight, Tensor labels, int chunk=0, float softcap=0.) -> (Tensor, Tensor)", &linearCrossEntropy);
  m.def("linear_log_probs(Tensor hidden, Tensor weight, Tensor labels, int chunk=0, float softcap=0.) -> Tensor", &linearLogProbs);
  m.def("linear(Tensor x, Tensor weight, Tensor? bias=None) -> Tensor", &linear);
  m.def("lora_linear(Tensor x, Tensor weight, Tensor? bias, Tensor A, Tensor B, float scale, Tensor? mask=None) -> Tensor", &loraLinear);
  m.def("scale_gradient(Tensor x, float scale) -> Tensor", &scaleGradient);
}

}  // namespace anneal

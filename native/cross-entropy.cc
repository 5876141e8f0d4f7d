// linear_cross_entropy and linear_log_probs: the head of a language model and its loss, a chunk of tokens at a time.
#include "fused.h"

namespace anneal {
namespace {

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
  // About 24 MiB of float32 logits at a time, what a processor's cache holds; 256 MiB on a GPU, which wants large products and reads the
  // gradient of the weight once more for every chunk.
  if (chunk <= 0) chunk = std::max<int64_t>(128, (int64_t{hidden.is_cpu() ? 6 : 64} << 20) / V);
  Tensor dhidden = needHidden ? (all ? at::empty_like(rows) : at::zeros_like(hidden)) : Tensor(), dweight = needWeight && count == 0 ? at::zeros_like(weight) : Tensor();
  bool mixed = half(rows) && half(weight), quick = mixed || (fast(rows) && fast(weight));
  auto multiplyNT = [&](const Tensor& a, const Tensor& b, at::ScalarType dtype) { return mixed ? roundedProductNT(a, b, dtype) : productNT(a, b); };
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
    Tensor h = rows.narrow(0, start, size), y = targets.narrow(0, start, size).contiguous(), logits = multiplyNT(h, weight, at::kFloat);
    auto [losses, hits] = (quick ? softmaxRows : composedRows)(logits, y, softcap, needHidden || needWeight);
    if (perRow) put(loss, start, losses);
    else loss += losses.sum();
    correct += hits.sum();
    if (scales.defined()) logits.mul_(scales.narrow(0, start, size).to(logits.scalar_type()));
    if (needHidden) put(dhidden, start, multiplyNT(logits, weight.t(), rows.scalar_type()));
    if (needWeight) {
      if (dweight.defined() && !quick) dweight.addmm_(logits.t(), h);
      else {
        Tensor d = multiplyNT(logits.t(), h.t(), at::kFloat);
        dweight = dweight.defined() ? dweight.add_(d) : d;
      }
    }
  }
  return {loss.to(sums.dtype()), correct, dhidden, dweight.defined() ? dweight.to(weight.scalar_type()) : dweight};
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

}  // namespace

TORCH_LIBRARY_FRAGMENT(anneal, m) {
  m.def("linear_cross_entropy(Tensor hidden, Tensor weight, Tensor labels, int chunk=0, float softcap=0.) -> (Tensor, Tensor)", &linearCrossEntropy);
  m.def("linear_log_probs(Tensor hidden, Tensor weight, Tensor labels, int chunk=0, float softcap=0.) -> Tensor", &linearLogProbs);
}

}  // namespace anneal

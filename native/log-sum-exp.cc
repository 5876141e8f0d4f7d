// log_sum_exp_rows: log Σ exp of each row of logits, with the same bits whatever other rows are in the call and whichever thread takes it,
// so that a token's log-probability does not depend on whether it was read in a long text or made alone. LibTorch's own splits one row
// among threads and several between them.
#include "fused.h"
#include "lanes.h"
#include "pool.h"

namespace anneal {
namespace {

/** Numbers that are summed in float32 lanes before a double takes their sum: what rounding loses stays below that of exp. */
constexpr int64_t kBlock = 1024;

double logSumExp(const float* in, int64_t width) {
  float top = -std::numeric_limits<float>::infinity();
#pragma omp simd reduction(max : top)
  for (int64_t i = 0; i < width; i++) top = in[i] > top ? in[i] : top;
  double total = 0;
  for (int64_t start = 0; start < width; start += kBlock) {
    int64_t end = std::min(width, start + kBlock), i = start;
    float lanes[kLanes] = {};
    for (; i + kLanes <= end; i += kLanes)
#pragma omp simd
      for (int64_t lane = 0; lane < kLanes; lane++) lanes[lane] += exponential(in[i + lane] - top);
    for (int64_t lane = 0; i < end; i++, lane++) lanes[lane] += exponential(in[i] - top);
    total += static_cast<double>(sumLanes(loadLanes(lanes)));
  }
  return static_cast<double>(top) + std::log(total);
}

/** logits [N, V] → [N] in f64; composed for other devices and types. */
Tensor logSumExpRows(const Tensor& logits) {
  TORCH_CHECK(logits.dim() == 2 && logits.size(1) > 0, "expected logits [N,V]");
  if (!fast(logits) || recording({logits})) return at::logsumexp(logits.to(at::promote_types(logits.scalar_type(), at::kFloat)), {-1}).to(at::kDouble);
  Tensor rows = logits.contiguous(), sums = at::empty({rows.size(0)}, rows.options().dtype(at::kDouble));
  const float* in = data(rows);
  double* out = sums.data_ptr<double>();
  int64_t width = rows.size(1);
  parallelFor(0, rows.size(0), grain(width), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; row++) out[row] = logSumExp(in + row * width, width);
  });
  return sums;
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(anneal, m) { m.def("log_sum_exp_rows(Tensor logits) -> Tensor", &logSumExpRows); }

}  // namespace anneal

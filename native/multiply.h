// Products of inference: y = x Wᵀ with W as it lies in memory. A number of y is the same, bit for bit, whatever rows are beside its row and
// however many threads there are: sixteen lanes over K, added at the end by `sumLanes`. So a text gets the same logits alone, beside
// others, read at once and word by word.
#pragma once

#include <cstdint>

namespace anneal {

/**
 * Whether this thread takes these products where gradients are off. Set around inference only: what a training step does without gradients
 * (checkpointing's first pass, branches left out of the backward pass, a reference model) must give the numbers that recording gives.
 */
bool& isInference();

/** One weight and where its products go. */
struct Factor {
  const void* weight;  // [outputs, K], f32 or bf16
  bool isHalf;
  const float* bias;      // [outputs] or null
  const float* residual;  // [rows, outputs] or null; added last
  float* y;               // [rows, outputs]
  int64_t outputs;
};

/** The products of x [rows, K] with every factor. */
void multiply(const float* x, int64_t rows, int64_t K, const Factor* factors, int64_t count);

/** gate.y = silu(x·gateᵀ) · (x·upᵀ), for factors of one size; up.y is overwritten. */
void multiplyGated(const float* x, int64_t rows, int64_t K, const Factor& gate, const Factor& up);

}  // namespace anneal

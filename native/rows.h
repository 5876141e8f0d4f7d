// What is done to the rows of an activation, in one place for operators of their own and for those that do it on the way to a product: so
// that the same numbers come out of both, whatever rows are beside a row and wherever it lies.
#pragma once

#include <cstdint>

namespace anneal {

/** out = in / √(mean(in²) + eps) · (weight + shift) for one row; returns 1 / √(…). */
float normRow(const float* in, const float* weight, float shift, float eps, int64_t width, float* out);

/** y = silu(gate) · up; y may be gate. */
void swigluRange(const float* gate, const float* up, float* y, int64_t count);

}  // namespace anneal

#include "rows.h"

#include <algorithm>
#include <cmath>

#include "exponential.h"
#include "lanes.h"

namespace anneal {

float normRow(const float* in, const float* weight, float shift, float eps, int64_t width, float* out) {
  Lanes even = {}, odd = {};
  int64_t i = 0;
  for (; i + 2 * kLanes <= width; i += 2 * kLanes) {
    Lanes low = loadLanes(in + i), high = loadLanes(in + i + kLanes);
    even += low * low;
    odd += high * high;
  }
  for (; i < width; i += kLanes) {
    Lanes rest = loadLanes(in + i, std::min(kLanes, width - i));
    even += rest * rest;
  }
  float scale = 1.0f / std::sqrt(sumLanes(even + odd) / static_cast<float>(width) + eps);
#pragma omp simd
  for (int64_t k = 0; k < width; k++) out[k] = in[k] * scale * (weight[k] + shift);
  return scale;
}

void swigluRange(const float* gate, const float* up, float* y, int64_t count) {
  // Always sixteen at a time, so that what is left over goes through the same instructions.
  auto sixteen = [](const float* g, const float* u, float* to) {
#pragma omp simd
    for (int64_t i = 0; i < kLanes; i++) to[i] = g[i] / (1.0f + exponential(-g[i])) * u[i];
  };
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) sixteen(gate + i, up + i, y + i);
  if (i == count) return;
  float g[kLanes] = {}, u[kLanes] = {};
  std::copy(gate + i, gate + count, g);
  std::copy(up + i, up + count, u);
  sixteen(g, u, g);
  std::copy(g, g + count - i, y + i);
}

}  // namespace anneal

// e^x for the kernels.
#pragma once

#include <cstdint>

namespace anneal {

/**
 * e^x to 2 ulp in float32 from e^−87 to e^88, and about those beyond, written so that the compiler turns it into vector code; NaN stays NaN. What is
 * bounded is the two parts of x and not x: of a bounded x the compiler computes e^88.3 beforehand, and with it, for every number, what a caller
 * would make of it, such as x / (1 + e^88.3): numbers below 1.2e-38, which take the processor a hundred times as long.
 */
inline float exponential(float x) {
  float shifted = x * 1.44269504f + 12582912.0f;  // 1.5·2²³: rounds to the nearest integer
  float n = shifted - 12582912.0f;
  n = n < -125.0f ? -125.0f : n;
  n = n > 127.0f ? 127.0f : n;
  float r = x - n * 0.693145752f - n * 1.42860677e-6f;
  r = r < -0.35f ? -0.35f : r;
  r = r > 0.35f ? 0.35f : r;
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

}  // namespace anneal

// e^x for the kernels.
#pragma once

#include <cstdint>

namespace anneal {

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

}  // namespace anneal

// Sixteen floats at a time, and how many rows are few: what the kernels that read a weight once, plain or packed, share. The compiler
// turns vector types into what the processor has.
#pragma once

#include <cstdint>
#include <cstring>

namespace anneal {

constexpr int64_t kLanes = 16;
typedef float Lanes __attribute__((vector_size(kLanes * sizeof(float))));

/** Up to so many rows the weight is read as it is stored, `kTile` rows at a time; a row's numbers do not depend on the others. */
constexpr int64_t kFewRows = 16, kTile = 4;
/** Multiplications; less is done before another thread has begun. */
constexpr int64_t kWorthSharing = 131072;

inline Lanes loadLanes(const float* from) {
  Lanes value;
  std::memcpy(&value, from, sizeof value);
  return value;
}
inline void storeLanes(float* to, Lanes value) { std::memcpy(to, &value, sizeof value); }
/** Half on half: four additions wait for each other, not fifteen. */
inline float sumLanes(Lanes value) {
  typedef float Eight __attribute__((vector_size(32)));
  typedef float Four __attribute__((vector_size(16)));
  Eight eight, upperEight;
  std::memcpy(&eight, &value, sizeof eight);
  std::memcpy(&upperEight, reinterpret_cast<const char*>(&value) + sizeof eight, sizeof eight);
  eight += upperEight;
  Four four, upperFour;
  std::memcpy(&four, &eight, sizeof four);
  std::memcpy(&upperFour, reinterpret_cast<const char*>(&eight) + sizeof four, sizeof four);
  four += upperFour;
  return (four[0] + four[2]) + (four[1] + four[3]);
}

}  // namespace anneal

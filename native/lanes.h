// Sixteen floats at a time, and how many rows are few: what the kernels that read a weight once, plain or packed, share. The compiler
// turns vector types into what the processor has.
#pragma once

#include <cstdint>
#include <cstring>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

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
/** The first `count` of sixteen; zeros behind them. */
inline Lanes loadLanes(const float* from, int64_t count) {
#if defined(__AVX512F__)
  return (Lanes)_mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << count) - 1), from);
#else
  Lanes value = {};
  std::memcpy(&value, from, static_cast<size_t>(count) * sizeof(float));
  return value;
#endif
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

#if defined(__AVX512F__)
/**
 * The lanes of each of `Count` vectors combined in the order of sumLanes, sixteen results a vector: halves of two vectors are combined at once, then
 * quarters of four, and so on.
 */
template <int64_t Count, class Combine> inline void combineLanes(const Lanes (&values)[Count], __m512 (&results)[(Count + 15) / 16], Combine combine) {
  constexpr int kOrder[16] = {0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15};  // so that the last step leaves them in order
  const __m512i quarters = _mm512_setr_epi32(4, 5, 6, 7, 16, 17, 18, 19, 12, 13, 14, 15, 24, 25, 26, 27);
  const __m512i pairs = _mm512_setr_epi32(2, 3, 16, 17, 6, 7, 20, 21, 10, 11, 24, 25, 14, 15, 28, 29);
  const __m512i evens = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 0, 2, 4, 6, 8, 10, 12, 14);
  const __m512i ones = _mm512_setr_epi32(1, 16, 3, 18, 5, 20, 7, 22, 9, 24, 11, 26, 13, 28, 15, 30);
  auto halved = [&](__m512 a, __m512 b) {
    __m512d x = _mm512_castps_pd(a), y = _mm512_castps_pd(b);
    return combine(_mm512_castpd_ps(_mm512_mask_blend_pd(0xf0, x, y)), _mm512_castpd_ps(_mm512_shuffle_f64x2(x, y, 0x4e)));
  };
  auto joined = [&](__m512 a, __m512 b, __mmask16 other, __m512i order) { return combine(_mm512_mask_blend_ps(other, a, b), _mm512_permutex2var_ps(a, order, b)); };
#pragma GCC unroll 4
  for (int64_t first = 0; first < Count; first += 16) {
    const bool isHalf = Count - first <= 8;  // up to eight are every second of sixteen
    const int given = isHalf ? 8 : 16;
    __m512 s[16];
#pragma GCC unroll 16
    for (int i = 0; i < given; i++) {
      int64_t at = first + kOrder[i] / (isHalf ? 2 : 1);
      s[i] = at < Count ? (__m512)values[at] : _mm512_setzero_ps();
    }
#pragma GCC unroll 8
    for (int i = 0; i < given / 2; i++) s[i] = halved(s[2 * i], s[2 * i + 1]);
#pragma GCC unroll 4
    for (int i = 0; i < given / 4; i++) s[i] = joined(s[2 * i], s[2 * i + 1], 0xf0f0, quarters);
#pragma GCC unroll 2
    for (int i = 0; i < given / 8; i++) s[i] = joined(s[2 * i], s[2 * i + 1], 0xcccc, pairs);
    results[first / 16] = isHalf ? _mm512_permutexvar_ps(evens, combine(s[0], _mm512_permute_ps(s[0], 0xb1))) : joined(s[0], s[1], 0xaaaa, ones);
  }
}
template <int64_t Count> inline void sumLanes(const Lanes (&values)[Count], __m512 (&sums)[(Count + 15) / 16]) {
  combineLanes(values, sums, [](__m512 a, __m512 b) { return a + b; });
}
#endif

}  // namespace anneal

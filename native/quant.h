// Reading packed weights sixteen numbers at a time. Widening codes and looking them up in a table are spelled out
// for x86, because compilers make a memory access per number of the latter.
#pragma once

#include <cmath>

#include "lanes.h"

#if defined(__AVX2__)
#include <immintrin.h>
#endif

namespace anneal {

typedef int32_t Codes __attribute__((vector_size(kLanes * sizeof(int32_t))));

inline Lanes asFloats(Codes values) {
#if defined(__AVX512F__)
  return (Lanes)_mm512_cvtepi32_ps((__m512i)values);
#else
  return __builtin_convertvector(values, Lanes);
#endif
}

/** a · b + c, rounded once where the processor can: named, because the compiler would decide anew for every number of rows. */
inline Lanes fma(Lanes a, Lanes b, Lanes c) {
#if defined(__AVX512F__)
  return (Lanes)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif defined(__FMA__)
  __m256 x[2], y[2], z[2];
  std::memcpy(x, &a, sizeof x);
  std::memcpy(y, &b, sizeof y);
  std::memcpy(z, &c, sizeof z);
  for (int i = 0; i < 2; i++) z[i] = _mm256_fmadd_ps(x[i], y[i], z[i]);
  std::memcpy(&c, z, sizeof z);
  return c;
#else
  for (int64_t i = 0; i < kLanes; i++) c[i] = std::fma(a[i], b[i], c[i]);
  return c;
#endif
}
inline Lanes all(float value) { return value - Lanes{}; }  // "+" would be computed: it makes 0 of −0

/** Sixteen bytes as integers. */
inline Codes widenCodes(const uint8_t* from) {
#if defined(__AVX512F__)
  return (Codes)_mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
#else
  Codes value;
  for (int64_t i = 0; i < kLanes; i++) value[i] = from[i];
  return value;
#endif
}

/** Eight bytes as integers, twice. */
inline Codes widenCodesTwice(const uint8_t* from) {
#if defined(__AVX512F__)
  return (Codes)_mm512_cvtepu8_epi32(_mm_broadcastq_epi64(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(from))));
#else
  Codes value;
  for (int64_t i = 0; i < kLanes; i++) value[i] = from[i % 8];
  return value;
#endif
}

/** A table of 16, 8 or 4 floats that is looked up sixteen times at once, by as many low bits of a code. */
struct Table {
  Lanes values;

  Table() : values{} {}
  Table(const float* from, int64_t count) {
    for (int64_t i = 0; i < kLanes; i++) values[i] = from[i % count];
  }

  /** The table of the numbers times `factor`. */
  inline Table times(float factor) const {
    Table scaled = *this;
    scaled.values *= factor;
    return scaled;
  }

  inline Lanes look(Codes codes) const {
#if defined(__AVX512F__)
    return (Lanes)_mm512_permutexvar_ps((__m512i)codes, (__m512)values);
#elif defined(__AVX2__)
    __m256 below, above, found[2];
    __m256i half[2];
    std::memcpy(&below, &values, sizeof below);
    std::memcpy(&above, reinterpret_cast<const float*>(&values) + 8, sizeof above);
    std::memcpy(half, &codes, sizeof half);
    for (int i = 0; i < 2; i++) {
      // Bit 3 of a code chooses the half of the table; blendv reads the sign bit.
      __m256 isAbove = _mm256_castsi256_ps(_mm256_slli_epi32(half[i], 28));
      found[i] = _mm256_blendv_ps(_mm256_permutevar8x32_ps(below, half[i]), _mm256_permutevar8x32_ps(above, half[i]), isAbove);
    }
    Lanes result;
    std::memcpy(&result, found, sizeof result);
    return result;
#else
    Lanes found;
    for (int64_t i = 0; i < kLanes; i++) found[i] = values[codes[i] & 15];
    return found;
#endif
  }
};

constexpr Codes kPairs = {0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 2, 2, 2, 2, 2, 2};
constexpr Codes kCount = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

/**
 * The 32 numbers of a run of codes, before their scale. `from` is where the run begins: 16 bytes for 4 bits, byte i with codes i and
 * i + 16 from low to high; 8 for 2 bits, byte i with codes i, i + 8, i + 16 and i + 24; 12 for 3 bits, the low two of each as for 2 bits
 * and then one bit a code.
 */
template <int Bits> inline void decodeRun(const uint8_t* from, const Table& table, Lanes& first, Lanes& second) {
  if constexpr (Bits == 4) {
    Codes pairs = widenCodes(from);
    first = table.look(pairs);
    second = table.look(pairs >> 4);
  } else {
    Codes quads = widenCodesTwice(from), low = quads >> kPairs, high = quads >> (kPairs + 4);
    if constexpr (Bits == 3) {
      int32_t word;
      std::memcpy(&word, from + 8, sizeof word);
      Codes thirds = Codes{} + word;
      low = (low & 3) | ((thirds >> kCount & 1) << 2);
      high = (high & 3) | ((thirds >> (kCount + 16) & 1) << 2);
    }
    first = table.look(low);
    second = table.look(high);
  }
}

}  // namespace anneal

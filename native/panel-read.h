// What readers of panels (integer-dot.h) share: sixteen rows' bytes side by side, and half precision scales.
#pragma once

#include <c10/util/BFloat16.h>
#include <c10/util/Half.h>

#include "integer-dot.h"
#include "quant.h"

#if defined(__SSE2__)
#include <immintrin.h>
#endif

namespace anneal {

typedef uint8_t Bytes __attribute__((vector_size(4 * kPanelRows)));
typedef uint32_t Words __attribute__((vector_size(4 * kPanelRows)));

inline void store(uint8_t* to, Bytes value) { std::memcpy(to, &value, sizeof value); }
inline Bytes everywhere(uint8_t value) { return Bytes{} + value; }

/** Sixteen bytes of each of sixteen rows, `stride` apart → four vectors: vector j has the bytes 4j … 4j + 3 of every row. */
inline void transpose(const uint8_t* from, int64_t stride, Bytes* to) {
#if defined(__AVX512F__)
  auto load = [&](int n) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + n * stride)); };
  __m512i rows[4];
#pragma GCC unroll 4
  for (int r = 0; r < 4; r++) {
    __m512i four = _mm512_castsi128_si512(load(r));
    four = _mm512_inserti32x4(four, load(r + 4), 1);
    four = _mm512_inserti32x4(four, load(r + 8), 2);
    rows[r] = _mm512_inserti32x4(four, load(r + 12), 3);
  }
  __m512i a = _mm512_unpacklo_epi32(rows[0], rows[1]), b = _mm512_unpacklo_epi32(rows[2], rows[3]);
  __m512i c = _mm512_unpackhi_epi32(rows[0], rows[1]), d = _mm512_unpackhi_epi32(rows[2], rows[3]);
  to[0] = (Bytes)_mm512_unpacklo_epi64(a, b);
  to[1] = (Bytes)_mm512_unpackhi_epi64(a, b);
  to[2] = (Bytes)_mm512_unpacklo_epi64(c, d);
  to[3] = (Bytes)_mm512_unpackhi_epi64(c, d);
#elif defined(__SSE2__)
  __m128i out[4][4];
  for (int quad = 0; quad < 4; quad++) {
    auto load = [&](int n) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + (4 * quad + n) * stride)); };
    __m128i a = _mm_unpacklo_epi32(load(0), load(1)), b = _mm_unpacklo_epi32(load(2), load(3));
    __m128i c = _mm_unpackhi_epi32(load(0), load(1)), d = _mm_unpackhi_epi32(load(2), load(3));
    out[0][quad] = _mm_unpacklo_epi64(a, b);
    out[1][quad] = _mm_unpackhi_epi64(a, b);
    out[2][quad] = _mm_unpacklo_epi64(c, d);
    out[3][quad] = _mm_unpackhi_epi64(c, d);
  }
  std::memcpy(to, out, sizeof out);
#else
  uint8_t out[4][4 * kPanelRows];
  for (int64_t j = 0; j < 4; j++)
    for (int64_t n = 0; n < kPanelRows; n++) std::memcpy(out[j] + 4 * n, from + n * stride + 4 * j, 4);
  std::memcpy(to, out, sizeof out);
#endif
}

#if defined(__AVX512F__) && defined(__AVX512VNNI__)
#define ANNEAL_SUMS_ROWS 1
// Sums of one row of x: products stay in their row's vector, four of a kind side by side, and sixteen vectors are added up crosswise.

/** Sixteen vectors of four parts of four numbers → [parts][16]: the sum of each part of each row. */
inline void sumQuarters(const __m512i* rows, __m512i* to) {
  __m512i quads[4];
#pragma GCC unroll 4
  for (int j = 0; j < 4; j++) {
    __m512i a = rows[4 * j], b = rows[4 * j + 1], c = rows[4 * j + 2], d = rows[4 * j + 3];
    __m512i ab = _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b)), cd = _mm512_add_epi32(_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
    quads[j] = _mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
  }
  __m512i even[2], odd[2];
  for (int j = 0; j < 2; j++) {
    even[j] = _mm512_shuffle_i32x4(quads[2 * j], quads[2 * j + 1], 0x88);
    odd[j] = _mm512_shuffle_i32x4(quads[2 * j], quads[2 * j + 1], 0xdd);
  }
  to[0] = _mm512_shuffle_i32x4(even[0], even[1], 0x88);
  to[1] = _mm512_shuffle_i32x4(odd[0], odd[1], 0x88);
  to[2] = _mm512_shuffle_i32x4(even[0], even[1], 0xdd);
  to[3] = _mm512_shuffle_i32x4(odd[0], odd[1], 0xdd);
}

/** Asks for what the next panel has at this place: a little at a time, so that it comes while this one is multiplied. */
inline const uint8_t* askingForNext(const uint8_t* at, int64_t stride) {
  __builtin_prefetch(at + kPanelRows * stride);
  return at;
}

/** The first `count` of 64 bytes, zeros behind. */
inline __m512i loadBytes(const void* from, int64_t count) { return count >= 64 ? _mm512_loadu_si512(from) : _mm512_maskz_loadu_epi8((__mmask64{1} << count) - 1, from); }

/** Two groups of bytes, signed ones, at a time: `load(row, group, count)` gives 32 · count of them. */
template <class Load> inline void sumBytes(int64_t groups, const int8_t* x, int32_t* to, Load load) {
  for (int64_t g = 0; g < groups; g += 2) {
    int64_t count = std::min<int64_t>(2, groups - g);
    __m512i in = loadBytes(x + g * kGroup, count * kGroup), rows[kPanelRows], parts[4], sign = _mm512_set1_epi8(-128);
#pragma GCC unroll 16
    for (int n = 0; n < kPanelRows; n++) rows[n] = _mm512_dpbusd_epi32(_mm512_setzero_si512(), _mm512_xor_si512(load(n, g, count), sign), in);
    sumQuarters(rows, parts);
    for (int64_t i = 0; i < count; i++) _mm512_storeu_si512(to + (g + i) * kPanelRows, _mm512_add_epi32(parts[2 * i], parts[2 * i + 1]));
  }
}

/** Fifth bits of nibbles: none. */
struct NoFifths {
  void operator()(int64_t, int64_t, int64_t, __m512i&, __m512i&) const {}
};

/**
 * Four groups of nibbles at a time, the first sixteen of a group in the low ones: `load(row, group, count)` gives 16 · count bytes, and
 * `addFifths(row, group, count, low, high)` adds 16 to those that it is due to.
 */
template <class Load, class Fifths = NoFifths> inline void sumNibbles(int64_t groups, const int8_t* x, int32_t* to, Load load, Fifths addFifths = {}) {
  for (int64_t g = 0; g < groups; g += 4) {
    int64_t count = std::min<int64_t>(4, groups - g);
    __m512i first = loadBytes(x + g * kGroup, count * kGroup), second = count > 2 ? loadBytes(x + (g + 2) * kGroup, (count - 2) * kGroup) : _mm512_setzero_si512();
    __m512i low = _mm512_shuffle_i32x4(first, second, 0x88), high = _mm512_shuffle_i32x4(first, second, 0xdd), mask = _mm512_set1_epi8(15), rows[kPanelRows], parts[4];
#pragma GCC unroll 16
    for (int n = 0; n < kPanelRows; n++) {
      __m512i pairs = load(n, g, count), below = _mm512_and_si512(pairs, mask), above = _mm512_and_si512(_mm512_srli_epi16(pairs, 4), mask);
      addFifths(n, g, count, below, above);
      rows[n] = _mm512_dpbusd_epi32(_mm512_dpbusd_epi32(_mm512_setzero_si512(), below, low), above, high);
    }
    sumQuarters(rows, parts);
    for (int64_t i = 0; i < count; i++) _mm512_storeu_si512(to + (g + i) * kPanelRows, parts[i]);
  }
}
#endif

/** One f16 of each row. */
inline void copyHalves(const uint8_t* from, int64_t stride, uint16_t* to) {
  for (int64_t n = 0; n < kPanelRows; n++) std::memcpy(to + n, from + n * stride, 2);
}
inline void widenHalves(const uint16_t* from, float* to) {
#if defined(__AVX512F__)
  _mm512_storeu_ps(to, _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from))));
#elif defined(__F16C__)
  for (int i = 0; i < 2; i++) _mm256_storeu_ps(to + 8 * i, _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from + 8 * i))));
#else
  for (int64_t n = 0; n < kPanelRows; n++) to[n] = c10::Half(from[n], c10::Half::from_bits());
#endif
}
/** The lower half of each word as an f16. */
inline Lanes widenLowerHalves(Words words) {
  uint16_t halves[kPanelRows];
  float wide[kPanelRows];
  for (int64_t n = 0; n < kPanelRows; n++) halves[n] = static_cast<uint16_t>(words[n]);
  widenHalves(halves, wide);
  return loadLanes(wide);
}

}  // namespace anneal

// What readers of panels (integer-dot.h) share: sixteen rows' bytes side by side, and half precision scales.
#pragma once

#include <c10/util/BFloat16.h>
#include <c10/util/Half.h>

#include "integer-dot.h"

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

}  // namespace anneal

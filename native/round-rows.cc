// roundRows of integer-dot.h: rows of x in 8 bits.
#include <algorithm>

#include "integer-dot.h"
#include "pool.h"
#include "quant.h"

namespace anneal {
namespace {

typedef uint32_t Bits __attribute__((vector_size(kLanes * sizeof(uint32_t))));
typedef int8_t Small __attribute__((vector_size(kLanes)));

/** The largest code, and the magnitude up to which a group counts as zeros. */
constexpr float kCodes = 127.0f, kLeast = 1e-30f;

/** Numbers as codes: adding 1.5 · 2²³ leaves the nearest integer, ties to even, in the low bits. */
inline Small codesOf(Lanes numbers, float inverse) {
  auto whole = (Codes)((Bits)(numbers * inverse + 12582912.0f) - 0x4b400000u);
#if defined(__AVX512F__)
  return (Small)_mm512_cvtepi32_epi8((__m512i)whole);  // GCC 12 makes __builtin_convertvector one number at a time
#else
  return __builtin_convertvector(whole, Small);
#endif
}

#if defined(__AVX512F__)
/** The larger magnitudes, which are in the order of their bits. */
inline __m512 larger(__m512 a, __m512 b) { return _mm512_castsi512_ps(_mm512_max_epi32(_mm512_castps_si512(a), _mm512_castps_si512(b))); }
#endif

/** The largest magnitude of 32 numbers, NaN above all. */
inline float largestMagnitude(Lanes a, Lanes b) {
  // Magnitudes are in the order of their bits.
  typedef int32_t Eight __attribute__((vector_size(32)));
  typedef int32_t Four __attribute__((vector_size(16)));
  Codes first = (Codes)((Bits)a & 0x7fffffffu), second = (Codes)((Bits)b & 0x7fffffffu), larger = first > second ? first : second;
  Eight eight[2];
  std::memcpy(eight, &larger, sizeof eight);
  Eight most = eight[0] > eight[1] ? eight[0] : eight[1];
  Four four[2];
  std::memcpy(four, &most, sizeof four);
  Four last = four[0] > four[1] ? four[0] : four[1];
  int32_t one = std::max(std::max(last[0], last[1]), std::max(last[2], last[3]));
  float value;
  std::memcpy(&value, &one, sizeof value);
  return value;
}

/** Group `i` of x, which is 32 numbers. */
inline void roundGroup(const float* from, int64_t i, RoundedRows& to) {
  Lanes part[2] = {loadLanes(from), loadLanes(from + kLanes)};
  float most = largestMagnitude(part[0], part[1]);
  float inverse = most > kLeast ? kCodes / most : 0.0f;
  // NaN and infinity make the scale NaN: nothing of the row may look like a number.
  to.scales[i] = (most > kLeast ? most / kCodes : 0.0f) + (most - most);
  int32_t sum[2];
  for (int64_t half = 0; half < 2; half++) {
    Small codes = codesOf(part[half], inverse);
    std::memcpy(to.codes.data() + i * kGroup + half * kLanes, &codes, sizeof codes);
    // Whole numbers of so few bits are exact as floats, and so are their sums.
    sum[half] = static_cast<int32_t>(sumLanes(asFloats(__builtin_convertvector(codes, Codes))));
    to.sums[2 * i + half] = sum[half];
  }
  to.scaledSums[i] = to.scales[i] * static_cast<float>(sum[0] + sum[1]);
}

#if defined(__AVX512F__) && defined(__AVX512BW__)
constexpr int64_t kAtOnce = 16;

/** roundGroup of sixteen groups that follow each other, to the same bits: what waits in one of them for its lanes is done for all at once. */
inline void roundSixteen(const float* from, int64_t i, RoundedRows& to) {
  Lanes magnitudes[kAtOnce];
  for (int64_t g = 0; g < kAtOnce; g++) {
    auto magnitude = [&](int64_t half) { return _mm512_abs_ps((__m512)loadLanes(from + g * kGroup + half * kLanes)); };
    magnitudes[g] = (Lanes)larger(magnitude(0), magnitude(1));
  }
  __m512 most[1];
  combineLanes(magnitudes, most, larger);
  __mmask16 counts = _mm512_cmp_ps_mask(most[0], _mm512_set1_ps(kLeast), _CMP_GT_OQ);
  __m512 scales = _mm512_maskz_div_ps(counts, most[0], _mm512_set1_ps(kCodes)) + (most[0] - most[0]);
  _mm512_storeu_ps(to.scales.data() + i, scales);
  float inverses[kAtOnce];
  _mm512_storeu_ps(inverses, _mm512_maskz_div_ps(counts, _mm512_set1_ps(kCodes), most[0]));
  int8_t* codes = to.codes.data() + i * kGroup;
  for (int64_t half = 0; half < 2 * kAtOnce; half++) {
    Small some = codesOf(loadLanes(from + half * kLanes), inverses[half / 2]);
    std::memcpy(codes + half * kLanes, &some, sizeof some);
  }
  // Sums of bytes without a sign, which are 128 too large each; of four groups at a time, in the order 0 4 1 5 2 6 3 7.
  auto eights = [&](int64_t at) { return _mm512_sad_epu8(_mm512_xor_si512(_mm512_loadu_si512(codes + at), _mm512_set1_epi8(-128)), _mm512_setzero_si512()); };
  int32_t* sums = to.sums.data() + 2 * i;
  for (int64_t j = 0; j < 8; j += 2) {
    __m512i a = eights(64 * j), b = eights(64 * j + 64);
    __m256i some = _mm512_cvtepi64_epi32(_mm512_add_epi64(_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b)));
    some = _mm256_permutevar8x32_epi32(some, _mm256_setr_epi32(0, 2, 4, 6, 1, 3, 5, 7));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(sums + 4 * j), _mm256_sub_epi32(some, _mm256_set1_epi32(kLanes * 128)));
  }
  for (int64_t g = 0; g < kAtOnce; g++) to.scaledSums[i + g] = to.scales[i + g] * static_cast<float>(sums[2 * g] + sums[2 * g + 1]);
}
#endif

}  // namespace

RoundedRows roundRows(const float* x, int64_t rows, int64_t columns) {
  int64_t groups = (columns + kGroup - 1) / kGroup;
  RoundedRows to{rows, columns, groups, std::vector<int8_t>(rows * groups * kGroup), std::vector<float>(rows * groups), std::vector<int32_t>(2 * rows * groups), std::vector<float>(rows * groups)};
  parallelFor(0, rows, grain(columns), [&](int64_t begin, int64_t end) {
    int64_t i = begin * groups, last = end * groups;
    if (columns % kGroup == 0) {
#if defined(__AVX512F__) && defined(__AVX512BW__)
      for (; i + kAtOnce <= last; i += kAtOnce) roundSixteen(x + i * kGroup, i, to);
#endif
      for (; i < last; i++) roundGroup(x + i * kGroup, i, to);
    }
    for (; i < last; i++) {
      int64_t column = i % groups * kGroup;
      float padded[kGroup] = {};
      std::copy_n(x + i / groups * columns + column, std::min(kGroup, columns - column), padded);
      roundGroup(padded, i, to);
    }
  });
  return to;
}

}  // namespace anneal

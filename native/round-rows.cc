// roundRows of integer-dot.h: rows of x in 8 bits.
#include "integer-dot.h"
#include "pool.h"
#include "quant.h"

namespace anneal {
namespace {

typedef uint32_t Bits __attribute__((vector_size(kLanes * sizeof(uint32_t))));
typedef int8_t Small __attribute__((vector_size(kLanes)));

/** The largest magnitude of 32 numbers; NaN may be passed over. */
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

}  // namespace

RoundedRows roundRows(const float* x, int64_t rows, int64_t columns) {
  int64_t groups = (columns + kGroup - 1) / kGroup;
  RoundedRows to{rows, columns, groups, std::vector<int8_t>(rows * groups * kGroup), std::vector<float>(rows * groups), std::vector<int32_t>(2 * rows * groups), std::vector<float>(rows * groups)};
  parallelFor(0, rows, grain(columns), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin * groups; i < end * groups; i++) {
      int64_t column = i % groups * kGroup, count = std::min(kGroup, columns - column);
      float padded[kGroup] = {};
      const float* from = x + i / groups * columns + column;
      if (count < kGroup) {
        std::copy_n(from, count, padded);
        from = padded;
      }
      Lanes part[2] = {loadLanes(from), loadLanes(from + kLanes)};
      float most = largestMagnitude(part[0], part[1]);
      // NaN and infinity make the scale NaN: nothing of the row may look like a number.
      float poison = sumLanes((part[0] + part[1]) * 0.0f);
      float inverse = most > 1e-30f ? 127.0f / most : 0.0f;
      to.scales[i] = (most > 1e-30f ? most / 127.0f : 0.0f) + poison;
      int32_t sum[2];
      for (int64_t half = 0; half < 2; half++) {
        // Adding 1.5 · 2²³ leaves the nearest integer, ties to even, in the low bits.
        Codes whole = (Codes)((Bits)(part[half] * inverse + 12582912.0f) - 0x4b400000u);
        Small codes = __builtin_convertvector(whole, Small);
        std::memcpy(to.codes.data() + i * kGroup + half * kLanes, &codes, sizeof codes);
        // Whole numbers of so few bits are exact as floats, and so are their sums.
        sum[half] = static_cast<int32_t>(sumLanes(asFloats(__builtin_convertvector(codes, Codes))));
        to.sums[2 * i + half] = sum[half];
      }
      to.scaledSums[i] = to.scales[i] * static_cast<float>(sum[0] + sum[1]);
    }
  });
  return to;
}

}  // namespace anneal

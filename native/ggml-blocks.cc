// Readers of ggml's blocks (ggml-blocks.h). All give the numbers of src/gguf/dequantize.ts.
#include "ggml-blocks.h"

#include "panel-read.h"

namespace anneal {
namespace {

/** An f16 of each row and group, `pitch` bytes apart, to [groups][16]. */
inline void readHalves(const uint8_t* from, int64_t stride, int64_t pitch, int64_t groups, float* to) {
  for (int64_t g = 0; g < groups; g++) {
    uint16_t halves[kPanelRows];
    copyHalves(from + g * pitch, stride, halves);
    widenHalves(halves, to + g * kPanelRows);
  }
}

/** Q8_0: an f16 scale, 32 signed bytes. */
struct Q8 : PanelSource {
  static constexpr int64_t kBytes = 34;
  Q8() { zero = 128; }
  void read(const PanelRows& rows, int64_t first, int64_t groups, Panel& to) const override {
    const uint8_t* from = rows.bytes + first * kBytes;
    const int64_t stride = rows.stride;
    uint16_t halves[kPanelColumns / kGroup][kPanelRows];
    for (int64_t g = 0; g < groups; g++) {
      copyHalves(from + g * kBytes, stride, halves[g]);
      Bytes codes[8];
      transpose(from + g * kBytes + 2, stride, codes);
      transpose(from + g * kBytes + 18, stride, codes + 4);
      for (int64_t j = 0; j < 8; j++) store(to.codesAt(g) + 64 * j, codes[j] ^ everywhere(128));
    }
    for (int64_t g = 0; g < groups; g++) widenHalves(halves[g], to.scalesAt(g));
  }
#if defined(ANNEAL_SUMS_ROWS)
  bool sum(const PanelRows& rows, int64_t first, int64_t groups, const int8_t* x, int32_t* to, Panel& scales) const override {
    const uint8_t* from = rows.bytes + first * kBytes;
    sumBytes(groups, x, to, [&](int64_t n, int64_t g, int64_t count) {
      const uint8_t* at = askingForNext(from + n * rows.stride + g * kBytes + 2, rows.stride);
      __m512i one = _mm512_zextsi256_si512(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(at)));
      return count == 1 ? one : _mm512_inserti64x4(one, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at + kBytes)), 1);
    });
    readHalves(from, rows.stride, kBytes, groups, scales.scales);
    return true;
  }
#endif
};

/** Q4_0, Q4_1, Q5_0, Q5_1: an f16 scale, maybe an f16 minimum, maybe 32 fifth bits, 32 nibbles: low ones first, then high ones. */
template <bool HasMin, bool HasFifth> struct SmallBlocks : PanelSource {
  static constexpr int64_t kBytes = 2 + (HasMin ? 2 : 0) + (HasFifth ? 4 : 0) + 16, kFifth = HasMin ? 4 : 2, kNibbles = kBytes - 16;
  SmallBlocks() {
    zero = HasMin ? 0 : HasFifth ? 16 : 8;
    hasMins = HasMin;
  }
  void read(const PanelRows& rows, int64_t first, int64_t groups, Panel& to) const override {
    const uint8_t* from = rows.bytes + first * kBytes;
    const int64_t stride = rows.stride;
    uint16_t halves[kPanelColumns / kGroup][kPanelRows], mins[kPanelColumns / kGroup][kPanelRows];
    for (int64_t g = 0; g < groups; g++) {
      copyHalves(from + g * kBytes, stride, halves[g]);
      if (HasMin) copyHalves(from + g * kBytes + 2, stride, mins[g]);
      Bytes pairs[4];
      transpose(from + g * kBytes + kNibbles, stride, pairs);
      Words fifth = {};
      if (HasFifth) {
        uint32_t words[kPanelRows];
        for (int64_t n = 0; n < kPanelRows; n++) std::memcpy(words + n, from + n * stride + g * kBytes + kFifth, 4);
        std::memcpy(&fifth, words, sizeof fifth);
      }
      // Four bits of a row's word become the fifth bits of its four bytes.
      auto spread = [&](int64_t by) { return (Bytes)((((fifth >> static_cast<uint32_t>(by)) & 15u) * 0x00204081u & 0x01010101u) << 4u); };
      for (int64_t j = 0; j < 4; j++) {
        Bytes low = pairs[j] & everywhere(15), high = (Bytes)((Words)pairs[j] >> 4u) & everywhere(15);
        if (HasFifth) {
          low |= spread(4 * j);
          high |= spread(4 * j + 16);
        }
        store(to.codesAt(g) + 64 * j, low);
        store(to.codesAt(g) + 64 * (j + 4), high);
      }
    }
    for (int64_t g = 0; g < groups; g++) {
      widenHalves(halves[g], to.scalesAt(g));
      if (HasMin) widenHalves(mins[g], to.minsAt(g));
    }
  }
#if defined(ANNEAL_SUMS_ROWS)
  bool sum(const PanelRows& rows, int64_t first, int64_t groups, const int8_t* x, int32_t* to, Panel& scales) const override {
    const uint8_t* from = rows.bytes + first * kBytes;
    auto load = [&](int64_t n, int64_t g, int64_t count) {
      askingForNext(from + n * rows.stride + g * kBytes + kNibbles, rows.stride);
      auto one = [&](int64_t i) { return i < count ? _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + n * rows.stride + (g + i) * kBytes + kNibbles)) : _mm_setzero_si128(); };
      return _mm512_inserti32x4(_mm512_inserti32x4(_mm512_inserti32x4(_mm512_castsi128_si512(one(0)), one(1), 1), one(2), 2), one(3), 3);
    };
    if constexpr (HasFifth) {
      sumNibbles(groups, x, to, load, [&](int64_t n, int64_t g, int64_t count, __m512i& low, __m512i& high) {
        uint64_t below = 0, above = 0;
        for (int64_t i = 0; i < count; i++) {
          uint32_t bits;
          std::memcpy(&bits, from + n * rows.stride + (g + i) * kBytes + kFifth, 4);
          below |= static_cast<uint64_t>(bits & 0xffff) << (16 * i);
          above |= static_cast<uint64_t>(bits >> 16) << (16 * i);
        }
        low = _mm512_mask_add_epi8(low, below, low, _mm512_set1_epi8(16));
        high = _mm512_mask_add_epi8(high, above, high, _mm512_set1_epi8(16));
      });
    } else {
      sumNibbles(groups, x, to, load);
    }
    readHalves(from, rows.stride, kBytes, groups, scales.scales);
    if (HasMin) readHalves(from + 2, rows.stride, kBytes, groups, scales.mins);
    return true;
  }
#endif
};

constexpr int64_t kSuper = 256, kParts = kSuper / kGroup;

/** Q4_K and Q5_K: f16 scale and minimum, 6-bit scale and minimum for each of eight parts, maybe 256 fifth bits, nibbles of two parts at a time. */
template <bool HasFifth> struct SuperBlocks : PanelSource {
  static constexpr int64_t kBytes = HasFifth ? 176 : 144, kFifth = 16, kNibbles = HasFifth ? 48 : 16;
  SuperBlocks() { hasMins = true; }
  void read(const PanelRows& rows, int64_t first, int64_t groups, Panel& to) const override {
    for (int64_t g = 0; g < groups; g += kParts) {
      const uint8_t* from = rows.bytes + (first + g) / kParts * kBytes;
      const int64_t stride = rows.stride;
      readScales(from, stride, to.scalesAt(g), to.minsAt(g));
      Bytes fifths[8], pairs[8];
      if (HasFifth) {
        transpose(from + kFifth, stride, fifths);
        transpose(from + kFifth + 16, stride, fifths + 4);
      }
      for (int64_t p = 0; p < kParts; p += 2) {
        transpose(from + kNibbles + 16 * p, stride, pairs);
        transpose(from + kNibbles + 16 * p + 16, stride, pairs + 4);
        for (int64_t j = 0; j < 8; j++) {
          Bytes low = pairs[j] & everywhere(15), high = (Bytes)((Words)pairs[j] >> 4u) & everywhere(15);
          if (HasFifth) {
            low |= (Bytes)((Words)fifths[j] >> static_cast<uint32_t>(p) << 4u) & everywhere(16);
            high |= (Bytes)((Words)fifths[j] >> static_cast<uint32_t>(p + 1) << 4u) & everywhere(16);
          }
          store(to.codesAt(g + p) + 64 * j, low);
          store(to.codesAt(g + p + 1) + 64 * j, high);
        }
      }
    }
  }

  /** Scales of the eight parts and their minima, as they are added: [parts][16] each. */
  static void readScales(const uint8_t* block, int64_t stride, float* scales, float* mins) {
    Bytes head[4];
    transpose(block, stride, head);
    Words packed[3] = {(Words)head[1], (Words)head[2], (Words)head[3]};
    // Six bits each: parts 0–3 in the low bits of the bytes, parts 4–7 in nibbles with their upper bits atop the former.
    Words words[4] = {packed[0] & 0x3f3f3f3fu, (packed[2] & 0x0f0f0f0fu) | ((packed[0] >> 6u & 0x03030303u) << 4u), packed[1] & 0x3f3f3f3fu,
                      (packed[2] >> 4u & 0x0f0f0f0fu) | ((packed[1] >> 6u & 0x03030303u) << 4u)};
    Lanes d = widenLowerHalves((Words)head[0]), min = -widenLowerHalves((Words)head[0] >> 16u);
    for (int64_t p = 0; p < kParts; p++) {
      auto by = static_cast<uint32_t>(p % 4 * 8);
      storeLanes(scales + p * kPanelRows, d * asFloats((Codes)(words[p / 4] >> by & 255u)));
      storeLanes(mins + p * kPanelRows, min * asFloats((Codes)(words[2 + p / 4] >> by & 255u)));
    }
  }

#if defined(ANNEAL_SUMS_ROWS)
  bool sum(const PanelRows& rows, int64_t first, int64_t groups, const int8_t* x, int32_t* to, Panel& scales) const override {
    const __m512i mask = _mm512_set1_epi8(15), sixteen = _mm512_set1_epi8(16);
    for (int64_t g = 0; g < groups; g += kParts) {
      const uint8_t* from = rows.bytes + (first + g) / kParts * kBytes;
      readScales(from, rows.stride, scales.scalesAt(g), scales.minsAt(g));
      for (int64_t p = 0; p < kParts; p += 4) {
        // 64 bytes: parts p and p + 2 in the low nibbles, p + 1 and p + 3 in the high ones.
        __m512i one = _mm512_loadu_si512(x + (g + p) * kGroup), two = _mm512_loadu_si512(x + (g + p + 2) * kGroup);
        __m512i even = _mm512_shuffle_i64x2(one, two, 0x44), odd = _mm512_shuffle_i64x2(one, two, 0xee), sums[kPanelRows], parts[4];
        auto bits = [&](int64_t part) { return _mm512_inserti64x4(_mm512_set1_epi8(static_cast<char>(1u << part)), _mm256_set1_epi8(static_cast<char>(4u << part)), 1); };
        __m512i evenBits = bits(p), oddBits = bits(p + 1);
#pragma GCC unroll 16
        for (int n = 0; n < kPanelRows; n++) {
          const uint8_t* row = from + n * rows.stride;
          __m512i pairs = _mm512_loadu_si512(askingForNext(row + kNibbles + 16 * p, rows.stride));
          __m512i low = _mm512_and_si512(pairs, mask), high = _mm512_and_si512(_mm512_srli_epi16(pairs, 4), mask);
          if (HasFifth) {
            __m512i fifths = _mm512_broadcast_i64x4(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(row + kFifth)));
            low = _mm512_mask_add_epi8(low, _mm512_test_epi8_mask(fifths, evenBits), low, sixteen);
            high = _mm512_mask_add_epi8(high, _mm512_test_epi8_mask(fifths, oddBits), high, sixteen);
          }
          __m512i a = _mm512_dpbusd_epi32(_mm512_setzero_si512(), low, even), b = _mm512_dpbusd_epi32(_mm512_setzero_si512(), high, odd);
          sums[n] = _mm512_add_epi32(_mm512_shuffle_i32x4(a, b, 0x88), _mm512_shuffle_i32x4(a, b, 0xdd));
        }
        sumQuarters(sums, parts);
        const int order[4] = {0, 2, 1, 3};
        for (int i = 0; i < 4; i++) _mm512_storeu_si512(to + (g + p + order[i]) * kPanelRows, parts[i]);
      }
    }
    return true;
  }
#endif
};

/** Q6_K: low nibbles and upper two bits of 128 columns at a time, a signed byte as the scale of each sixteen, an f16 scale of all. */
struct Q6 : PanelSource {
  static constexpr int64_t kBytes = 210, kUpper = 128, kScales = 192, kScale = 208;
  Q6() {
    zero = 32;
    group = 16;
  }
  void read(const PanelRows& rows, int64_t first, int64_t groups, Panel& to) const override {
    for (int64_t g = 0; g < groups; g += kParts) {
      const uint8_t* from = rows.bytes + (first + g) / kParts * kBytes;
      const int64_t stride = rows.stride;
      readScales(from, stride, to.scalesAt(2 * g));
      for (int64_t half = 0; half < 2; half++) {
        Bytes low[16], upper[8];
        for (int64_t i = 0; i < 4; i++) transpose(from + 64 * half + 16 * i, stride, low + 4 * i);
        for (int64_t i = 0; i < 2; i++) transpose(from + kUpper + 32 * half + 16 * i, stride, upper + 4 * i);
        for (int64_t part = 0; part < 4; part++)
          for (int64_t j = 0; j < 8; j++) {
            Words nibbles = (Words)low[part % 2 * 8 + j] >> static_cast<uint32_t>(part / 2 * 4);
            Words bits = (Words)upper[j] >> static_cast<uint32_t>(2 * part) << 4u;
            store(to.codesAt(g + 4 * half + part) + 64 * j, ((Bytes)nibbles & everywhere(15)) | ((Bytes)bits & everywhere(48)));
          }
      }
    }
  }

  /** Those of the sixteen parts: [parts][16]. */
  static void readScales(const uint8_t* block, int64_t stride, float* to) {
    uint16_t halves[kPanelRows];
    float wide[kPanelRows];
    copyHalves(block + kScale, stride, halves);
    widenHalves(halves, wide);
    Lanes d = loadLanes(wide);
    Bytes bytes[4];
    transpose(block + kScales, stride, bytes);
    for (int64_t part = 0; part < 16; part++) {
      Codes signedBytes = (Codes)((Words)bytes[part / 4] << static_cast<uint32_t>(24 - part % 4 * 8)) >> 24;
      storeLanes(to + part * kPanelRows, d * asFloats(signedBytes));
    }
  }

#if defined(ANNEAL_SUMS_ROWS)
  bool sum(const PanelRows& rows, int64_t first, int64_t groups, const int8_t* x, int32_t* to, Panel& scales) const override {
    const __m512i mask = _mm512_set1_epi8(15), upper = _mm512_set1_epi8(48);
    const __m512i left = _mm512_set_epi64(2, 2, 2, 2, 4, 4, 4, 4), right = _mm512_set_epi64(2, 2, 2, 2, 0, 0, 0, 0);
    for (int64_t g = 0; g < groups; g += kParts) {
      const uint8_t* from = rows.bytes + (first + g) / kParts * kBytes;
      readScales(from, rows.stride, scales.scalesAt(2 * g));
      for (int64_t half = 0; half < 2; half++)
        for (int64_t isHigh = 0; isHigh < 2; isHigh++) {
          // 64 columns of each row, sixteen for each quarter of a sum.
          int64_t at = g + 4 * half + 2 * isHigh;
          __m512i in = _mm512_loadu_si512(x + at * kGroup), sums[kPanelRows], parts[4];
#pragma GCC unroll 16
          for (int n = 0; n < kPanelRows; n++) {
            const uint8_t* row = from + n * rows.stride;
            __m512i pairs = _mm512_loadu_si512(askingForNext(row + 64 * half, rows.stride)), bits = _mm512_broadcast_i64x4(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(row + kUpper + 32 * half)));
            __m512i nibbles = isHigh ? _mm512_srli_epi16(pairs, 4) : pairs, above = isHigh ? _mm512_srlv_epi64(bits, right) : _mm512_sllv_epi64(bits, left);
            __m512i codes = _mm512_or_si512(_mm512_and_si512(nibbles, mask), _mm512_and_si512(above, upper));
            sums[n] = _mm512_dpbusd_epi32(_mm512_setzero_si512(), codes, in);
          }
          sumQuarters(sums, parts);
          for (int i = 0; i < 4; i++) _mm512_storeu_si512(to + (2 * at + i) * kPanelRows, parts[i]);
        }
    }
    return true;
  }
#endif
};

struct Type {
  int64_t id, columns, bytes;
  std::unique_ptr<PanelSource> (*make)();
};
template <class Reader> std::unique_ptr<PanelSource> make() { return std::make_unique<Reader>(); }
template <class Reader> constexpr Type type(int64_t id, int64_t columns) { return {id, columns, Reader::kBytes, &make<Reader>}; }

const Type& typeOf(int64_t id) {
  static const Type types[] = {type<SmallBlocks<false, false>>(2, 32), type<SmallBlocks<true, false>>(3, 32), type<SmallBlocks<false, true>>(6, 32), type<SmallBlocks<true, true>>(7, 32),
                               type<Q8>(8, 32), type<SuperBlocks<false>>(12, kSuper), type<SuperBlocks<true>>(13, kSuper), type<Q6>(14, kSuper)};
  for (const Type& one : types)
    if (one.id == id) return one;
  TORCH_CHECK(false, "expected a type of ggml that is computed with, got number ", id);
}

}  // namespace

int64_t ggmlRowBytes(int64_t id, int64_t columns) {
  const Type& one = typeOf(id);
  TORCH_CHECK(columns > 0 && columns % one.columns == 0, "expected rows of whole blocks of ", one.columns, ", got ", columns, " columns");
  return columns / one.columns * one.bytes;
}

std::unique_ptr<PanelSource> ggmlSource(int64_t id, const uint8_t* base, int64_t rows, int64_t columns, int64_t pairedHead) {
  std::unique_ptr<PanelSource> source = typeOf(id).make();
  source->rowBytes = ggmlRowBytes(id, columns);
  source->unitBytes = typeOf(id).bytes;
  source->unitGroups = typeOf(id).columns / kGroup;
  source->base = base;
  source->rows = rows;
  source->columns = columns;
  source->pairedHead = pairedHead;
  TORCH_CHECK(pairedHead >= 0 && pairedHead % 2 == 0 && (pairedHead == 0 || rows % pairedHead == 0), "expected whole heads of an even size");
  return source;
}

}  // namespace anneal

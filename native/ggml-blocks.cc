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
    if (HasFifth) return false;
    const uint8_t* from = rows.bytes + first * kBytes;
    sumNibbles(groups, x, to, [&](int64_t n, int64_t g, int64_t count) {
      askingForNext(from + n * rows.stride + g * kBytes + kNibbles, rows.stride);
      auto load = [&](int64_t i) { return i < count ? _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + n * rows.stride + (g + i) * kBytes + kNibbles)) : _mm_setzero_si128(); };
      return _mm512_inserti32x4(_mm512_inserti32x4(_mm512_inserti32x4(_mm512_castsi128_si512(load(0)), load(1), 1), load(2), 2), load(3), 3);
    });
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
      float scales[kPanelRows][2 * kParts];
      for (int64_t n = 0; n < kPanelRows; n++) readScales(from + n * stride, scales[n]);
      for (int64_t p = 0; p < kParts; p++)
        for (int64_t n = 0; n < kPanelRows; n++) {
          to.scalesAt(g + p)[n] = scales[n][p];
          to.minsAt(g + p)[n] = scales[n][kParts + p];
        }
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

  /** Scales of the eight parts, then their minima, as they are added. */
  static void readScales(const uint8_t* block, float* to) {
    uint16_t halves[2];
    uint32_t packed[3];
    std::memcpy(halves, block, 4);
    std::memcpy(packed, block + 4, 12);
    // Six bits each: parts 0–3 in the low bits of the bytes, parts 4–7 in nibbles with their upper bits atop the former.
    uint32_t words[4] = {packed[0] & 0x3f3f3f3f, (packed[2] & 0x0f0f0f0f) | ((packed[0] >> 6 & 0x03030303) << 4), packed[1] & 0x3f3f3f3f,
                         (packed[2] >> 4 & 0x0f0f0f0f) | ((packed[1] >> 6 & 0x03030303) << 4)};
    uint8_t bytes[16];
    std::memcpy(bytes, words, 16);
    float d = c10::Half(halves[0], c10::Half::from_bits()), min = -static_cast<float>(c10::Half(halves[1], c10::Half::from_bits()));
    for (int64_t p = 0; p < kParts; p++) {
      to[p] = d * bytes[p];
      to[kParts + p] = min * bytes[kParts + p];
    }
  }
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
      uint16_t halves[kPanelRows];
      float d[kPanelRows];
      copyHalves(from + kScale, stride, halves);
      widenHalves(halves, d);
      float* scales = to.scalesAt(2 * g);
      for (int64_t n = 0; n < kPanelRows; n++)
        for (int64_t part = 0; part < 16; part++) scales[part * kPanelRows + n] = d[n] * static_cast<float>(static_cast<int8_t>(from[n * stride + kScales + part]));
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

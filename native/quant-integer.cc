// Readers of panels (integer-dot.h) for int8 and int4, whose scales are stored apart from the codes.
#include "panel-read.h"
#include "stored.h"

namespace anneal {
namespace {

template <int Bits> struct StoredPanels : PanelSource {
  const Reader reader;
  const int64_t block, perRow;

  explicit StoredPanels(const Stored& w) : reader(w), block(w.block), perRow(w.blocksPerRow()) {
    rows = w.rows;
    columns = w.columns;
    base = reader.codes;
    rowBytes = Bits == 8 ? columns : perRow * block / 2;
    unitBytes = kGroup * Bits / 8;
    hasMins = w.mins.defined();
    zero = Bits == 8 ? 128 : hasMins ? 0 : 8;
  }

  void read(const PanelRows& from, int64_t first, int64_t groups, Panel& to) const override {
    int64_t whole = Bits == 8 ? std::min(groups, columns / kGroup - first) : groups;
    for (int64_t g = 0; g < whole; g++) unpack(from.bytes + (first + g) * unitBytes, from.stride, to.codesAt(g));
    if (whole < groups) unpackRest(from, to.codesAt(whole));
    readScales(from, first, groups, to);
  }

#if defined(ANNEAL_SUMS_ROWS)
  bool sum(const PanelRows& from, int64_t first, int64_t groups, const int8_t* x, int32_t* to, Panel& scales) const override {
    if constexpr (Bits == 8) {
      if (columns % kGroup != 0) return false;
      sumBytes(groups, x, to, [&](int64_t n, int64_t g, int64_t count) { return loadBytes(askingForNext(from.bytes + n * from.stride + (first + g) * unitBytes, from.stride), count * kGroup); });
    } else {
      sumNibbles(groups, x, to, [&](int64_t n, int64_t g, int64_t count) { return loadBytes(askingForNext(from.bytes + n * from.stride + (first + g) * unitBytes, from.stride), count * kGroup / 2); });
    }
    readScales(from, first, groups, scales);
    return true;
  }
#endif

  void readScales(const PanelRows& from, int64_t first, int64_t groups, Panel& to) const {
    if (reader.scales) {
      for (int64_t n = 0; n < kPanelRows; n++)
        for (int64_t g = 0; g < groups; g++) to.scalesAt(g)[n] = reader.scales[from.row[n] * perRow + (first + g) * kGroup / block];
      return;
    }
    readHalves(reader.halfScales, from, first, groups, to.scales);
    if (hasMins) readHalves(reader.mins, from, first, groups, to.mins);
  }

  /** Numbers of the groups' blocks, [groups][16]. */
  void readHalves(const at::BFloat16* halves, const PanelRows& from, int64_t first, int64_t groups, float* to) const {
    constexpr int64_t atOnce = 8;
    int64_t g = 0;
    // Those of the next panel come meanwhile, as its codes do.
    for (int64_t n = 0; n < kPanelRows; n++) __builtin_prefetch(halves + (from.row[n] + kPanelRows) * perRow + (first + g) * kGroup / block);
    if (block == kGroup && from.inOrder)
      for (; g + atOnce <= groups; g += atOnce) {
        Bytes pairs[4];
        transpose(reinterpret_cast<const uint8_t*>(halves + from.row[0] * perRow + first + g), 2 * perRow, pairs);
        for (int64_t j = 0; j < 4; j++) {
          // A bfloat16 is the upper half of a float.
          storeLanes(to + (g + 2 * j) * kPanelRows, (Lanes)((Words)pairs[j] << 16u));
          storeLanes(to + (g + 2 * j + 1) * kPanelRows, (Lanes)((Words)pairs[j] & 0xffff0000u));
        }
      }
    for (; g < groups; g++)
      for (int64_t n = 0; n < kPanelRows; n++) to[g * kPanelRows + n] = halves[from.row[n] * perRow + (first + g) * kGroup / block];
  }

  /** 32 columns of rows that are `stride` apart. */
  static inline void unpack(const uint8_t* bytes, int64_t stride, uint8_t* to) {
    if constexpr (Bits == 8) {
      Bytes codes[8];
      transpose(bytes, stride, codes);
      transpose(bytes + 16, stride, codes + 4);
      for (int64_t j = 0; j < 8; j++) store(to + 64 * j, codes[j] ^ everywhere(128));
    } else {
      Bytes pairs[4];
      transpose(bytes, stride, pairs);
      for (int64_t j = 0; j < 4; j++) {
        store(to + 64 * j, pairs[j] & everywhere(15));
        store(to + 64 * (j + 4), (Bytes)((Words)pairs[j] >> 4u) & everywhere(15));
      }
    }
  }

  /** The columns behind the last whole group: rows of 8 bits are not padded. */
  void unpackRest(const PanelRows& from, uint8_t* to) const {
    int64_t rest = columns % kGroup;
    uint8_t copies[kPanelRows][kGroup] = {};
    for (int64_t n = 0; n < kPanelRows; n++) std::copy_n(from.bytes + n * from.stride + columns - rest, rest, copies[n]);
    unpack(copies[0], kGroup, to);
  }
};

}  // namespace

std::unique_ptr<PanelSource> storedSource(const Stored& w) {
  TORCH_CHECK(!w.levels.defined() && (w.bits == 8 || w.bits == 4), "expected a format whose codes are numbers");
  if (w.bits == 8) return std::make_unique<StoredPanels<8>>(w);
  return std::make_unique<StoredPanels<4>>(w);
}

}  // namespace anneal

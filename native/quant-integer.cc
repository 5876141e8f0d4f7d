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
    for (int64_t g = 0; g < groups; g++) readCodes(from, first + g, to.codesAt(g));
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

  void readCodes(const PanelRows& from, int64_t group, uint8_t* to) const {
    const uint8_t* bytes = from.bytes + group * kGroup * Bits / 8;
    if constexpr (Bits == 8) {
      Bytes codes[8];
      int64_t count = columns - group * kGroup, stride = from.stride;
      uint8_t copies[kPanelRows][kGroup];
      if (count < kGroup) {  // rows are not padded
        std::memset(copies, 0, sizeof copies);
        for (int64_t n = 0; n < kPanelRows; n++) std::copy_n(bytes + n * stride, count, copies[n]);
        bytes = copies[0];
        stride = kGroup;
      }
      transpose(bytes, stride, codes);
      transpose(bytes + 16, stride, codes + 4);
      for (int64_t j = 0; j < 8; j++) store(to + 64 * j, codes[j] ^ everywhere(128));
    } else {
      Bytes pairs[4];
      transpose(bytes, from.stride, pairs);
      for (int64_t j = 0; j < 4; j++) {
        store(to + 64 * j, pairs[j] & everywhere(15));
        store(to + 64 * (j + 4), (Bytes)((Words)pairs[j] >> 4u) & everywhere(15));
      }
    }
  }
};

}  // namespace

std::unique_ptr<PanelSource> storedSource(const Stored& w) {
  TORCH_CHECK(!w.levels.defined() && (w.bits == 8 || w.bits == 4), "expected a format whose codes are numbers");
  if (w.bits == 8) return std::make_unique<StoredPanels<8>>(w);
  return std::make_unique<StoredPanels<4>>(w);
}

}  // namespace anneal

// Sixteen rows of a stored matrix at a time, wherever they lie.
#pragma once

#include "integer-dot.h"

namespace anneal {

/** Reads panels; what does not lie in order is copied together first. */
struct PanelReader {
  const PanelSource& w;
  PanelRows rows;
  std::vector<uint8_t> copies;

  explicit PanelReader(const PanelSource& source) : w(source) {}

  /** The rows from `begin` on; behind the last one it is repeated. */
  void moveTo(int64_t begin) {
    rows.inOrder = begin + kPanelRows <= w.rows;
    for (int64_t n = 0; n < kPanelRows; n++) rows.row[n] = std::min(begin + n, w.rows - 1);
  }
  /** These rows; behind `count` the last one is repeated. */
  void moveTo(const int64_t* row, int64_t count) {
    rows.inOrder = false;
    for (int64_t n = 0; n < kPanelRows; n++) rows.row[n] = w.storedRowOf(row[std::min(n, count - 1)]);
  }

  void read(int64_t first, int64_t groups, Panel& panel) {
    place(first, groups);
    w.read(rows, first, groups, panel);
  }
  bool sum(int64_t first, int64_t groups, const int8_t* x, int32_t* to, Panel& scales) {
    place(first, groups);
    return w.sum(rows, first, groups, x, to, scales);
  }

  void place(int64_t first, int64_t groups) {
    rows.bytes = w.base + rows.row[0] * w.rowBytes;
    rows.stride = w.rowBytes;
    if (!rows.inOrder) {
      int64_t begin = w.byteOf(first), length = w.byteOf(first + groups) - begin;
      copies.resize(kPanelRows * length);
      for (int64_t n = 0; n < kPanelRows; n++) std::copy_n(w.base + rows.row[n] * w.rowBytes + begin, length, copies.data() + n * length);
      rows.bytes = copies.data() - begin;
      rows.stride = length;
    }
  }

  /** Asks for what the panel after this one will read. */
  void askForNext(int64_t first, int64_t groups) const {
    int64_t row = rows.row[0] + kPanelRows, last = std::min(row + kPanelRows, w.rows), begin = w.byteOf(first), length = w.byteOf(first + groups) - begin;
    for (; row < last; row++)
      for (const uint8_t *at = w.base + row * w.rowBytes + begin, *end = at + length; at < end; at += 64) __builtin_prefetch(at, 0, 2);
  }
};

}  // namespace anneal

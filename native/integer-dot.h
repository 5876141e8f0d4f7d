// Products of weights that are stored as small integers with rows that are rounded to 8 bits. Whatever the format, sixteen rows of the weight
// are unpacked at a time into a panel in the cache, and one kernel multiplies a panel. Sums of integers are exact and the groups of a
// row are added in one order, so a row's numbers depend neither on how many rows there are nor on the processor's instructions.
#pragma once

#include "fused.h"
#include "lanes.h"

namespace anneal {

/** Rows of a panel: one lane each. Columns of a group of x, which share a scale. Columns that are unpacked at once. */
constexpr int64_t kPanelRows = 16, kGroup = 32, kPanelColumns = 1024;

/** Some columns of sixteen rows: number = (code − zero) · scale + min. */
struct alignas(64) Panel {
  /** Four columns of each row together: [columns / 4][16][4]. */
  uint8_t codes[kPanelColumns * kPanelRows];
  /** [columns / group][16], for groups of 32 columns or 16. */
  float scales[kPanelColumns / 16 * kPanelRows];
  /** [columns / 32][16], where the format has minima. */
  float mins[kPanelColumns / kGroup * kPanelRows];

  uint8_t* codesAt(int64_t group) { return codes + group * kGroup * kPanelRows; }
  float* scalesAt(int64_t group) { return scales + group * kPanelRows; }
  float* minsAt(int64_t group) { return mins + group * kPanelRows; }
};

/** The rows of a panel: row n begins at `bytes + n · stride`, and is number `row[n]` of the matrix. */
struct PanelRows {
  const uint8_t* bytes;
  int64_t stride;
  int64_t row[kPanelRows];
  /** Whether they follow each other in the matrix. */
  bool inOrder;
};

/** A stored matrix [rows, columns] that can be read into panels. */
struct PanelSource {
  int64_t rows = 0, columns = 0;
  /** What is taken from every code. */
  int32_t zero = 0;
  /** Columns that share a scale in a panel: 32 or 16. */
  int64_t group = kGroup;
  bool hasMins = false;
  /** Above 0: rows are stored as pairs (i, i + size/2) of heads of this size, and belong in the order of the heads' halves. */
  int64_t pairedHead = 0;
  /** Where row 0 begins, the bytes of a row, and of `unitGroups` groups of 32 columns. */
  const uint8_t* base = nullptr;
  int64_t rowBytes = 0, unitBytes = 0, unitGroups = 1;

  virtual ~PanelSource() = default;
  /** Reads `groups` groups of 32 columns from group `first`, which begins a unit, of the rows of a panel. */
  virtual void read(const PanelRows& from, int64_t first, int64_t groups, Panel& to) const = 0;
  /**
   * For one row of x, from whose group `first` on the codes `x` are: Σ code · x of each group (or half of one, as `group` says) and row, to [groups][16], and scales and minima.
   * Quicker than a panel that is read once; false where a format or a processor has no such way, and then nothing was done.
   */
  virtual bool sum(const PanelRows&, int64_t /*first*/, int64_t /*groups*/, const int8_t* /*x*/, int32_t* /*to*/, Panel& /*scales*/) const { return false; }

  /** Where group `group` begins in a row. */
  int64_t byteOf(int64_t group) const { return std::min(rowBytes, (group + unitGroups - 1) / unitGroups * unitBytes); }

  /** The row of the matrix that stored row `n` is. */
  int64_t rowOf(int64_t n) const {
    if (pairedHead == 0) return n;
    int64_t within = n % pairedHead;
    return n - within + within / 2 + within % 2 * (pairedHead / 2);
  }
  /** Its inverse. */
  int64_t storedRowOf(int64_t n) const {
    if (pairedHead == 0) return n;
    int64_t within = n % pairedHead, half = pairedHead / 2;
    return n - within + within % half * 2 + within / half;
  }
};

/** Rows of x in 8 bits: x ≈ codes · scale, one scale for 32 columns; what is behind the last column is 0. */
struct RoundedRows {
  int64_t rows, columns, groups;
  std::vector<int8_t> codes;
  /** [rows, groups]; Σ codes of each half of a group [rows, 2·groups]; scale · Σ codes of the whole [rows, groups]. */
  std::vector<float> scales;
  std::vector<int32_t> sums;
  std::vector<float> scaledSums;
};
RoundedRows roundRows(const float* x, int64_t rows, int64_t columns);

/** One product of several with the same x: y [rows, out] = x · Wᵀ + bias + residual. */
struct IntegerProduct {
  const PanelSource* weight;
  const float* bias;
  const float* residual;  // [rows, out] or null; added last
  float* y;
};
void integerProducts(const RoundedRows& x, const IntegerProduct* products, int64_t count);

/** Rows of the matrix as f32, in any order: to [count, columns]. */
void readRows(const PanelSource& weight, const int64_t* rows, int64_t count, float* to);
/** The whole matrix, f32. */
Tensor readMatrix(const PanelSource& weight);

}  // namespace anneal

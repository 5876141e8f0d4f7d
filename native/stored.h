// A matrix in one of Anneal's own formats (src/nn/quant/format.ts says how): its parts, checked, and pointers into them.
#pragma once

#include <memory>

#include "frozen.h"
#include "quant.h"

namespace anneal {

/** A stored matrix. Undefined tensors are parts that its format does not have. */
struct Stored {
  Tensor codes, scales, mins, levels, scaleScales, scaleOffset, scaleLevels;
  int64_t rows, columns, bits, block;

  /** The blocks of codes that index `levels` run through the whole matrix, the others begin anew in each row. */
  bool runsOn() const { return levels.defined() && columns % block != 0; }
  int64_t blockRows() const { return runsOn() ? 1 : rows; }
  int64_t rowLength() const { return runsOn() ? rows * columns : columns; }
  int64_t blocksPerRow() const { return (rowLength() + block - 1) / block; }
};
constexpr int64_t kRun = 32, kScaleGroup = 256;

/** Pointers into a stored matrix. */
struct Reader {
  const Stored& w;
  const uint8_t* codes;
  Table table;
  const float *scales, *groups, *levels;
  const uint8_t* scaleCodes;
  const at::BFloat16 *halfScales, *mins;
  float offset = 0;

  explicit Reader(const Stored& stored)
      : w(stored),
        codes(static_cast<const uint8_t*>(stored.codes.data_ptr())),
        table(stored.levels.defined() ? Table(data(stored.levels), stored.levels.numel()) : Table{}),
        scales(stored.scales.scalar_type() == at::kFloat ? data(stored.scales) : nullptr),
        groups(stored.scaleScales.defined() ? data(stored.scaleScales) : nullptr),
        levels(stored.scaleLevels.defined() ? data(stored.scaleLevels) : nullptr),
        scaleCodes(stored.scaleLevels.defined() ? stored.scales.data_ptr<uint8_t>() : nullptr),
        halfScales(stored.scales.scalar_type() == at::kBFloat16 ? stored.scales.data_ptr<at::BFloat16>() : nullptr),
        mins(stored.mins.defined() ? stored.mins.data_ptr<at::BFloat16>() : nullptr) {
    if (stored.scaleOffset.defined()) offset = *data(stored.scaleOffset);
    TORCH_CHECK(scales || halfScales || scaleCodes, "expected scales of float32, bfloat16 or coded");
  }
  inline float scale(int64_t i) const {
    if (scales) return scales[i];
    if (halfScales) return halfScales[i];
    return levels[scaleCodes[i]] * groups[i / kScaleGroup] + offset;
  }
  inline float min(int64_t i) const { return mins ? static_cast<float>(mins[i]) : 0.0f; }
  /** Where the codes of a block begin; not for 8 bits, whose rows are not padded. */
  inline const uint8_t* at(int64_t block) const { return codes + block * w.block * w.bits / 8; }
};

/** The reader of a matrix in int8 or int4, whose codes are numbers; it points into `w`, which must outlive it. */
std::unique_ptr<PanelSource> storedSource(const Stored& w);

/** y [rows, out] = x [rows, in] · Wᵀ + bias for formats whose codes index a table (nf4, nf3, nf2), in f32; blocks must not run on. */
void multiplyTable(const Stored& w, int64_t rows, const float* x, const float* bias, float* y);

}  // namespace anneal

// A matrix in one of Anneal's own formats (src/nn/quant/format.ts says how): its parts, checked, and pointers into them.
#pragma once

#include <memory>

#include "fused.h"
#include "integer-dot.h"
#include "quant.h"

namespace anneal {

/** A stored matrix. Undefined tensors are parts that its format does not have. */
struct Stored {
  Tensor codes, scales, scaleScales, scaleOffset, mins, levels, scaleLevels;
  int64_t rows, columns, bits, block;

  /** The blocks of codes that index `levels` run through the whole matrix, the others begin anew in each row. */
  bool runsOn() const { return levels.defined() && columns % block != 0; }
  int64_t blockRows() const { return runsOn() ? 1 : rows; }
  int64_t rowLength() const { return runsOn() ? rows * columns : columns; }
  int64_t blocksPerRow() const { return (rowLength() + block - 1) / block; }
  variable_list parts() const { return {codes, scales, scaleScales, scaleOffset, mins, levels, scaleLevels}; }
};
constexpr int64_t kRun = 32, kScaleGroup = 256;

inline Stored readStored(const Tensor& codes, const Tensor& scales, const Optional<Tensor>& scaleScales, const Optional<Tensor>& scaleOffset, const Optional<Tensor>& mins,
                         const Optional<Tensor>& levels, const Optional<Tensor>& scaleLevels, int64_t rows, int64_t columns, int64_t bits, int64_t block) {
  auto part = [](const Optional<Tensor>& t) { return t.has_value() ? t->contiguous() : Tensor(); };
  Stored w{codes.contiguous(), scales.contiguous(), part(scaleScales), part(scaleOffset), part(mins), part(levels), part(scaleLevels), rows, columns, bits, block};
  TORCH_CHECK(rows > 0 && columns > 0 && block > 0 && (((bits == 8 && block == columns) || block % kRun == 0) && (bits == 8 || bits == 4 || bits == 3 || bits == 2)), "expected a matrix in a format of 8, 4, 3 or 2 bits");
  int64_t blocks = w.blockRows() * w.blocksPerRow();
  TORCH_CHECK(codes.numel() * codes.element_size() == (bits == 8 ? rows * columns : blocks * block * bits / 8), "expected codes for [", rows, ",", columns, "]");
  TORCH_CHECK(scales.numel() == blocks && (!w.mins.defined() || w.mins.numel() == blocks), "expected ", blocks, " scales");
  TORCH_CHECK(!w.levels.defined() || w.levels.numel() == int64_t{1} << bits, "expected a level for every code");
  if (w.scaleLevels.defined())
    TORCH_CHECK(w.scaleLevels.numel() == 256 && w.scaleScales.defined() && w.scaleScales.numel() == (blocks + kScaleGroup - 1) / kScaleGroup && w.scaleOffset.defined(),
                "expected the parts of double quantization");
  return w;
}

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

// quant_dequantize and quant_linear: weights stored as codes and scales (src/nn/quant/format.ts says how), made dense or multiplied
// with. The CPU kernels give float32; other devices and dtypes take the composition of ATen operators.
#include "frozen-product.h"
#include "multiply.h"
#include "stored.h"

namespace anneal {
namespace {

// ---- composed of ATen operators ------------------------------------------------------------------------------------------------

/** One f32 scale a block, [blocks]. */
Tensor decodedScales(const Stored& w) {
  if (!w.scaleLevels.defined()) return w.scales.reshape(-1).to(at::kFloat);
  int64_t blocks = w.scales.numel();
  Tensor group = w.scaleScales.repeat_interleave(kScaleGroup).narrow(0, 0, blocks);
  return w.scaleLevels.index_select(0, w.scales.reshape(-1).to(at::kInt)) * group + w.scaleOffset;
}

/** The number of each code, [2^bits]. */
Tensor levelsOf(const Stored& w, at::ScalarType dtype) {
  return (w.levels.defined() ? w.levels : at::arange(16, w.codes.options().dtype(at::kFloat)) - (w.mins.defined() ? 0 : 8)).to(dtype);
}

Tensor shifted(const Tensor& bytes, int64_t by, int64_t mask) { return at::bitwise_right_shift(bytes, by).bitwise_and(mask); }

/** Codes → their numbers, [blocks, …] with those of a block behind, in one dimension or several. */
Tensor decodedCodes(const Stored& w, at::ScalarType dtype) {
  if (w.bits == 8) return at::constant_pad_nd(w.codes.view({w.rows, w.columns}), {0, w.blocksPerRow() * w.block - w.columns}).to(dtype).view({-1, w.block});
  Tensor levels = levelsOf(w, dtype);
  if (w.bits == 4) {
    // Both codes of a byte by one look into a table of all bytes. They lie 16 apart.
    Tensor byte = at::arange(256, w.codes.options().dtype(at::kInt));
    Tensor pairs = at::stack({levels.index_select(0, byte.bitwise_and(15)), levels.index_select(0, shifted(byte, 4, 15))}, 1);
    return pairs.index_select(0, w.codes.reshape(-1).to(at::kInt)).view({-1, w.block / kRun, 16, 2}).transpose(2, 3);
  }
  Tensor runs = w.codes.view({-1, w.bits == 3 ? 12 : 8}), quads = runs.narrow(1, 0, 8);
  Tensor index = at::stack({shifted(quads, 0, 3), shifted(quads, 2, 3), shifted(quads, 4, 3), shifted(quads, 6, 3)}, 1);
  if (w.bits == 3) {
    std::vector<Tensor> thirds;
    for (int64_t i = 0; i < 8; i++) thirds.push_back(shifted(runs.narrow(1, 8, 4), i, 1));
    index = index + at::stack(thirds, -1) * 4;
  }
  return levels.index_select(0, index.reshape(-1).to(at::kInt)).view({-1, w.block});
}

Tensor dequantizeComposed(const Stored& w, at::ScalarType dtype) {
  // Half precisions would round the product's factors, so only the product is of that type.
  auto wide = dtype == at::kDouble ? at::kDouble : at::kFloat;
  Tensor codes = decodedCodes(w, wide), values = at::empty(codes.sizes(), codes.options().dtype(dtype));
  std::vector<int64_t> perBlock(codes.dim(), 1);
  perBlock[0] = -1;
  Tensor scales = decodedScales(w).to(wide).view(perBlock);
  if (w.mins.defined()) at::addcmul_out(values, w.mins.to(wide).view(perBlock), codes, scales);
  else at::mul_out(values, codes, scales);
  return values.view({w.blockRows(), -1}).narrow(1, 0, w.rowLength()).contiguous().view({w.rows, w.columns});
}

// ---- kernels -------------------------------------------------------------------------------------------------------------------

/** The numbers of one block into `to`, which takes `count` of them. */
template <int Bits> void decodeBlock(const Reader& reader, int64_t block, int64_t count, float* to) {
  const uint8_t* from = reader.at(block);
  float scale = reader.scale(block);
  for (int64_t i = 0; i < count; i += kRun) {
    Lanes first, second;
    decodeRun<Bits>(from + i * Bits / 8, reader.table, first, second);
    first = first * scale;
    second = second * scale;
    if (i + kRun <= count) {
      storeLanes(to + i, first);
      storeLanes(to + i + kLanes, second);
      continue;
    }
    float run[kRun];
    storeLanes(run, first);
    storeLanes(run + kLanes, second);
    std::memcpy(to + i, run, static_cast<size_t>(count - i) * sizeof(float));
  }
}

template <int Bits> void dequantizeRows(const Stored& w, float* to) {
  Reader reader(w);
  int64_t perRow = w.blocksPerRow(), length = w.rowLength();
  at::parallel_for(0, w.blockRows() * perRow, grain(w.block), [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; block++) {
      int64_t start = block % perRow * w.block;
      decodeBlock<Bits>(reader, block, std::min(w.block, length - start), to + block / perRow * length + start);
    }
  });
}

Tensor dequantize(const Stored& w, at::ScalarType dtype) {
  if (!w.codes.device().is_cpu() || dtype == at::kDouble) return dequantizeComposed(w, dtype);
  if (!w.levels.defined()) return readMatrix(*storedSource(w)).to(dtype);
  Tensor dense = at::empty({w.rows, w.columns}, w.codes.options().dtype(at::kFloat));
  switch (w.bits) {
    case 4: dequantizeRows<4>(w, data(dense)); break;
    case 3: dequantizeRows<3>(w, data(dense)); break;
    default: dequantizeRows<2>(w, data(dense));
  }
  return dense.to(dtype);
}

// ---- linear --------------------------------------------------------------------------------------------------------------------

/** A matrix as `FrozenProduct` takes it. */
struct FrozenCodes {
  Stored w;
  variable_list parts() const { return w.parts(); }
  std::vector<int64_t> layout() const { return {w.rows, w.columns, w.bits, w.block}; }
  static FrozenCodes from(const variable_list& part, const std::vector<int64_t>& layout) {
    return {{part[0], part[1], part[2], part[3], part[4], part[5], part[6], layout[0], layout[1], layout[2], layout[3]}};
  }
  Tensor dense(at::ScalarType dtype) const { return dequantize(w, dtype); }
  static constexpr const char* name = "quant_linear";
};

Tensor quantDequantize(const Tensor& codes, const Tensor& scales, const Optional<Tensor>& scaleScales, const Optional<Tensor>& scaleOffset, const Optional<Tensor>& mins,
                       const Optional<Tensor>& levels, const Optional<Tensor>& scaleLevels, int64_t rows, int64_t columns, int64_t bits, int64_t block, at::ScalarType dtype) {
  return dequantize(readStored(codes, scales, scaleScales, scaleOffset, mins, levels, scaleLevels, rows, columns, bits, block), dtype);
}

Tensor quantLinear(const Tensor& x, const Optional<Tensor>& bias, const Tensor& codes, const Tensor& scales, const Optional<Tensor>& scaleScales, const Optional<Tensor>& scaleOffset,
                   const Optional<Tensor>& mins, const Optional<Tensor>& levels, const Optional<Tensor>& scaleLevels, int64_t rows, int64_t columns, int64_t bits, int64_t block) {
  Stored w = readStored(codes, scales, scaleScales, scaleOffset, mins, levels, scaleLevels, rows, columns, bits, block);
  TORCH_CHECK(x.dim() > 0 && x.size(-1) == columns, "expected x [...,", columns, "]");
  // In training all of a pass is computed from the same numbers, also where nothing is recorded, as in checkpointing's first pass.
  if (!isInference() || at::GradMode::is_enabled()) return FrozenProduct<FrozenCodes>::apply(x, bias, FrozenCodes{w});
  bool isHalf = x.scalar_type() == at::kBFloat16;
  if (!x.device().is_cpu() || !(isHalf || fast(x)) || w.runsOn()) return multiplyDense(x, dequantize(w, x.scalar_type()), bias);
  if (!w.levels.defined()) return integerLinear(x, *storedSource(w), bias);
  Tensor input = x.to(at::kFloat).contiguous(), b = bias.has_value() ? bias->to(at::kFloat).contiguous() : Tensor();
  auto sizes = x.sizes().vec();
  sizes.back() = rows;
  Tensor y = at::empty(sizes, input.options());
  multiplyTable(w, x.numel() / columns, data(input), b.defined() ? data(b) : nullptr, data(y));
  return isHalf ? y.to(at::kBFloat16) : y;
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(anneal, m) {
  m.def(
      "quant_dequantize(Tensor codes, Tensor scales, Tensor? scale_scales, Tensor? scale_offset, Tensor? mins, Tensor? levels, Tensor? scale_levels, "
      "int rows, int columns, int bits, int block, ScalarType dtype) -> Tensor",
      &quantDequantize);
  m.def(
      "quant_linear(Tensor x, Tensor? bias, Tensor codes, Tensor scales, Tensor? scale_scales, Tensor? scale_offset, Tensor? mins, Tensor? levels, Tensor? scale_levels, "
      "int rows, int columns, int bits, int block) -> Tensor",
      &quantLinear);
}

}  // namespace anneal

// Weights stored as codes and scales (src/nn/quant/format.ts says how), made dense or multiplied with. The CPU kernels give float32; other
// devices and dtypes take the composition of ATen operators.
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

/** A matrix in one of these formats. */
struct CodesMatrix : FrozenMatrix {
  Stored w;

  explicit CodesMatrix(const Stored& stored) : w(stored) {
    rows = w.rows;
    columns = w.columns;
  }
  variable_list parts() const override {
    variable_list list{w.codes, w.scales, w.mins, w.levels, w.scaleScales, w.scaleOffset, w.scaleLevels};
    while (!list.back().defined()) list.pop_back();
    return list;
  }
  std::vector<int64_t> layout() const override { return {kCodes, static_cast<int64_t>(parts().size()), w.rows, w.columns, w.bits, w.block}; }
  Tensor dense(at::ScalarType dtype) const override { return dequantize(w, dtype); }
  std::unique_ptr<PanelSource> source() const override { return w.levels.defined() || !w.codes.device().is_cpu() ? nullptr : storedSource(w); }
  bool multiply(int64_t count, const float* x, const float* bias, float* y) const override {
    if (!w.levels.defined() || w.runsOn() || !w.codes.device().is_cpu()) return false;
    multiplyTable(w, count, x, bias, y);
    return true;
  }
};

}  // namespace

std::unique_ptr<FrozenMatrix> codesMatrix(const variable_list& parts, at::IntArrayRef layout) {
  TORCH_CHECK(parts.size() >= 2 && parts.size() <= 7, "expected codes and scales");
  auto part = [&](size_t i) { return i < parts.size() ? parts[i] : Tensor(); };
  int64_t rows = layout[0], columns = layout[1], bits = layout[2], block = layout[3];
  Stored w{part(0), part(1), part(2), part(3), part(4), part(5), part(6), rows, columns, bits, block};
  TORCH_CHECK(rows > 0 && columns > 0 && block > 0 && (((bits == 8 && block == columns) || block % kRun == 0) && (bits == 8 || bits == 4 || bits == 3 || bits == 2)), "expected a matrix in a format of 8, 4, 3 or 2 bits");
  int64_t blocks = w.blockRows() * w.blocksPerRow();
  TORCH_CHECK(w.codes.numel() * w.codes.element_size() == (bits == 8 ? rows * columns : blocks * block * bits / 8), "expected codes for [", rows, ",", columns, "]");
  TORCH_CHECK(w.scales.numel() == blocks && (!w.mins.defined() || w.mins.numel() == blocks), "expected ", blocks, " scales");
  TORCH_CHECK(!w.levels.defined() || w.levels.numel() == int64_t{1} << bits, "expected a level for every code");
  if (w.scaleLevels.defined())
    TORCH_CHECK(w.scaleLevels.numel() == 256 && w.scaleScales.defined() && w.scaleScales.numel() == (blocks + kScaleGroup - 1) / kScaleGroup && w.scaleOffset.defined(),
                "expected the parts of double quantization");
  return std::make_unique<CodesMatrix>(w);
}

}  // namespace anneal

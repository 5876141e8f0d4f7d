// quant_dequantize and quant_linear: weights stored as codes and scales (src/nn/quant/format.ts says how), made dense or multiplied
// with. The CPU kernels give float32; other devices and dtypes take the composition of ATen operators.
#include "fused.h"
#include "pool.h"
#include "quant.h"

namespace anneal {
namespace {

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

Stored readStored(const Tensor& codes, const Tensor& scales, const Optional<Tensor>& scaleScales, const Optional<Tensor>& scaleOffset, const Optional<Tensor>& mins,
                  const Optional<Tensor>& levels, const Optional<Tensor>& scaleLevels, int64_t rows, int64_t columns, int64_t bits, int64_t block) {
  auto part = [](const Optional<Tensor>& t) { return t.has_value() ? t->contiguous() : Tensor(); };
  Stored w{codes.contiguous(), scales.contiguous(), part(scaleScales), part(scaleOffset), part(mins), part(levels), part(scaleLevels), rows, columns, bits, block};
  TORCH_CHECK(rows > 0 && columns > 0 && block > 0 && (bits == 8 || ((bits == 4 || bits == 3 || bits == 2) && block % kRun == 0)), "expected a matrix in a format of 8, 4, 3 or 2 bits");
  int64_t blocks = w.blockRows() * w.blocksPerRow();
  TORCH_CHECK(codes.numel() * codes.element_size() == (bits == 8 ? rows * columns : blocks * block * bits / 8), "expected codes for [", rows, ",", columns, "]");
  TORCH_CHECK(scales.numel() == blocks && (!w.mins.defined() || w.mins.numel() == blocks), "expected ", blocks, " scales");
  TORCH_CHECK(!w.levels.defined() || w.levels.numel() == int64_t{1} << bits, "expected a level for every code");
  if (w.scaleLevels.defined())
    TORCH_CHECK(w.scaleLevels.numel() == 256 && w.scaleScales.defined() && w.scaleScales.numel() == (blocks + kScaleGroup - 1) / kScaleGroup && w.scaleOffset.defined(),
                "expected the parts of double quantization");
  return w;
}

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
  if (w.bits == 8) return w.codes.view({w.rows, w.columns}).to(dtype);
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
        table(makeTable(stored)),
        scales(stored.scales.scalar_type() == at::kFloat ? data(stored.scales) : nullptr),
        groups(stored.scaleScales.defined() ? data(stored.scaleScales) : nullptr),
        levels(stored.scaleLevels.defined() ? data(stored.scaleLevels) : nullptr),
        scaleCodes(stored.scaleLevels.defined() ? stored.scales.data_ptr<uint8_t>() : nullptr),
        halfScales(stored.scales.scalar_type() == at::kBFloat16 ? stored.scales.data_ptr<at::BFloat16>() : nullptr),
        mins(stored.mins.defined() ? stored.mins.data_ptr<at::BFloat16>() : nullptr) {
    if (stored.scaleOffset.defined()) offset = *data(stored.scaleOffset);
    TORCH_CHECK(scales || halfScales || scaleCodes, "expected scales of float32, bfloat16 or coded");
  }
  static Table makeTable(const Stored& w) {
    if (w.levels.defined()) return Table(data(w.levels), w.levels.numel());
    float whole[16];
    for (int i = 0; i < 16; i++) whole[i] = static_cast<float>(w.mins.defined() ? i : i - 8);
    return Table(whole, 16);
  }
  inline float scale(int64_t i) const {
    if (scales) return scales[i];
    if (halfScales) return halfScales[i];
    return levels[scaleCodes[i]] * groups[i / kScaleGroup] + offset;
  }
  /** The scales of `count` blocks from `first`. */
  void readScales(int64_t first, int64_t count, float* to) const {
    if (scales) std::copy_n(scales + first, count, to);
    else if (halfScales)
      for (int64_t i = 0; i < count; i++) to[i] = halfScales[first + i];
    else
      for (int64_t i = 0; i < count; i++) to[i] = scale(first + i);
  }
  inline float min(int64_t i) const { return mins ? static_cast<float>(mins[i]) : 0.0f; }
  /** Where the codes of a block begin. Rows of 8 bits are one block and not padded. */
  inline const uint8_t* at(int64_t block) const { return codes + block * w.block * w.bits / 8; }
};

/** The numbers of one block into `to`, which takes `count` of them. */
template <int Bits> void decodeBlock(const Reader& reader, int64_t block, int64_t count, float* to) {
  const uint8_t* from = reader.at(block);
  float scale = reader.scale(block), min = reader.min(block);
  for (int64_t i = 0; i < count; i += kRun) {
    if constexpr (Bits == 8) {
      if (i + kRun > count) {
        for (; i < count; i++) to[i] = static_cast<float>(reinterpret_cast<const int8_t*>(from)[i]) * scale;
        return;
      }
    }
    Lanes first, second;
    decodeRun<Bits>(from + i * Bits / 8, reader.table, first, second);
    first = first * scale + min;
    second = second * scale + min;
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
  Tensor dense = at::empty({w.rows, w.columns}, w.codes.options().dtype(at::kFloat));
  switch (w.bits) {
    case 8: dequantizeRows<8>(w, data(dense)); break;
    case 4: dequantizeRows<4>(w, data(dense)); break;
    case 3: dequantizeRows<3>(w, data(dense)); break;
    default: dequantizeRows<2>(w, data(dense));
  }
  return dense.to(dtype);
}

/** Adds to `sums` the products of two rows of codes, `pitch` bytes apart, with R rows of x, `K` apart, over some runs. */
template <int Bits, int64_t R>
inline void dotRuns(const uint8_t* from, int64_t pitch, const float* x, int64_t K, int64_t runs, const Table& first, const Table& second, Lanes (&sums)[4 * R]) {
  for (int64_t i = 0; i < runs; i++, from += 4 * Bits, x += kRun) {
    Lanes a, b, c, d;
    decodeRun<Bits>(from, first, a, b);
    decodeRun<Bits>(from + pitch, second, c, d);
#pragma GCC unroll 4
    for (int64_t r = 0; r < R; r++) {
      Lanes low = loadLanes(x + r * K), high = loadLanes(x + r * K + kLanes);
      sums[4 * r] += a * low;
      sums[4 * r + 1] += b * high;
      sums[4 * r + 2] += c * low;
      sums[4 * r + 3] += d * high;
    }
  }
}

/**
 * y [R, out] = x [R, in] · Wᵀ + bias, every code read once. Rows of W come in pairs, so that sums wait less for each other; one from each
 * half of W, so that memory is read as two long streams (neighbouring rows were read at half the speed). A block's scale goes into the
 * table that its codes are looked up in; codes of 8 bits have no table and one scale a row, which the sum is multiplied by.
 */
template <int Bits, int64_t R> void multiplyFew(const Stored& w, const float* x, const float* bias, float* y) {
  Reader reader(w);
  int64_t perRow = w.blocksPerRow(), K = w.columns, N = w.rows, half = (N + 1) / 2;
  // Σ x of each block, for formats with a minimum.
  std::vector<float> sumsOfX(w.mins.defined() ? R * perRow : 0);
  for (size_t i = 0; i < sumsOfX.size(); i++) {
    int64_t start = static_cast<int64_t>(i) % perRow * w.block, row = static_cast<int64_t>(i) / perRow;
    for (int64_t k = start; k < std::min(K, start + w.block); k++) sumsOfX[i] += x[row * K + k];
  }
  // What is behind the last whole run of a row goes through zeros: codes of 8 bits are not padded, x never is.
  int64_t lastBlock = (perRow - 1) * w.block, lastRuns = (K - lastBlock) / kRun, rest = (K - lastBlock) % kRun;
  float padded[R * kRun] = {};
  for (int64_t r = 0; r < R; r++) std::copy_n(x + (r + 1) * K - rest, rest, padded + r * kRun);
  parallelFor(0, half, std::max<int64_t>(8, kWorthSharing / (2 * R * K)), [&](int64_t begin, int64_t end) {
    std::vector<float> scales(2 * perRow);
    for (int64_t n = begin; n < end; n++) {
      int64_t second = n + half < N ? half : 0;  // from this row to its partner; the middle row of an odd number has none
      reader.readScales(n * perRow, perRow, scales.data());
      reader.readScales((n + second) * perRow, perRow, scales.data() + perRow);
      const uint8_t* from = reader.at(n * perRow);
      int64_t blockBytes = w.block * Bits / 8, pitch = second * perRow * blockBytes;
      Lanes sums[4 * R] = {};
      for (int64_t b = 0; b < perRow; b++) {
        bool isLast = b + 1 == perRow;
        const uint8_t* codes = from + b * blockBytes;
        Table one = Bits == 8 ? reader.table : reader.table.times(scales[b]), other = Bits == 8 ? reader.table : reader.table.times(scales[perRow + b]);
        dotRuns<Bits, R>(codes, pitch, x + b * w.block, K, isLast ? lastRuns : w.block / kRun, one, other, sums);
        if (isLast && rest > 0) {
          const uint8_t* tail = codes + lastRuns * 4 * Bits;
          uint8_t copies[2 * kRun] = {};
          if constexpr (Bits == 8) {
            std::copy_n(tail, rest, copies);
            std::copy_n(tail + pitch, rest, copies + kRun);
            dotRuns<Bits, R>(copies, kRun, padded, kRun, 1, one, other, sums);
          } else {
            dotRuns<Bits, R>(tail, pitch, padded, kRun, 1, one, other, sums);
          }
        }
      }
#pragma GCC unroll 2
      for (int64_t o = 0; o < 2; o++) {
        if (o == 1 && second == 0) continue;
        int64_t row = n + o * half;
#pragma GCC unroll 4
        for (int64_t r = 0; r < R; r++) {
          // fma by name: left to the compiler, it would depend on R which sums are rounded once and which twice.
          float sum = sumLanes(sums[4 * r + 2 * o] + sums[4 * r + 2 * o + 1]);
          sum = std::fma(sum, Bits == 8 ? scales[o] : 1.0f, bias ? bias[row] : 0.0f);
          if (reader.mins)
            for (int64_t b = 0; b < perRow; b++) sum = std::fma(reader.min(row * perRow + b), sumsOfX[r * perRow + b], sum);
          y[r * N + row] = sum;
        }
      }
    }
  });
}

template <int Bits> void multiplyRows(const Stored& w, int64_t rows, const float* x, const float* bias, float* y) {
  for (; rows > 0; rows -= kTile, x += kTile * w.columns, y += kTile * w.rows) switch (rows) {
      case 1: return multiplyFew<Bits, 1>(w, x, bias, y);
      case 2: return multiplyFew<Bits, 2>(w, x, bias, y);
      case 3: return multiplyFew<Bits, 3>(w, x, bias, y);
      default: multiplyFew<Bits, 4>(w, x, bias, y);
    }
}

// ---- linear --------------------------------------------------------------------------------------------------------------------

Tensor multiplyDense(const Tensor& x, const Stored& w, const Optional<Tensor>& bias) {
  auto sizes = x.sizes().vec();
  sizes.back() = w.rows;
  Tensor dense = dequantize(w, x.scalar_type()), rows = rowsOf(x);
  Tensor y = (fast(rows) ? productNT(rows, dense) : at::linear(rows, dense)).view(sizes);
  return bias.has_value() ? y.add_(*bias) : y;
}

struct QuantProduct : torch::autograd::Function<QuantProduct> {
  static Tensor forward(AutogradContext* context, const Tensor& x, const Optional<Tensor>& bias, const Stored& w) {
    context->save_for_backward(w.parts());
    context->saved_data["layout"] = std::vector<int64_t>{w.rows, w.columns, w.bits, w.block};
    context->saved_data["sizes"] = x.sizes().vec();
    context->saved_data["needX"] = x.requires_grad();
    context->saved_data["needBias"] = bias.has_value() && bias->requires_grad();
    return multiplyDense(x, w, bias);
  }
  static variable_list backward(AutogradContext* context, variable_list gradients) {
    onceDifferentiable("quant_linear");
    auto part = context->get_saved_variables();
    auto layout = context->saved_data["layout"].toIntVector();
    Tensor dy = rowsOf(gradients[0]), dx;
    if (context->saved_data["needX"].toBool()) {
      Stored w{part[0], part[1], part[2], part[3], part[4], part[5], part[6], layout[0], layout[1], layout[2], layout[3]};
      Tensor dense = dequantize(w, dy.scalar_type());
      dx = (fast(dy) ? product(dy, dense) : dy.matmul(dense)).view(context->saved_data["sizes"].toIntVector());
    }
    return {dx, context->saved_data["needBias"].toBool() ? dy.sum(0) : Tensor(), Tensor()};
  }
};

Tensor quantDequantize(const Tensor& codes, const Tensor& scales, const Optional<Tensor>& scaleScales, const Optional<Tensor>& scaleOffset, const Optional<Tensor>& mins,
                       const Optional<Tensor>& levels, const Optional<Tensor>& scaleLevels, int64_t rows, int64_t columns, int64_t bits, int64_t block, at::ScalarType dtype) {
  return dequantize(readStored(codes, scales, scaleScales, scaleOffset, mins, levels, scaleLevels, rows, columns, bits, block), dtype);
}

Tensor quantLinear(const Tensor& x, const Optional<Tensor>& bias, const Tensor& codes, const Tensor& scales, const Optional<Tensor>& scaleScales, const Optional<Tensor>& scaleOffset,
                   const Optional<Tensor>& mins, const Optional<Tensor>& levels, const Optional<Tensor>& scaleLevels, int64_t rows, int64_t columns, int64_t bits, int64_t block) {
  Stored w = readStored(codes, scales, scaleScales, scaleOffset, mins, levels, scaleLevels, rows, columns, bits, block);
  TORCH_CHECK(x.dim() > 0 && x.size(-1) == columns, "expected x [...,", columns, "]");
  if (recording({x}) || (bias.has_value() && recording({*bias}))) return QuantProduct::apply(x, bias, w);
  int64_t count = x.numel() / columns;
  bool isHalf = x.scalar_type() == at::kBFloat16;
  if (!x.device().is_cpu() || !(isHalf || fast(x)) || count == 0 || count > kFewRows || w.runsOn()) return multiplyDense(x, w, bias);
  Tensor input = x.to(at::kFloat).contiguous(), b = bias.has_value() ? bias->to(at::kFloat).contiguous() : Tensor();
  auto sizes = x.sizes().vec();
  sizes.back() = rows;
  Tensor y = at::empty(sizes, input.options());
  const float* pb = b.defined() ? data(b) : nullptr;
  switch (bits) {
    case 8: multiplyRows<8>(w, count, data(input), pb, data(y)); break;
    case 4: multiplyRows<4>(w, count, data(input), pb, data(y)); break;
    case 3: multiplyRows<3>(w, count, data(input), pb, data(y)); break;
    default: multiplyRows<2>(w, count, data(input), pb, data(y));
  }
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

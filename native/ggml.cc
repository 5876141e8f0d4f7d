// ggml_linear, ggml_rows and ggml_dequantize: matrices as the blocks of a GGUF file, [rows, bytes of a row].
#include "frozen-product.h"
#include "multiply.h"
#include "ggml-blocks.h"

namespace anneal {
namespace {

/** The blocks of a matrix [rows, columns]; `pairedHead` is PanelSource's. */
struct Blocks {
  Tensor bytes;
  int64_t type, rows, columns, pairedHead;
  static constexpr const char* name = "ggml_linear";

  static Blocks checked(const Tensor& blocks, int64_t type, int64_t rows, int64_t columns, int64_t pairedHead) {
    int64_t rowBytes = ggmlRowBytes(type, columns);
    TORCH_CHECK(blocks.device().is_cpu() && blocks.is_contiguous() && blocks.scalar_type() == at::kByte && blocks.numel() == rows * rowBytes, "expected u8 blocks of ", rows * rowBytes,
                " bytes on the CPU for [", rows, ",", columns, "]");
    return {blocks, type, rows, columns, pairedHead};
  }
  variable_list parts() const { return {bytes}; }
  std::vector<int64_t> layout() const { return {type, rows, columns, pairedHead}; }
  static Blocks from(const variable_list& part, const std::vector<int64_t>& layout) { return {part[0], layout[0], layout[1], layout[2], layout[3]}; }
  std::unique_ptr<PanelSource> source() const { return ggmlSource(type, bytes.data_ptr<uint8_t>(), rows, columns, pairedHead); }
  Tensor dense(at::ScalarType dtype) const { return readMatrix(*source()).to(dtype); }
};

Tensor ggmlLinear(const Tensor& x, const Optional<Tensor>& bias, const Tensor& blocks, int64_t type, int64_t rows, int64_t columns, int64_t pairedHead) {
  Blocks w = Blocks::checked(blocks, type, rows, columns, pairedHead);
  TORCH_CHECK(x.dim() > 0 && x.size(-1) == columns, "expected x [...,", columns, "]");
  // In training all of a pass is computed from the same numbers, also where nothing is recorded, as in checkpointing's first pass.
  if (!isInference() || at::GradMode::is_enabled()) return FrozenProduct<Blocks>::apply(x, bias, w);
  bool isNarrow = x.scalar_type() == at::kFloat || x.scalar_type() == at::kBFloat16;
  return isNarrow ? integerLinear(x, *w.source(), bias) : multiplyDense(x, w.dense(x.scalar_type()), bias);
}

Tensor ggmlRows(const Tensor& ids, const Tensor& blocks, int64_t type, int64_t rows, int64_t columns, int64_t pairedHead) {
  Blocks w = Blocks::checked(blocks, type, rows, columns, pairedHead);
  TORCH_CHECK(ids.device().is_cpu() && ids.scalar_type() == at::kLong, "expected ids of i64 on the CPU");
  Tensor wanted = ids.contiguous();
  const int64_t* id = wanted.data_ptr<int64_t>();
  for (int64_t i = 0; i < wanted.numel(); i++) TORCH_CHECK_INDEX(id[i] >= 0 && id[i] < rows, "expected rows below ", rows, ", got ", id[i]);
  auto sizes = ids.sizes().vec();
  sizes.push_back(columns);
  Tensor values = at::empty(sizes, at::kFloat);
  readRows(*w.source(), id, wanted.numel(), data(values));
  return values;
}

Tensor ggmlDequantize(const Tensor& blocks, int64_t type, int64_t rows, int64_t columns, int64_t pairedHead) { return Blocks::checked(blocks, type, rows, columns, pairedHead).dense(at::kFloat); }

}  // namespace

TORCH_LIBRARY_FRAGMENT(anneal, m) {
  m.def("ggml_linear(Tensor x, Tensor? bias, Tensor blocks, int type, int rows, int columns, int paired_head) -> Tensor", &ggmlLinear);
  m.def("ggml_rows(Tensor ids, Tensor blocks, int type, int rows, int columns, int paired_head) -> Tensor", &ggmlRows);
  m.def("ggml_dequantize(Tensor blocks, int type, int rows, int columns, int paired_head) -> Tensor", &ggmlDequantize);
}

}  // namespace anneal

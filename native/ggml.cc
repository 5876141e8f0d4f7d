// Matrices as the blocks of a GGUF file, [rows, bytes of a row], and ggml_rows, which looks up rows of one.
#include "frozen.h"
#include "ggml-blocks.h"

namespace anneal {
namespace {

/** The blocks of a matrix [rows, columns]; `pairedHead` is PanelSource's. */
struct Blocks : FrozenMatrix {
  Tensor bytes;
  int64_t type, pairedHead;

  Blocks(const Tensor& blocks, int64_t type, int64_t rows, int64_t columns, int64_t pairedHead) : bytes(blocks), type(type), pairedHead(pairedHead) {
    this->rows = rows;
    this->columns = columns;
    int64_t rowBytes = ggmlRowBytes(type, columns);
    TORCH_CHECK(blocks.device().is_cpu() && blocks.is_contiguous() && blocks.scalar_type() == at::kByte && blocks.numel() == rows * rowBytes, "expected u8 blocks of ", rows * rowBytes,
                " bytes on the CPU for [", rows, ",", columns, "]");
  }
  variable_list parts() const override { return {bytes}; }
  std::vector<int64_t> layout() const override { return {kBlocks, 1, type, rows, columns, pairedHead}; }
  std::unique_ptr<PanelSource> source() const override { return ggmlSource(type, bytes.data_ptr<uint8_t>(), rows, columns, pairedHead); }
  Tensor dense(at::ScalarType dtype) const override { return readMatrix(*source()).to(dtype); }
};

Tensor ggmlRows(const Tensor& ids, const Tensor& blocks, int64_t type, int64_t rows, int64_t columns, int64_t pairedHead) {
  Blocks w(blocks, type, rows, columns, pairedHead);
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

}  // namespace

std::unique_ptr<FrozenMatrix> blocksMatrix(const variable_list& parts, at::IntArrayRef layout) {
  return std::make_unique<Blocks>(parts[0], layout[0], layout[1], layout[2], layout[3]);
}

TORCH_LIBRARY_FRAGMENT(anneal, m) { m.def("ggml_rows(Tensor ids, Tensor blocks, int type, int rows, int columns, int paired_head) -> Tensor", &ggmlRows); }

}  // namespace anneal

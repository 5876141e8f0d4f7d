// Matrices that are stored otherwise than as floats and never trained, whatever the format (quant.cc, ggml.cc).
#pragma once

#include <memory>

#include "fused.h"
#include "integer-dot.h"

namespace anneal {

/** A stored matrix [rows, columns]. */
struct FrozenMatrix {
  int64_t rows, columns;

  virtual ~FrozenMatrix() = default;
  /** What it is made of again by `frozenMatrix`. */
  virtual variable_list parts() const = 0;
  virtual std::vector<int64_t> layout() const = 0;
  /** The matrix in floats. */
  virtual Tensor dense(at::ScalarType dtype) const = 0;
  /** What its codes are read by, for products as integers; null where they are no numbers or not on the CPU. */
  virtual std::unique_ptr<PanelSource> source() const = 0;
  /** y [count, rows] = x [count, columns] · Wᵀ + bias in f32 from what is stored; false where there is no such way. */
  virtual bool multiply(int64_t /*count*/, const float* /*x*/, const float* /*bias*/, float* /*y*/) const { return false; }
};

/** Kinds of matrices: the first number of a layout. The second counts parts; four follow, which are the kind's own. */
constexpr int64_t kCodes = 0, kBlocks = 1, kLayoutLength = 6;

std::unique_ptr<FrozenMatrix> codesMatrix(const variable_list& parts, at::IntArrayRef layout);
std::unique_ptr<FrozenMatrix> blocksMatrix(const variable_list& parts, at::IntArrayRef layout);

inline std::unique_ptr<FrozenMatrix> frozenMatrix(const variable_list& parts, at::IntArrayRef layout) {
  return layout[0] == kBlocks ? blocksMatrix(parts, layout.slice(2)) : codesMatrix(parts, layout.slice(2));
}

}  // namespace anneal

// Matrix products of the fused operators, by the fastest library that LibTorch carries for this processor.
#pragma once

#include <ATen/ATen.h>

namespace anneal {

/** How float32 matrices are multiplied here: mkl, onednn, bf16x3 or bf16x6. */
const char* matmulName();

/** a · bᵀ for a [M, K] and b [N, K], any strides; outside autograd. */
at::Tensor productNT(const at::Tensor& a, const at::Tensor& b);

/** a · bᵀ in bf16, added in float32: a and b are float32 or bf16, as is what comes out (`dtype`). */
at::Tensor roundedProductNT(const at::Tensor& a, const at::Tensor& b, at::ScalarType dtype);

/** a · b for a [M, K] and b [K, N]. */
inline at::Tensor product(const at::Tensor& a, const at::Tensor& b) { return productNT(a, b.t()); }

}  // namespace anneal

// Matrix products of the fused operators, by the fastest library that LibTorch carries for this processor.
#pragma once

#include <ATen/ATen.h>

namespace anneal {

/** a · bᵀ for a [M, K] and b [N, K], any strides; outside autograd. */
at::Tensor productNT(const at::Tensor& a, const at::Tensor& b);

/** a · b for a [M, K] and b [K, N]. */
inline at::Tensor product(const at::Tensor& a, const at::Tensor& b) { return productNT(a, b.t()); }

}  // namespace anneal

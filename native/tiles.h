// Products on the matrix unit of Intel processors (AMX), which multiplies bf16 and adds in float32.
#pragma once

#include <ATen/ATen.h>

namespace anneal {

/** Whether the add-on was built for a processor with the unit, and the system lets this process use it. */
bool hasTiles();

/**
 * a · bᵀ for a [M, K] and b [N, K], float32 or bf16, any strides; outside autograd. Numbers are cut into `parts` of bf16, whose products are
 * added in float32: 1 rounds to bf16; with 2, three products leave an error of about 4e-6; with 3, six leave less than float32's own.
 * Every sum has the same order whatever the number of threads. Numbers below 1e-38 count as zero, and an infinity gives NaN with more than one part.
 */
at::Tensor tileProductNT(const at::Tensor& a, const at::Tensor& b, int64_t parts, at::ScalarType dtype);

}  // namespace anneal

// Matrices as they lie in GGUF files: blocks of ggml, read into panels. What the bytes mean is ggml/src/ggml-common.h, `block_q8_0` and so on.
#pragma once

#include <memory>

#include "integer-dot.h"

namespace anneal {

/**
 * The reader of a matrix [rows, columns] whose rows of blocks begin at `base`. `type` is ggml's number of the type; heads are as in
 * `PanelSource::pairedHead`. A c10::Error for a type that is not computed with and for rows that are no whole blocks.
 */
std::unique_ptr<PanelSource> ggmlSource(int64_t type, const uint8_t* base, int64_t rows, int64_t columns, int64_t pairedHead);

/** Bytes of a row. */
int64_t ggmlRowBytes(int64_t type, int64_t columns);

}  // namespace anneal

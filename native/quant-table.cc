// Products with matrices whose codes index a table of numbers (nf4, nf3, nf2), in f32. A sum has one order whatever the number of rows.
#include "pool.h"
#include "stored.h"

namespace anneal {
namespace {

/**
 * Adds to `sums` the products of two rows of W with R rows of x, `pitch` apart, over some runs of 32 columns: two vectors of lanes for
 * each pair. `read(i, a, b, c, d)` gives run i of the first row and of the second.
 */
template <int64_t R, class Read> inline void dotRuns(const Read& read, const float* x, int64_t pitch, int64_t runs, Lanes (&sums)[4 * R]) {
  for (int64_t i = 0; i < runs; i++, x += kRun) {
    Lanes a, b, c, d;
    read(i, a, b, c, d);
#pragma GCC unroll 4
    for (int64_t r = 0; r < R; r++) {
      Lanes low = loadLanes(x + r * pitch), high = loadLanes(x + r * pitch + kLanes);
      sums[4 * r] = fma(a, low, sums[4 * r]);
      sums[4 * r + 1] = fma(b, high, sums[4 * r + 1]);
      sums[4 * r + 2] = fma(c, low, sums[4 * r + 2]);
      sums[4 * r + 3] = fma(d, high, sums[4 * r + 3]);
    }
  }
}

/** A matrix, and x [rows, padded] with zeros behind the columns. */
template <int Bits> struct TableProduct {
  const Stored& w;
  const Reader reader;
  const float *x, *bias;
  float* y;
  const int64_t rows, padded, perRow, half;

  TableProduct(const Stored& stored, int64_t count, const float* in, int64_t width, const float* addend, float* out)
      : w(stored), reader(stored), x(in), bias(addend), y(out), rows(count), padded(width), perRow(stored.blocksPerRow()), half((stored.rows + 1) / 2) {}

  /**
   * Rows n and n + half of W: two, so that sums wait less for each other, and far apart, so that memory is read as two streams. A block's
   * scale goes into the table that its codes are looked up in.
   */
  void run(int64_t n, float* decoded) const {
    int64_t other = n + half < w.rows ? half : 0;  // the middle row of an odd number has no partner
    if (rows <= kTile) return tile(n, other, 0, rows, nullptr);
    for (int64_t b = 0; b < perRow; b++)
      eachRun(n, other, b, [&](int64_t run, Lanes a, Lanes second, Lanes c, Lanes d) {
        float* to = decoded + (b * w.block + run * kRun) * 2;
        storeLanes(to, a);
        storeLanes(to + kLanes, second);
        storeLanes(to + 2 * kLanes, c);
        storeLanes(to + 3 * kLanes, d);
      });
    for (int64_t first = 0; first < rows; first += kTile) tile(n, other, first, std::min(kTile, rows - first), decoded);
  }

  template <class Visit> void eachRun(int64_t n, int64_t other, int64_t b, const Visit& visit) const {
    int64_t block = n * perRow + b, second = block + other * perRow;
    const uint8_t *codes = reader.at(block), *partner = reader.at(second);
    Table one = reader.table.times(reader.scale(block)), two = reader.table.times(reader.scale(second));
    int64_t runs = std::min(w.block, padded - b * w.block) / kRun;
    for (int64_t i = 0; i < runs; i++) {
      Lanes first[2], next[2];
      decodeRun<Bits>(codes + i * 4 * Bits, one, first[0], first[1]);
      decodeRun<Bits>(partner + i * 4 * Bits, two, next[0], next[1]);
      visit(i, first[0], first[1], next[0], next[1]);
    }
  }

  void tile(int64_t n, int64_t other, int64_t first, int64_t count, const float* decoded) const {
    switch (count) {
      case 1: return multiply<1>(n, other, first, decoded);
      case 2: return multiply<2>(n, other, first, decoded);
      case 3: return multiply<3>(n, other, first, decoded);
      default: return multiply<4>(n, other, first, decoded);
    }
  }

  template <int64_t R> void multiply(int64_t n, int64_t other, int64_t first, const float* decoded) const {
    Lanes sums[4 * R] = {};
    const float* in = x + first * padded;
    if (decoded != nullptr) {
      auto read = [&](int64_t i, Lanes& a, Lanes& b, Lanes& c, Lanes& d) {
        const float* from = decoded + 2 * i * kRun;
        a = loadLanes(from);
        b = loadLanes(from + kLanes);
        c = loadLanes(from + 2 * kLanes);
        d = loadLanes(from + 3 * kLanes);
      };
      dotRuns<R>(read, in, padded, padded / kRun, sums);
    } else {
      for (int64_t b = 0; b < perRow; b++)
        eachRun(n, other, b, [&](int64_t run, Lanes a, Lanes second, Lanes c, Lanes d) {
          auto read = [&](int64_t, Lanes& k, Lanes& l, Lanes& m, Lanes& o) { k = a, l = second, m = c, o = d; };
          dotRuns<R>(read, in + b * w.block + run * kRun, padded, 1, sums);
        });
    }
#pragma GCC unroll 2
    for (int64_t o = 0; o < 2; o++) {
      if (o == 1 && other == 0) continue;
      int64_t row = n + o * other;
#pragma GCC unroll 4
      for (int64_t r = 0; r < R; r++) y[(first + r) * w.rows + row] = sumLanes(sums[4 * r + 2 * o] + sums[4 * r + 2 * o + 1]) + (bias ? bias[row] : 0.0f);
    }
  }
};

template <int Bits> void multiplyAll(const Stored& w, int64_t rows, const float* x, int64_t padded, const float* bias, float* y) {
  TableProduct<Bits> product(w, rows, x, padded, bias, y);
  parallelFor(0, product.half, std::max<int64_t>(1, kWorthSharing / (2 * rows * padded)), [&](int64_t begin, int64_t end) {
    std::vector<float> decoded(rows > kTile ? 2 * padded : 0);
    for (int64_t n = begin; n < end; n++) product.run(n, decoded.data());
  });
}

}  // namespace

void multiplyTable(const Stored& w, int64_t rows, const float* x, const float* bias, float* y) {
  if (rows == 0) return;
  int64_t padded = (w.columns + kRun - 1) / kRun * kRun;
  std::vector<float> copy;
  if (padded != w.columns) {
    copy.resize(rows * padded);
    for (int64_t r = 0; r < rows; r++) std::copy_n(x + r * w.columns, w.columns, copy.data() + r * padded);
    x = copy.data();
  }
  switch (w.bits) {
    case 4: return multiplyAll<4>(w, rows, x, padded, bias, y);
    case 3: return multiplyAll<3>(w, rows, x, padded, bias, y);
    default: return multiplyAll<2>(w, rows, x, padded, bias, y);
  }
}

}  // namespace anneal

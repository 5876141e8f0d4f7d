#include "multiply.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "lanes.h"
#include "pool.h"
#include "rows.h"

namespace anneal {
namespace {

// A tile of rows times outputs has its sums in registers, and enough of them that none waits for another.
#if defined(__AVX512F__)
constexpr int64_t kRows = 4, kOutputs = 6;
#else
constexpr int64_t kRows = 2, kOutputs = 3;
#endif
/** Up to so many rows the weight is read in as many streams as a tile has outputs, which memory gives faster than one. */
constexpr int64_t kStreamed = 16;
/** How many tiles of rows pass by the weights of one, and elements of K that are multiplied before the next ones, so that all of them stay in the first cache. */
constexpr int64_t kTiles = 3, kPanel = 576;
/** Elements of a weight that stay in the second cache while rows pass by, how many rows pass before the next ones, and fewest where there are more threads. */
constexpr int64_t kBlock = 131072, kMostRows = 256, kLeastRows = 32;

inline Lanes read(const float* from) { return loadLanes(from); }
inline Lanes read(const float* from, int64_t count) { return loadLanes(from, count); }
/** bf16 is the upper half of f32. */
inline Lanes read(const uint16_t* from) {
#if defined(__AVX512F__)
  return (Lanes)_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from))), 16);
#else
  uint32_t wide[kLanes];
  for (int64_t i = 0; i < kLanes; i++) wide[i] = static_cast<uint32_t>(from[i]) << 16;
  Lanes value;
  std::memcpy(&value, wide, sizeof value);
  return value;
#endif
}
inline Lanes read(const uint16_t* from, int64_t count) {
  uint16_t padded[kLanes] = {};
  std::copy_n(from, count, padded);
  return read(padded);
}

template <class Weight> using Pointers = const Weight* const (&)[kOutputs];

/** sums[r · kOutputs + o] += x[r] · w[o] over `length`; only behind the end of K is that no multiple of sixteen. */
template <int64_t R, bool Ahead, class Weight>
inline void addProducts(const float* x, int64_t K, Pointers<Weight> w, int64_t from, int64_t length, Lanes (&sums)[R * kOutputs]) {
  constexpr int64_t kAhead = 4096 / sizeof(Weight);  // what memory gives while the tile before is multiplied
  int64_t k = from, end = from + length;
  for (; k + kLanes <= end; k += kLanes) {
#pragma GCC unroll 8
    for (int64_t o = 0; o < kOutputs; o++) {
      if (Ahead) __builtin_prefetch(w[o] + k + kAhead);
      Lanes part = read(w[o] + k);
#pragma GCC unroll 8
      for (int64_t r = 0; r < R; r++) sums[r * kOutputs + o] += part * loadLanes(x + r * K + k);
    }
  }
  if (k == end) return;
#pragma GCC unroll 8
  for (int64_t o = 0; o < kOutputs; o++) {
    Lanes part = read(w[o] + k, end - k);
#pragma GCC unroll 8
    for (int64_t r = 0; r < R; r++) sums[r * kOutputs + o] += part * loadLanes(x + r * K + k, end - k);
  }
}

template <int64_t R> using Rows = std::integral_constant<int64_t, R>;
/** Calls body(Rows<R>()) with the size of the next tile of rows. */
template <class Body> inline void withRows(int64_t left, Body body) {
  switch (left) {
    case 1: return body(Rows<1>());
#if defined(__AVX512F__)
    case 2: return body(Rows<2>());
    case 3: return body(Rows<3>());
#endif
    default: body(Rows<kRows>());
  }
}

/** What becomes of a sum. */
inline float finish(float sum, const Factor& factor, int64_t row, int64_t output) {
  if (factor.bias) sum += factor.bias[output];
  return factor.residual ? sum + factor.residual[row * factor.outputs + output] : sum;
}

// ---- few rows: as many streams as a tile has outputs -----------------------------------------------------------------------------

template <int64_t R, bool Ahead, class Weight> void streamTile(const float* x, int64_t K, Pointers<Weight> w, const Factor& factor, int64_t row, int64_t first, int64_t apart) {
  Lanes sums[R * kOutputs] = {};
  addProducts<R, Ahead, Weight>(x + row * K, K, w, 0, K, sums);
#if defined(__AVX512F__)
  __m512 vectors[(R * kOutputs + 15) / 16];
  sumLanes(sums, vectors);
  const float* added = reinterpret_cast<const float*>(vectors);
#endif
#pragma GCC unroll 8
  for (int64_t o = 0; o < kOutputs; o++) {
    int64_t at = first + o * apart;
    if (at >= factor.outputs) break;
#pragma GCC unroll 8
    for (int64_t r = 0; r < R; r++) {
#if defined(__AVX512F__)
      float sum = added[r * kOutputs + o];
#else
      float sum = sumLanes(sums[r * kOutputs + o]);
#endif
      factor.y[(row + r) * factor.outputs + at] = finish(sum, factor, row + r, at);
    }
  }
}

int64_t streamLength(const Factor& factor) { return (factor.outputs + kOutputs - 1) / kOutputs; }

template <class Weight> void streamOutputs(const float* x, int64_t rows, int64_t K, const Factor& factor, int64_t begin, int64_t end) {
  int64_t apart = streamLength(factor);
  for (int64_t n = begin; n < end; n++) {
    const Weight* w[kOutputs];
    for (int64_t o = 0; o < kOutputs; o++) w[o] = static_cast<const Weight*>(factor.weight) + std::min(n + o * apart, factor.outputs - 1) * K;
    auto tiles = [&](auto ahead, int64_t row) {
      withRows(rows - row, [&](auto count) { streamTile<decltype(count)::value, decltype(ahead)::value, Weight>(x, K, w, factor, row, n, apart); });
    };
    tiles(std::true_type(), 0);
    for (int64_t row = kRows; row < rows; row += kRows) tiles(std::false_type(), row);
  }
}

// ---- many rows: blocks that stay in the caches -----------------------------------------------------------------------------------

#if defined(__AVX512F__)
/** Puts the sums of a tile into y. */
template <int... r> inline void storeTile(const __m512* sums, const Factor& factor, int64_t row, int64_t output, std::integer_sequence<int, r...>) {
  auto mask = static_cast<__mmask16>((1u << std::min(kOutputs, factor.outputs - output)) - 1);
  auto put = [&](int64_t at, __m512i sum) {
    int64_t to = (row + at) * factor.outputs + output;
    __m512 value = _mm512_castsi512_ps(sum);
    if (factor.bias) value += _mm512_maskz_loadu_ps(mask, factor.bias + output);
    if (factor.residual) value += _mm512_maskz_loadu_ps(mask, factor.residual + to);
    _mm512_mask_storeu_ps(factor.y + to, mask, value);
  };
  auto bits = [&](int64_t i) { return _mm512_castps_si512(sums[i]); };
  (put(r, _mm512_alignr_epi32(bits(r * kOutputs / 16 + 1), bits(r * kOutputs / 16), r * kOutputs % 16)), ...);
}
#endif

/** Adds the products over a panel of K to what earlier panels left in `kept`; the last panel leaves them in y. */
template <int64_t R>
inline void panelTile(const float* x, int64_t K, Pointers<float> w, int64_t from, int64_t length, Lanes* kept, const Factor& factor, int64_t row, int64_t output) {
  Lanes sums[R * kOutputs];
#pragma GCC unroll 32
  for (int64_t i = 0; i < R * kOutputs; i++) sums[i] = from == 0 ? Lanes{} : kept[i];
  addProducts<R, false, float>(x + row * K, K, w, from, length, sums);
  if (from + length < K) {
#pragma GCC unroll 32
    for (int64_t i = 0; i < R * kOutputs; i++) kept[i] = sums[i];
    return;
  }
#if defined(__AVX512F__)
  __m512 vectors[(R * kOutputs + 15) / 16 + 1] = {};
  sumLanes(sums, reinterpret_cast<__m512(&)[(R * kOutputs + 15) / 16]>(vectors));
  storeTile(vectors, factor, row, output, std::make_integer_sequence<int, R>());
#else
  for (int64_t r = 0; r < R; r++)
    for (int64_t o = 0; o < std::min(kOutputs, factor.outputs - output); o++)
      factor.y[(row + r) * factor.outputs + output + o] = finish(sumLanes(sums[r * kOutputs + o]), factor, row + r, output + o);
#endif
}

/** Outputs of a block. */
int64_t blockOutputs(int64_t K) { return std::min<int64_t>(32, std::max<int64_t>(4, kBlock / (K * kOutputs))) * kOutputs; }

/** Rows [row, lastRow) times outputs [begin, end) of a block, whose weights begin at `weight`. */
void multiplyBlock(const float* x, int64_t K, const float* weight, const Factor& factor, int64_t row, int64_t lastRow, int64_t begin, int64_t end) {
  int64_t panels = (K + kPanel - 1) / kPanel, panel = ((K + panels - 1) / panels + kLanes - 1) / kLanes * kLanes;
  thread_local std::vector<float> memory;  // Lanes of all tiles that pass together, for which no vector is aligned enough
  memory.resize(static_cast<size_t>(((end - begin) / kOutputs + 1) * kTiles * kRows * kOutputs + 1) * kLanes);
  auto* kept = reinterpret_cast<Lanes*>((reinterpret_cast<uintptr_t>(memory.data()) + sizeof(Lanes) - 1) / sizeof(Lanes) * sizeof(Lanes));
  for (; row < lastRow; row += kTiles * kRows) {
    int64_t last = std::min(lastRow, row + kTiles * kRows);
    for (int64_t from = 0; from < K; from += panel) {
      int64_t length = std::min(panel, K - from);
      Lanes* at = kept;
      for (int64_t output = begin; output < end; output += kOutputs) {
        const float* w[kOutputs];
        for (int64_t o = 0; o < kOutputs; o++) w[o] = weight + (std::min(output + o, end - 1) - begin) * K;
        for (int64_t tile = row; tile < last; tile += kRows, at += kRows * kOutputs)
          withRows(last - tile, [&](auto count) { panelTile<decltype(count)::value>(x, K, w, from, length, at, factor, tile, output); });
      }
    }
  }
}

/** Weights [begin, end) as f32, in memory of this thread where they are stored otherwise. */
const float* blockWeights(const Factor& factor, int64_t K, int64_t begin, int64_t end) {
  if (!factor.isHalf) return static_cast<const float*>(factor.weight) + begin * K;
  thread_local std::vector<float> wide;
  int64_t count = (end - begin) * K, i = 0;
  wide.resize(static_cast<size_t>(count));
  const uint16_t* from = static_cast<const uint16_t*>(factor.weight) + begin * K;
  for (; i + kLanes <= count; i += kLanes) storeLanes(wide.data() + i, read(from + i));
  if (i < count) {
    Lanes rest = read(from + i, count - i);
    std::memcpy(wide.data() + i, &rest, static_cast<size_t>(count - i) * sizeof(float));
  }
  return wide.data();
}

// ---- both --------------------------------------------------------------------------------------------------------------------------

/** The products of rows [row, lastRow) with outputs [from, to) of both, as one. */
void activate(const Factor& gate, const Factor& up, int64_t row, int64_t lastRow, int64_t from, int64_t to) {
  for (int64_t r = row; r < lastRow && from < to; r++) {
    int64_t at = r * gate.outputs + from;
    swigluRange(gate.y + at, up.y + at, gate.y + at, to - from);
  }
}

/** Calls body(factor, begin, end) for the parts of [begin, end), which counts through the `pieces(factor)` of all factors. */
template <class Pieces, class Body> void eachFactor(const Factor* factors, int64_t count, int64_t begin, int64_t end, Pieces pieces, Body body) {
  for (int64_t f = 0, first = 0; f < count && first < end; f++) {
    int64_t own = pieces(factors[f]), from = std::max(begin, first), to = std::min(end, first + own);
    if (from < to) body(factors[f], from - first, to - first);
    first += own;
  }
}

void multiplyFew(const float* x, int64_t rows, int64_t K, const Factor* factors, int64_t count, const Factor* up) {
  int64_t groups = 0;
  for (int64_t f = 0; f < count; f++) groups += streamLength(factors[f]);
  auto stream = [&](const Factor& factor, int64_t begin, int64_t end) {
    if (factor.isHalf) streamOutputs<uint16_t>(x, rows, K, factor, begin, end);
    else streamOutputs<float>(x, rows, K, factor, begin, end);
  };
  parallelFor(0, groups, kWorthSharing / (K * kOutputs * rows * (up ? 2 : 1)), [&](int64_t first, int64_t last) {
    eachFactor(factors, count, first, last, streamLength, [&](const Factor& factor, int64_t begin, int64_t end) {
      stream(factor, begin, end);
      if (!up) return;
      stream(*up, begin, end);
      for (int64_t o = 0; o < kOutputs; o++) activate(factor, *up, 0, rows, o * streamLength(factor) + begin, std::min(factor.outputs, o * streamLength(factor) + end));
    });
  });
}

void multiplyMany(const float* x, int64_t rows, int64_t K, const Factor* factors, int64_t count, const Factor* up) {
  int64_t width = blockOutputs(K), across = 0;
  for (int64_t f = 0; f < count; f++) across += (factors[f].outputs + width - 1) / width;
  if (across == 0) return;
  int64_t threads = at::get_num_threads(), wanted = threads > 1 ? threads * kChunksPerThread : 1;
  int64_t down = std::max((rows + kMostRows - 1) / kMostRows, std::min((wanted + across - 1) / across, rows / kLeastRows));
  int64_t height = ((rows + down - 1) / down + kRows - 1) / kRows * kRows;
  down = (rows + height - 1) / height;
  auto pieces = [&](const Factor& factor) { return (factor.outputs + width - 1) / width * down; };
  parallelFor(0, across * down, 1, [&](int64_t first, int64_t last) {
    eachFactor(factors, count, first, last, pieces, [&](const Factor& factor, int64_t begin, int64_t end) {
      while (begin < end) {  // all pieces of one block of outputs at once
        int64_t output = begin / down * width, lastOutput = std::min(factor.outputs, output + width), stop = std::min(end, (begin / down + 1) * down);
        int64_t row = begin % down * height, lastRow = std::min(rows, row + (stop - begin) * height);
        multiplyBlock(x, K, blockWeights(factor, K, output, lastOutput), factor, row, lastRow, output, lastOutput);
        if (up) {
          multiplyBlock(x, K, blockWeights(*up, K, output, lastOutput), *up, row, lastRow, output, lastOutput);
          activate(factor, *up, row, lastRow, output, lastOutput);
        }
        begin = stop;
      }
    });
  });
}

}  // namespace

bool& isInference() {
  thread_local bool value = false;
  return value;
}

void multiply(const float* x, int64_t rows, int64_t K, const Factor* factors, int64_t count) {
  (rows <= kStreamed ? multiplyFew : multiplyMany)(x, rows, K, factors, count, nullptr);
}

void multiplyGated(const float* x, int64_t rows, int64_t K, const Factor& gate, const Factor& up) {
  (rows <= kStreamed ? multiplyFew : multiplyMany)(x, rows, K, &gate, 1, &up);
}

}  // namespace anneal

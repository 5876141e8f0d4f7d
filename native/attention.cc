// paged_attention: rotates queries and keys, writes keys and values into the blocks of the cache and attends, for the rows of any number of
// sequences in one call. What a row gets depends on its own sequence alone, bit for bit: every sum over a sequence runs from its first block
// to its last, whoever else is in the call and however the rows are shared among threads.
// Shapes: R rows, H heads, G key/value heads, E head dimension, P = E filled up to a multiple of 16, S sequences, 16 tokens a block.
#include "fused.h"
#include "lanes.h"
#include "pool.h"

#if defined(__AVX512F__)
#include <immintrin.h>
#endif

namespace anneal {
namespace {

constexpr int64_t kBlock = kLanes;

inline Lanes load(const float* from) { return loadLanes(from); }
inline Lanes load(const at::Half* from) {
#if defined(__AVX512F__)
  return (Lanes)_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
#else
  Lanes value;
  for (int64_t i = 0; i < kLanes; i++) value[i] = static_cast<float>(from[i]);
  return value;
#endif
}

/** [B, T, heads, E] or [R, heads, E] as rows whose heads follow each other; a copy only where they do not. */
struct Heads {
  Tensor kept;
  const float* data;
  int64_t stride;  // numbers from one row to the next

  Heads(const Tensor& t, int64_t heads, int64_t E) {
    Tensor rows = t.reshape({-1, heads, E});
    kept = rows.stride(2) == 1 && rows.stride(1) == E ? rows : rows.contiguous();
    data = kept.data_ptr<float>();
    stride = kept.stride(0);
  }
};

/** The rotation of one head by the angles of its row (half-split layout); without angles a copy. */
inline void turn(const float* in, const float* cos, const float* sin, int64_t half, int64_t E, float* out) {
#pragma omp simd
  for (int64_t i = 0; i < half; i++) {
    out[i] = in[i] * cos[i] - in[i + half] * sin[i];
    out[i + half] = in[i + half] * cos[i] + in[i] * sin[i];
  }
  std::copy(in + 2 * half, in + E, out + 2 * half);
}

struct Call {
  Heads q, k, v;
  const float *cos, *sin;
  const int32_t *tables, *rows;
  int64_t R, H, G, E, P, half, tableWidth, window;
  float scale, softcap;
  float* y;

  int64_t sequence(int64_t row) const { return rows[2 * row]; }
  int64_t position(int64_t row) const { return rows[2 * row + 1]; }
  int64_t block(int64_t row, int64_t index) const { return tables[sequence(row) * tableWidth + index]; }
  int64_t firstSeen(int64_t position) const { return window > 0 ? std::max<int64_t>(0, position - window + 1) : 0; }
};

/** Keys lie [E, 16] in a block, so that sixteen scores are made at once; values [16, P]. */
template <class T> void append(const Call& call, T* keys, T* values, int64_t row) {
  int64_t slot = call.position(row) % kBlock, block = call.block(row, call.position(row) / kBlock);
  std::vector<float> turned(call.E);
  for (int64_t g = 0; g < call.G; g++) {
    turn(call.k.data + row * call.k.stride + g * call.E, call.cos + row * call.half, call.sin + row * call.half, call.half, call.E, turned.data());
    T* key = keys + (block * call.G + g) * call.E * kBlock + slot;
    for (int64_t e = 0; e < call.E; e++) key[e * kBlock] = static_cast<T>(turned[e]);
    T* value = values + ((block * call.G + g) * kBlock + slot) * call.P;
    const float* in = call.v.data + row * call.v.stride + g * call.E;
    for (int64_t e = 0; e < call.E; e++) value[e] = static_cast<T>(in[e]);
    for (int64_t e = call.E; e < call.P; e++) value[e] = static_cast<T>(0.0f);
  }
}

/** Scores of N queries, `pitch` apart, with the sixteen keys of a block, two sums over E in turn; to `out`, `width` apart. */
template <int64_t N, class T> inline void scoreBlock(const float* queries, int64_t pitch, const T* keys, int64_t E, float* out, int64_t width) {
  Lanes even[N] = {}, odd[N] = {};
  int64_t e = 0;
  for (; e + 2 <= E; e += 2) {
    Lanes first = load(keys + e * kBlock), second = load(keys + (e + 1) * kBlock);
#pragma GCC unroll 8
    for (int64_t n = 0; n < N; n++) {
      even[n] += first * queries[n * pitch + e];
      odd[n] += second * queries[n * pitch + e + 1];
    }
  }
  if (e < E) {
    Lanes last = load(keys + e * kBlock);
    for (int64_t n = 0; n < N; n++) even[n] += last * queries[n * pitch + e];
  }
#pragma GCC unroll 8
  for (int64_t n = 0; n < N; n++) storeLanes(out + n * width, even[n] + odd[n]);
}

/** Adds weight × value of `count` keys of a block to N sums of V vectors each. */
template <int64_t N, int64_t V, class T> inline void addValues(const float* weights, int64_t width, const T* values, int64_t P, int64_t count, float* sums, int64_t pitch) {
  Lanes parts[N * V];
#pragma GCC unroll 16
  for (int64_t i = 0; i < N * V; i++) parts[i] = loadLanes(sums + i / V * pitch + i % V * kLanes);
  for (int64_t key = 0; key < count; key++) {
    Lanes value[V];
#pragma GCC unroll 4
    for (int64_t i = 0; i < V; i++) value[i] = load(values + key * P + i * kLanes);
#pragma GCC unroll 4
    for (int64_t n = 0; n < N; n++) {
      float weight = weights[n * width + key];
#pragma GCC unroll 4
      for (int64_t i = 0; i < V; i++) parts[n * V + i] += value[i] * weight;
    }
  }
#pragma GCC unroll 16
  for (int64_t i = 0; i < N * V; i++) storeLanes(sums + i / V * pitch + i % V * kLanes, parts[i]);
}

template <int64_t V, class T> void addAll(int64_t queries, const float* weights, int64_t width, const T* values, int64_t P, int64_t count, float* sums) {
  for (int64_t n = 0; n < queries; n += 4) switch (std::min<int64_t>(4, queries - n)) {
      case 1: addValues<1, V>(weights + n * width, width, values, P, count, sums + n * P, P); break;
      case 2: addValues<2, V>(weights + n * width, width, values, P, count, sums + n * P, P); break;
      case 3: addValues<3, V>(weights + n * width, width, values, P, count, sums + n * P, P); break;
      default: addValues<4, V>(weights + n * width, width, values, P, count, sums + n * P, P);
    }
}

/** Scores → weights e^(score − largest) of the keys that a query sees, 0 for the others; returns their sum. */
inline float weigh(const Call& call, float* scores, int64_t firstKey, int64_t keys, int64_t position) {
  int64_t from = std::max<int64_t>(0, call.firstSeen(position) - firstKey), to = std::min(keys, position + 1 - firstKey);
  float cap = call.softcap;
  if (cap > 0)
    for (int64_t i = from; i < to; i++) scores[i] = cap * std::tanh(scores[i] * call.scale / cap);
  else
    for (int64_t i = from; i < to; i++) scores[i] *= call.scale;
  float top = -std::numeric_limits<float>::infinity();
#pragma omp simd reduction(max : top)
  for (int64_t i = from; i < to; i++) top = scores[i] > top ? scores[i] : top;  // a NaN comes through e^x
  // Whole blocks, so that a key's lane, and with it the order of the sum, is its place in the sequence.
  std::fill(scores, scores + from, 0.0f);
  std::fill(scores + to, scores + keys, 0.0f);
  Lanes sum = {};
  for (int64_t block = from / kBlock * kBlock; block < to; block += kBlock) {
    float* part = scores + block;
    float weights[kBlock];
#pragma omp simd
    for (int64_t i = 0; i < kBlock; i++) weights[i] = exponential(part[i] - top);
    int64_t first = std::max<int64_t>(0, from - block), last = std::min(kBlock, to - block);
    std::copy(weights + first, weights + last, part + first);  // the others are 0
    sum += loadLanes(part);
  }
  return sumLanes(sum);
}

/** Numbers that one task uses; kept by each thread. */
float* scratch(size_t count) {
  thread_local std::vector<float> numbers;
  if (numbers.size() < count) numbers.resize(count);
  return numbers.data();
}

/** Rows `begin … end − 1`, which are of one sequence and follow each other in it, for one key/value head. */
template <class T> void attendTile(const Call& call, const T* keys, const T* values, int64_t begin, int64_t end, int64_t g) {
  int64_t group = call.H / call.G, queries = (end - begin) * group, E = call.E, P = call.P;
  int64_t firstBlock = call.firstSeen(call.position(begin)) / kBlock, lastKey = call.position(end - 1);
  int64_t blocks = lastKey / kBlock + 1 - firstBlock, width = blocks * kBlock, firstKey = firstBlock * kBlock;
  float* turned = scratch(queries * (E + P + width));
  float *sums = turned + queries * E, *scores = sums + queries * P;
  for (int64_t n = 0; n < queries; n++) {
    int64_t row = begin + n / group, head = g * group + n % group;
    turn(call.q.data + row * call.q.stride + head * E, call.cos + row * call.half, call.sin + row * call.half, call.half, E, turned + n * E);
  }
  for (int64_t b = 0; b < blocks; b++) {
    const T* key = keys + (call.block(begin, firstBlock + b) * call.G + g) * E * kBlock;
    for (int64_t n = 0; n < queries; n += 8) {
      const float* in = turned + n * E;
      float* out = scores + n * width + b * kBlock;
      switch (std::min<int64_t>(8, queries - n)) {
        case 1: scoreBlock<1>(in, E, key, E, out, width); break;
        case 2: scoreBlock<2>(in, E, key, E, out, width); break;
        case 3: scoreBlock<3>(in, E, key, E, out, width); break;
        case 4: scoreBlock<4>(in, E, key, E, out, width); break;
        case 5: scoreBlock<5>(in, E, key, E, out, width); break;
        case 6: scoreBlock<6>(in, E, key, E, out, width); break;
        case 7: scoreBlock<7>(in, E, key, E, out, width); break;
        default: scoreBlock<8>(in, E, key, E, out, width);
      }
    }
  }
  std::fill(sums, sums + queries * P, 0.0f);
  std::vector<float> totals(queries);
  for (int64_t n = 0; n < queries; n++) totals[n] = weigh(call, scores + n * width, firstKey, width, call.position(begin + n / group));
  for (int64_t b = 0; b < blocks; b++) {
    const T* value = values + (call.block(begin, firstBlock + b) * call.G + g) * kBlock * P;
    int64_t count = std::min(kBlock, lastKey + 1 - (firstBlock + b) * kBlock);
    for (int64_t p = 0; p < P; p += 4 * kLanes) switch (std::min<int64_t>(4, (P - p) / kLanes)) {
        case 1: addAll<1>(queries, scores + b * kBlock, width, value + p, P, count, sums + p); break;
        case 2: addAll<2>(queries, scores + b * kBlock, width, value + p, P, count, sums + p); break;
        case 3: addAll<3>(queries, scores + b * kBlock, width, value + p, P, count, sums + p); break;
        default: addAll<4>(queries, scores + b * kBlock, width, value + p, P, count, sums + p);
      }
  }
  for (int64_t n = 0; n < queries; n++) {
    float* out = call.y + ((begin + n / group) * call.H + g * group + n % group) * E;
    for (int64_t e = 0; e < E; e++) out[e] = sums[n * P + e] / totals[n];
  }
}

/** Rows that one task takes: as many as share what it reads of the cache, of one sequence. */
std::vector<std::pair<int64_t, int64_t>> tilesOf(const Call& call) {
  int64_t most = std::max<int64_t>(1, 16 * call.G / call.H);
  std::vector<std::pair<int64_t, int64_t>> tiles;
  for (int64_t row = 0; row < call.R; row++) {
    bool joins = !tiles.empty() && row - tiles.back().first < most && call.sequence(row) == call.sequence(tiles.back().first);
    if (joins) tiles.back().second = row + 1;
    else tiles.emplace_back(row, row + 1);
  }
  return tiles;
}

template <class T> void attendRows(const Call& call, const Tensor& keys, const Tensor& values) {
  if (call.R == 0) return;
  T *k = keys.data_ptr<T>(), *v = values.data_ptr<T>();
  parallelFor(0, call.R, std::max<int64_t>(1, 16384 / (call.G * call.E)), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; row++) append(call, k, v, row);
  });
  auto tiles = tilesOf(call);
  int64_t seen = 0;
  for (auto [begin, end] : tiles) seen += (end - begin) * (call.position(end - 1) + 1);
  int64_t tasks = static_cast<int64_t>(tiles.size()) * call.G;
  int64_t each = std::max<int64_t>(1, 2 * seen * call.H * call.E / tasks);  // multiplications
  parallelFor(0, tasks, std::max<int64_t>(1, kWorthSharing / each), [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; task++) attendTile(call, k, v, tiles[task / call.G].first, tiles[task / call.G].second, task % call.G);
  });
}

Tensor pagedAttention(const Tensor& q, const Tensor& k, const Tensor& v, const Optional<Tensor>& cos, const Optional<Tensor>& sin, const Tensor& keys, const Tensor& values,
                      const Tensor& tables, const Tensor& rows, double scale, int64_t window, double softcap) {
  int64_t H = q.size(-2), E = q.size(-1), G = k.size(-2), R = E * H > 0 ? q.numel() / (H * E) : 0, P = values.size(-1);
  TORCH_CHECK(q.dim() >= 3 && k.size(-1) == E && v.sizes() == k.sizes() && G > 0 && H % G == 0 && k.numel() == R * G * E, "expected q [R,H,E] and k, v [R,G,E] with G a divisor of H");
  TORCH_CHECK(keys.dim() == 4 && keys.size(1) == G && keys.size(2) == E && keys.size(3) == kBlock && values.dim() == 4 && values.size(0) == keys.size(0) && values.size(1) == G &&
                  values.size(2) == kBlock && P % kLanes == 0 && P >= E && P < E + kLanes && keys.is_contiguous() && values.is_contiguous(),
              "expected blocks of keys [N,G,E,16] and values [N,G,16,P]");
  TORCH_CHECK(tables.dim() == 2 && tables.scalar_type() == at::kInt && tables.is_contiguous() && rows.dim() == 2 && rows.size(0) == R && rows.size(1) == 2 &&
                  rows.scalar_type() == at::kInt && rows.is_contiguous() && tables.device().is_cpu() && rows.device().is_cpu(),
              "expected tables [S,W] and rows [R,2], i32 on the CPU");
  TORCH_CHECK(cos.has_value() == sin.has_value() && (!cos.has_value() || (cos->dim() == 2 && cos->size(0) == R && cos->sizes() == sin->sizes() && 2 * cos->size(1) <= E)),
              "expected cos and sin [R,n] with 2·n ≤ E");
  const int32_t *at = rows.data_ptr<int32_t>(), *table = tables.data_ptr<int32_t>();
  for (int64_t row = 0; row < R; row++) {
    int64_t sequence = at[2 * row], position = at[2 * row + 1], block = position / kBlock;
    TORCH_CHECK(sequence >= 0 && sequence < tables.size(0) && position >= 0 && block < tables.size(1), "expected rows inside their tables");
    int64_t first = window > 0 ? std::max<int64_t>(0, position - window + 1) / kBlock : 0;
    if (row + 1 < R && at[2 * row + 2] == sequence) {
      TORCH_CHECK(at[2 * row + 3] == position + 1, "expected the rows of a sequence in order");
      if (row > 0 && at[2 * row - 2] == sequence) first = block;  // seen by the rows before it
    }
    for (int64_t b = first; b <= block; b++) {
      int64_t id = table[sequence * tables.size(1) + b];
      TORCH_CHECK(id >= 0 && id < keys.size(0), "expected tables of blocks that there are");
    }
  }
  auto sizes = q.dim() == 4 ? std::vector<int64_t>{q.size(0), q.size(1), H * E} : std::vector<int64_t>{R, H * E};
  bool half = keys.scalar_type() == at::kHalf;
  bool kernels = fast(q) && fast(k) && fast(v) && (half || keys.scalar_type() == at::kFloat) && keys.device().is_cpu() && values.scalar_type() == keys.scalar_type() && P <= 1024;
  TORCH_CHECK(kernels, "expected q, k and v in float32 on the CPU, and blocks in float32 or float16");
  Tensor c = cos.has_value() ? cos->contiguous() : Tensor(), s = sin.has_value() ? sin->contiguous() : Tensor();
  Tensor y = at::empty(sizes, q.options());
  Call call{{q, H, E}, {k, G, E}, {v, G, E}, c.defined() ? data(c) : nullptr, s.defined() ? data(s) : nullptr, table, at, R, H, G, E, P, c.defined() ? c.size(1) : 0, tables.size(1), window,
            static_cast<float>(scale), static_cast<float>(softcap), data(y)};
  half ? attendRows<at::Half>(call, keys, values) : attendRows<float>(call, keys, values);
  return y;
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(anneal, m) {
  m.def(
      "paged_attention(Tensor q, Tensor k, Tensor v, Tensor? cos, Tensor? sin, Tensor(a!) keys, Tensor(b!) values, Tensor tables, Tensor rows, float scale, int window=0, float softcap=0.) "
      "-> Tensor",
      &pagedAttention);
}

}  // namespace anneal

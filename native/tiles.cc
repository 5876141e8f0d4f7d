// Products on the matrix unit (AMX): operands are cut into parts of bf16 while they are packed into tiles, and multiplied 32 × 32 at a time.
// Three times MKL's sgemm with two parts, half as much again with three (docs/log.md).
#include "tiles.h"

#include <ATen/Parallel.h>

#include <type_traits>

#if defined(__AMX_TILE__) && defined(__AMX_BF16__) && defined(__AVX512BF16__) && defined(__AVX512BW__) && defined(__linux__)
#define ANNEAL_TILES
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace anneal {

#ifdef ANNEAL_TILES
namespace {

// A tile is 16 rows of 64 bytes. An operand is packed as panels of 32 rows (or columns of the other side); a panel is a run of steps of
// 32 along K; a step has, for each part, two tiles. A tile of the left side has a row of 32 numbers along K for each of its 16 rows; one of
// the right side has for each pair along K the two numbers of 16 columns.
constexpr int64_t kPanel = 32, kTileBytes = 1024;
/** A panel of so many bytes is read from the second cache while its partner is there too; longer sums are added up in several turns. */
constexpr int64_t kPanelBytes = 64 << 10;
/** Panels of the right side that stay in the second cache. */
constexpr int64_t kGroupBytes = 768 << 10;
/** Rows or columns packed at a time, so that what is packed takes little memory. */
constexpr int64_t kBlock = 2048;

struct alignas(64) TileConfig {
  uint8_t palette = 1, start = 0, reserved[14] = {};
  uint16_t bytes[16] = {};
  uint8_t rows[16] = {};
};

/** All eight tiles whole: edges are packed with zeros. */
struct TilesInUse {
  TilesInUse() {
    TileConfig config;
    for (int i = 0; i < 8; i++) {
      config.bytes[i] = 64;
      config.rows[i] = 16;
    }
    __asm__ volatile("" : : "m"(config));  // the intrinsic does not tell the compiler that it reads all of it
    _tile_loadconfig(&config);
  }
  ~TilesInUse() { _tile_release(); }
};

inline __mmask16 firstOf(int64_t count) { return count >= 16 ? 0xffff : count <= 0 ? 0 : static_cast<__mmask16>((1u << count) - 1); }
inline __m512 widen(__m256i half) { return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16)); }

/** a0 … a15 b0 … b15 → a0 b0 a1 b1 … */
inline __m512i interleave(__m512i v) {
  alignas(64) static const uint16_t order[32] = {0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
  return _mm512_permutexvar_epi16(_mm512_load_si512(order), v);
}

/** 32 numbers, the first 16 of `a`, as vectors of bf16 whose sum they are. */
template <int Parts> inline void loadParts(const float* a, __mmask16 maskA, const float* b, __mmask16 maskB, __m512i (&parts)[Parts]) {
  __m512 low = _mm512_maskz_loadu_ps(maskA, a), high = _mm512_maskz_loadu_ps(maskB, b);
  for (int p = 0; p < Parts; p++) {
    parts[p] = (__m512i)_mm512_cvtne2ps_pbh(high, low);
    if (p + 1 == Parts) break;
    low = _mm512_sub_ps(low, widen(_mm512_castsi512_si256(parts[p])));
    high = _mm512_sub_ps(high, widen(_mm512_extracti64x4_epi64(parts[p], 1)));
  }
}
template <int Parts> inline void loadParts(const at::BFloat16* a, __mmask16 maskA, const at::BFloat16* b, __mmask16 maskB, __m512i (&parts)[Parts]) {
  static_assert(Parts == 1, "bf16 has one part");
  parts[0] = _mm512_inserti64x4(_mm512_castsi256_si512(_mm256_maskz_loadu_epi16(maskA, a)), _mm256_maskz_loadu_epi16(maskB, b), 1);
}

/** Sixteen rows of sixteen 32-bit words. */
inline void transpose(__m512i* r) {
  __m512i t[16];
  for (int i = 0; i < 8; i++) {
    t[2 * i] = _mm512_unpacklo_epi32(r[2 * i], r[2 * i + 1]);
    t[2 * i + 1] = _mm512_unpackhi_epi32(r[2 * i], r[2 * i + 1]);
  }
  for (int i = 0; i < 4; i++)
    for (int j = 0; j < 2; j++) {
      r[4 * i + 2 * j] = _mm512_unpacklo_epi64(t[4 * i + j], t[4 * i + j + 2]);
      r[4 * i + 2 * j + 1] = _mm512_unpackhi_epi64(t[4 * i + j], t[4 * i + j + 2]);
    }
  for (int i = 0; i < 2; i++)
    for (int j = 0; j < 4; j++) {
      t[8 * i + j] = _mm512_shuffle_i32x4(r[8 * i + j], r[8 * i + 4 + j], 0x88);
      t[8 * i + 4 + j] = _mm512_shuffle_i32x4(r[8 * i + j], r[8 * i + 4 + j], 0xdd);
    }
  for (int j = 0; j < 8; j++) {
    r[j] = _mm512_shuffle_i32x4(t[j], t[8 + j], 0x88);
    r[8 + j] = _mm512_shuffle_i32x4(t[j], t[8 + j], 0xdd);
  }
}

/** An operand [count, K] in memory: element (i, k) at i·stride + k where K is contiguous, else at i + k·stride. */
template <typename T> struct Operand {
  const T* data;
  int64_t stride, count;
  bool alongK;
  const T* at(int64_t i, int64_t k) const { return data + (alongK ? i * stride + k : i + k * stride); }
};

/** 16 × 32 numbers, of which `rows` × `length` are there, into one tile for each part. */
template <typename T, int Parts, bool Left, bool AlongK, bool Whole> inline void packTile(const T* from, int64_t stride, int64_t rows, int64_t length, char* to) {
  constexpr bool kTurns = AlongK != Left;
  __m512i tile[Parts][16], parts[Parts];
#pragma GCC unroll 16
  for (int64_t i = 0; i < 16; i++) {
    __mmask16 low = 0xffff, high = 0xffff;
    if (!Whole) {
      int64_t first = AlongK ? i : 2 * i;
      low = first < (AlongK ? rows : length) ? firstOf(AlongK ? length : rows) : 0;
      high = first + !AlongK < (AlongK ? rows : length) ? firstOf(AlongK ? length - 16 : rows) : 0;
    }
    if (AlongK) loadParts<Parts>(from + i * stride, low, from + i * stride + 16, high, parts);
    else loadParts<Parts>(from + 2 * i * stride, low, from + (2 * i + 1) * stride, high, parts);
    for (int p = 0; p < Parts; p++) {
      if (!AlongK) parts[p] = interleave(parts[p]);
      if (kTurns) tile[p][i] = parts[p];
      else _mm512_store_si512(to + p * 2 * kTileBytes + i * 64, parts[p]);
    }
  }
  for (int p = 0; kTurns && p < Parts; p++) {
    transpose(tile[p]);
    for (int i = 0; i < 16; i++) _mm512_store_si512(to + p * 2 * kTileBytes + i * 64, tile[p][i]);
  }
}

/** Rows first … first + count, numbers k … k + length of each, as panels of `bytes`. */
template <typename T, int Parts, bool Left> void pack(const Operand<T>& from, int64_t first, int64_t count, int64_t k, int64_t length, int64_t bytes, char* to) {
  constexpr int64_t kStrip = 8;  // panels side by side where memory runs along them: whole pages are read before the next row
  int64_t panels = (count + kPanel - 1) / kPanel;
  at::parallel_for(0, panels, std::max<int64_t>(1, 32768 / (kPanel * length)), [&](int64_t begin, int64_t end) {
    int64_t wide = from.alongK ? 1 : kStrip;
    for (int64_t strip = begin; strip < end; strip += wide)
      for (int64_t s = 0; s < length; s += 32)
        for (int64_t panel = strip; panel < std::min(end, strip + wide); panel++)
          for (int64_t half = 0; half < 2; half++) {
            int64_t i = panel * kPanel + half * 16;
            const T* source = from.at(first + i, k + s);
            char* target = to + panel * bytes + s / 32 * (Parts * 2 * kTileBytes) + half * kTileBytes;
            if (count - i >= 16 && length - s >= 32) (from.alongK ? packTile<T, Parts, Left, true, true> : packTile<T, Parts, Left, false, true>)(source, from.stride, 16, 32, target);
            else (from.alongK ? packTile<T, Parts, Left, true, false> : packTile<T, Parts, Left, false, false>)(source, from.stride, count - i, length - s, target);
          }
  });
}

/** c [32, 32] = or += a panel times a panel. */
template <int Parts> inline void multiplyPanels(const char* a, const char* b, int64_t steps, float* c, int64_t stride, bool add) {
  int64_t row = stride * static_cast<int64_t>(sizeof(float));
  if (add) {
    _tile_loadd(0, c, row);
    _tile_loadd(1, c + 16, row);
    _tile_loadd(2, c + 16 * stride, row);
    _tile_loadd(3, c + 16 * stride + 16, row);
  } else {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
  }
  auto left = [&](int part) {
    _tile_loadd(4, a + part * 2 * kTileBytes, 64);
    _tile_loadd(5, a + part * 2 * kTileBytes + kTileBytes, 64);
  };
  auto right = [&](int part) {
    _tile_loadd(6, b + part * 2 * kTileBytes, 64);
    _tile_loadd(7, b + part * 2 * kTileBytes + kTileBytes, 64);
  };
  auto multiply = [] {
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  };
  for (; steps > 0; steps--, a += Parts * 2 * kTileBytes, b += Parts * 2 * kTileBytes) {
    left(0);
    for (int part = Parts - 1; part >= 0; part--) right(part), multiply();
    if (Parts >= 2) left(1), multiply();
    if (Parts == 3) right(1), multiply(), left(2), right(0), multiply();
  }
  _tile_stored(0, c, row);
  _tile_stored(1, c + 16, row);
  _tile_stored(2, c + 16 * stride, row);
  _tile_stored(3, c + 16 * stride + 16, row);
}

inline void store(float* to, __mmask16 mask, __m512 value) { _mm512_mask_storeu_ps(to, mask, value); }
inline void store(at::BFloat16* to, __mmask16 mask, __m512 value) { _mm256_mask_storeu_epi16(to, mask, (__m256i)_mm512_cvtneps_pbh(value)); }

/** to [rows, columns] = block [32, 32] + sums so far (or none). */
template <typename Out> void leave(const float* block, int64_t rows, int64_t columns, const float* sums, Out* to, int64_t stride) {
  for (int64_t r = 0; r < rows; r++)
    for (int64_t c = 0; c < columns; c += 16) {
      __mmask16 mask = firstOf(columns - c);
      __m512 value = _mm512_load_ps(block + r * kPanel + c);
      if (sums) value = _mm512_add_ps(value, _mm512_maskz_loadu_ps(mask, sums + r * stride + c));
      store(to + r * stride + c, mask, value);
    }
}

/** c [M, N] = a · bᵀ; `sums` [M, N] holds what is added up in several turns, and may be c. */
template <typename A, typename B, typename Out, int Parts> void multiply(const Operand<A>& a, const Operand<B>& b, int64_t K, float* sums, Out* c) {
  int64_t M = a.count, N = b.count, turns = std::max<int64_t>(1, (K * Parts * 64 + kPanelBytes - 1) / kPanelBytes);
  int64_t turn = ((K + turns - 1) / turns + 31) / 32 * 32, stepBytes = Parts * 2 * kTileBytes, most = turn / 32 * stepBytes;
  auto room = [&](int64_t count) { return at::empty({(std::min(count, kBlock) + kPanel - 1) / kPanel * most}, at::kByte); };
  at::Tensor roomA = room(M), roomB = room(N);
  char *packedA = reinterpret_cast<char*>(roomA.data_ptr<uint8_t>()), *packedB = reinterpret_cast<char*>(roomB.data_ptr<uint8_t>());
  for (int64_t k = 0; k < K; k += turn) {
    int64_t length = std::min(turn, K - k), steps = (length + 31) / 32, bytes = steps * stepBytes;
    bool isLast = k + turn >= K;
    for (int64_t n = 0; n < N; n += kBlock) {
      int64_t columns = std::min(kBlock, N - n), panelsB = (columns + kPanel - 1) / kPanel;
      pack<B, Parts, false>(b, n, columns, k, length, bytes, packedB);
      int64_t groups = (panelsB * bytes + kGroupBytes - 1) / kGroupBytes, group = (panelsB + groups - 1) / groups;
      for (int64_t m = 0; m < M; m += kBlock) {
        int64_t rows = std::min(kBlock, M - m), panelsA = (rows + kPanel - 1) / kPanel;
        if (n == 0 || M > kBlock) pack<A, Parts, true>(a, m, rows, k, length, bytes, packedA);
        at::parallel_for(0, groups * panelsA, std::max<int64_t>(1, (int64_t{1} << 20) / (kPanel * kPanel * group * length)), [&](int64_t begin, int64_t end) {
          TilesInUse tiles;
          alignas(64) float block[kPanel * kPanel];
          for (int64_t task = begin; task < end; task++) {
            int64_t i = task % panelsA, firstB = task / panelsA * group;
            for (int64_t j = firstB; j < std::min(panelsB, firstB + group); j++) {
              int64_t at = (m + i * kPanel) * N + n + j * kPanel, high = std::min(kPanel, rows - i * kPanel), wide = std::min(kPanel, columns - j * kPanel);
              const char *left = packedA + i * bytes, *right = packedB + j * bytes;
              bool direct = high == kPanel && wide == kPanel && (!isLast || std::is_same<Out, float>::value);
              if (direct) {
                multiplyPanels<Parts>(left, right, steps, sums + at, N, k > 0);
                continue;
              }
              multiplyPanels<Parts>(left, right, steps, block, kPanel, false);
              if (isLast) leave(block, high, wide, k > 0 ? sums + at : nullptr, c + at, N);
              else leave(block, high, wide, k > 0 ? sums + at : nullptr, sums + at, N);
            }
          }
        });
      }
    }
  }
}

/** `t` as an operand; `kept` holds a copy where neither of its dimensions is contiguous. */
template <typename T> Operand<T> operand(const at::Tensor& t, at::Tensor& kept) {
  bool alongK = t.stride(1) == 1 || t.size(1) == 1, across = t.stride(0) == 1;
  kept = alongK || across ? t : t.contiguous();
  return {kept.data_ptr<T>(), !alongK && across ? kept.stride(1) : kept.stride(0), t.size(0), alongK || !across};
}

template <typename A, typename B, typename Out, int Parts> at::Tensor productOf(const at::Tensor& a, const at::Tensor& b) {
  at::Tensor keptA, keptB, c = at::empty({a.size(0), b.size(0)}, a.options().dtype(c10::CppTypeToScalarType<Out>::value)), sums = c;
  int64_t K = a.size(1);
  if (!std::is_same<Out, float>::value && K * Parts * 64 > kPanelBytes) sums = at::empty(c.sizes(), a.options().dtype(at::kFloat));
  float* sumsData = sums.scalar_type() == at::kFloat ? sums.data_ptr<float>() : nullptr;
  multiply<A, B, Out, Parts>(operand<A>(a, keptA), operand<B>(b, keptB), K, sumsData, c.template data_ptr<Out>());
  return c;
}

template <typename Out> at::Tensor roundedProduct(const at::Tensor& a, const at::Tensor& b) {
  bool wideA = a.scalar_type() == at::kFloat, wideB = b.scalar_type() == at::kFloat;
  if (wideA) return wideB ? productOf<float, float, Out, 1>(a, b) : productOf<float, at::BFloat16, Out, 1>(a, b);
  return wideB ? productOf<at::BFloat16, float, Out, 1>(a, b) : productOf<at::BFloat16, at::BFloat16, Out, 1>(a, b);
}

}  // namespace

bool hasTiles() {
  constexpr long kRequest = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
  static const bool allowed = syscall(SYS_arch_prctl, kRequest, kTileData) == 0;
  return allowed;
}

at::Tensor tileProductNT(const at::Tensor& a, const at::Tensor& b, int64_t parts, at::ScalarType dtype) {
  if (a.size(1) == 0) return at::zeros({a.size(0), b.size(0)}, a.options().dtype(dtype));
  if (parts == 2) return productOf<float, float, float, 2>(a, b);
  if (parts == 3) return productOf<float, float, float, 3>(a, b);
  return dtype == at::kFloat ? roundedProduct<float>(a, b) : roundedProduct<at::BFloat16>(a, b);
}
#else
bool hasTiles() { return false; }
at::Tensor tileProductNT(const at::Tensor&, const at::Tensor&, int64_t, at::ScalarType) { TORCH_CHECK(false, "no matrix unit"); }
#endif

}  // namespace anneal

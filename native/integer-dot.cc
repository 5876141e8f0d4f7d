// The kernels of integer-dot.h.
#include "panel-reader.h"

#include "pool.h"

#include "quant.h"
#include "tiles.h"

#if defined(__ARM_FEATURE_DOTPROD)
#include <arm_neon.h>
#endif
#if defined(__AMX_TILE__) && defined(__AMX_INT8__) && defined(__AVX512F__) && defined(__AVX512VNNI__) && defined(__linux__)
#define ANNEAL_BYTE_TILES
#include <immintrin.h>
#endif

namespace anneal {
namespace {

// ---- sixteen sums at once --------------------------------------------------------------------------------------------------------

#if defined(__AVX512F__) && defined(__AVX512VNNI__)
constexpr int64_t kTileRows = 8;
/** Whether codes above 127 need no other handling. */
constexpr bool kTakesBytes = true;

/** sums[n] += Σ of four codes of row n times four numbers of x. */
template <bool> inline void addProducts(Codes& sums, const uint8_t* codes, const int8_t* x) {
  int32_t four;
  std::memcpy(&four, x, sizeof four);
  sums = (Codes)_mm512_dpbusd_epi32((__m512i)sums, _mm512_load_si512(codes), _mm512_set1_epi32(four));
}
#else
constexpr int64_t kTileRows = 4;
constexpr bool kTakesBytes = false;

/** Codes of whole bytes are read as signed ones: where IsByte, what is added is Σ (code − 128) · x. */
template <bool IsByte> inline void addProducts(Codes& sums, const uint8_t* codes, const int8_t* x) {
#if defined(__AVX2__)
  int32_t four;
  std::memcpy(&four, x, sizeof four);
  __m256i half[2], in = _mm256_set1_epi32(four);
  std::memcpy(half, &sums, sizeof half);
  for (int i = 0; i < 2; i++) {
    __m256i w = _mm256_load_si256(reinterpret_cast<const __m256i*>(codes) + i), by = in;
    if (IsByte) {
      w = _mm256_xor_si256(w, _mm256_set1_epi8(-128));
      by = _mm256_sign_epi8(in, w);
      w = _mm256_abs_epi8(w);
    }
#if defined(__AVXVNNI__)
    half[i] = _mm256_dpbusd_avx_epi32(half[i], w, by);
#else
    half[i] = _mm256_add_epi32(half[i], _mm256_madd_epi16(_mm256_maddubs_epi16(w, by), _mm256_set1_epi16(1)));
#endif
  }
  std::memcpy(&sums, half, sizeof half);
#elif defined(__ARM_FEATURE_DOTPROD)
  int32_t four;
  std::memcpy(&four, x, sizeof four);
  int8x16_t in = vreinterpretq_s8_s32(vdupq_n_s32(four));
  int32x4_t part[4];
  std::memcpy(part, &sums, sizeof part);
  for (int i = 0; i < 4; i++) {
    uint8x16_t w = vld1q_u8(codes + 16 * i);
    part[i] = vdotq_s32(part[i], vreinterpretq_s8_u8(IsByte ? veorq_u8(w, vdupq_n_u8(128)) : w), in);
  }
  std::memcpy(&sums, part, sizeof part);
#else
  constexpr int32_t offset = IsByte ? 128 : 0;
  for (int64_t n = 0; n < kPanelRows; n++)
    for (int64_t k = 0; k < 4; k++) sums[n] += (codes[4 * n + k] - offset) * x[k];
#endif
}
#endif

// ---- a panel times some rows -----------------------------------------------------------------------------------------------------

/** What a panel is multiplied with: rows from `row` on, columns from group `first` on. */
struct Slice {
  const RoundedRows& x;
  /** −zero · Σ codes of x [rows, columns / group], or null. */
  const int32_t* offsets;
  int64_t row, first, groups;
};

/** sums [R][16] += panel · rows of x; the first columns begin them. */
template <int64_t R, int64_t Group, bool IsByte, bool HasMins> void multiplyPanel(const Panel& panel, const Slice& at, float* sums) {
  constexpr int64_t parts = kGroup / Group;
  const int64_t groups = at.x.groups;
  const int8_t* x = at.x.codes.data() + (at.row * groups + at.first) * kGroup;
  const float *scales = at.x.scales.data() + at.row * groups + at.first, *scaledSums = at.x.scaledSums.data() + at.row * groups + at.first;
  const int32_t* offsets = at.offsets ? at.offsets + (at.row * groups + at.first) * parts : nullptr;
  Lanes total[R];
#pragma GCC unroll 8
  for (int64_t r = 0; r < R; r++) total[r] = at.first == 0 ? Lanes{} : loadLanes(sums + r * kLanes);
  for (int64_t g = 0; g < at.groups; g++) {
#pragma GCC unroll 2
    for (int64_t part = 0; part < parts; part++) {
      Codes whole[R];
#pragma GCC unroll 8
      for (int64_t r = 0; r < R; r++) whole[r] = Codes{} + (offsets ? offsets[(r * groups + g) * parts + part] : 0);
      const uint8_t* codes = panel.codes + (g * kGroup + part * Group) * kPanelRows;
#pragma GCC unroll 8
      for (int64_t k = 0; k < Group; k += 4) {
#pragma GCC unroll 8
        for (int64_t r = 0; r < R; r++) addProducts<IsByte>(whole[r], codes + k * kPanelRows, x + (r * groups + g) * kGroup + part * Group + k);
      }
      Lanes own = loadLanes(panel.scales + (g * parts + part) * kPanelRows);
#pragma GCC unroll 8
      for (int64_t r = 0; r < R; r++) total[r] = fma(asFloats(whole[r]) * all(scales[r * groups + g]), own, total[r]);
    }
    if constexpr (HasMins) {
      Lanes min = loadLanes(panel.mins + g * kPanelRows);
#pragma GCC unroll 8
      for (int64_t r = 0; r < R; r++) total[r] = fma(min, all(scaledSums[r * groups + g]), total[r]);
    }
  }
#pragma GCC unroll 8
  for (int64_t r = 0; r < R; r++) storeLanes(sums + r * kLanes, total[r]);
}

using Multiply = void (*)(const Panel&, const Slice&, float*);
template <int64_t Group, bool IsByte, bool HasMins> struct Kernels {
  template <int64_t... R> static constexpr std::array<Multiply, sizeof...(R)> make(std::integer_sequence<int64_t, R...>) {
    return {&multiplyPanel<R + 1, Group, IsByte, HasMins>...};
  }
  static constexpr std::array<Multiply, kTileRows> table = make(std::make_integer_sequence<int64_t, kTileRows>{});
};

/** The kernels for 1, 2, … rows. */
const Multiply* kernelsFor(const PanelSource& w) {
  bool isByte = w.zero == 128 && !kTakesBytes;
  if (w.group == 16) return isByte ? nullptr : w.hasMins ? nullptr : Kernels<16, false, false>::table.data();
  if (w.hasMins) return isByte ? nullptr : Kernels<32, false, true>::table.data();
  return isByte ? Kernels<32, true, false>::table.data() : Kernels<32, false, false>::table.data();
}

/** Rows that the matrix unit multiplies at once. */
constexpr int64_t kTallRows = 16;

#if defined(ANNEAL_BYTE_TILES)
// ---- sixteen rows on the matrix unit, whose sums of integers are the same --------------------------------------------------------

/** Tiles 0 to 3: sums [16][16]; tile 4: a group of columns of sixteen rows of x; tile 5: those of a panel, four by four. */
struct ByteTiles {
  ByteTiles() {
    struct alignas(64) {
      uint8_t palette = 1, start = 0, reserved[14] = {};
      uint16_t bytes[16] = {64, 64, 64, 64, kGroup, 64};
      uint8_t rows[16] = {kTallRows, kTallRows, kTallRows, kTallRows, kTallRows, kGroup / 4};
    } config;
    __asm__ volatile("" : : "m"(config));  // the intrinsic does not tell the compiler that it reads all of it
    _tile_loadconfig(&config);
  }
  ~ByteTiles() { _tile_release(); }
};

/** Makes the codes signed ones, of which nothing is to be taken any more. */
void centre(Panel& panel, int64_t groups, int32_t zero) {
  for (int64_t i = 0; i < groups * kGroup * kPanelRows; i++) panel.codes[i] = static_cast<uint8_t>(panel.codes[i] - zero);
}

/** multiplyPanel for sixteen rows and groups of 32, whose codes are centred. */
template <bool HasMins> void multiplyTall(const Panel& panel, const Slice& at, float* sums) {
  constexpr int64_t kAtOnce = 4;
  const int64_t groups = at.x.groups;
  const int8_t* x = at.x.codes.data() + (at.row * groups + at.first) * kGroup;
  const float *scales = at.x.scales.data() + at.row * groups + at.first, *scaledSums = at.x.scaledSums.data() + at.row * groups + at.first;
  // What sums take until they can be read passes while the four before them are added.
  alignas(64) int32_t exact[2][kAtOnce][kTallRows][kPanelRows];
  auto multiplyFour = [&](int64_t first) {
    auto& to = exact[first / kAtOnce % 2];
    // The numbers of tiles are parts of the instructions, and this compiler wants to read them.
#define ANNEAL_MULTIPLY(i)                                                                            \
  if (first + i < at.groups) {                                                                        \
    _tile_zero(i);                                                                                    \
    _tile_loadd(4, x + (first + i) * kGroup, groups * kGroup);                                        \
    _tile_loadd(5, panel.codes + (first + i) * kGroup * kPanelRows, 4 * kPanelRows);                  \
    _tile_dpbssd(i, 4, 5);                                                                            \
    _tile_stored(i, to[i], 4 * kPanelRows);                                                           \
  }
    ANNEAL_MULTIPLY(0)
    ANNEAL_MULTIPLY(1)
    ANNEAL_MULTIPLY(2)
    ANNEAL_MULTIPLY(3)
#undef ANNEAL_MULTIPLY
  };
  Lanes total[kTallRows];
#pragma GCC unroll 16
  for (int64_t r = 0; r < kTallRows; r++) total[r] = at.first == 0 ? Lanes{} : loadLanes(sums + r * kLanes);
  multiplyFour(0);
  for (int64_t g = 0; g < at.groups; g++) {
    if (g % kAtOnce == 0) multiplyFour(g + kAtOnce);
    auto& own = exact[g / kAtOnce % 2][g % kAtOnce];
    Lanes scale = loadLanes(panel.scales + g * kPanelRows);
#pragma GCC unroll 16
    for (int64_t r = 0; r < kTallRows; r++) {
      total[r] = fma(asFloats((Codes)_mm512_load_si512(own[r])) * all(scales[r * groups + g]), scale, total[r]);
    }
    if constexpr (HasMins) {
      Lanes min = loadLanes(panel.mins + g * kPanelRows);
#pragma GCC unroll 16
      for (int64_t r = 0; r < kTallRows; r++) total[r] = fma(min, all(scaledSums[r * groups + g]), total[r]);
    }
  }
#pragma GCC unroll 16
  for (int64_t r = 0; r < kTallRows; r++) storeLanes(sums + r * kLanes, total[r]);
}

/** The kernel for sixteen rows; null where the unit is not there, has no whole group or there are fewer. */
Multiply tallKernelFor(const PanelSource& w, int64_t rows) {
  static const bool has = hasTiles();
  if (!has || rows < kTallRows || w.group != kGroup) return nullptr;
  return w.hasMins ? &multiplyTall<true> : &multiplyTall<false>;
}
#endif

/** −zero · Σ codes of x for every group of the weight. */
std::vector<int32_t> offsetsFor(const PanelSource& w, const RoundedRows& x) {
  if (w.zero == 0 || (w.zero == 128 && !kTakesBytes)) return {};
  int64_t parts = kGroup / w.group;
  std::vector<int32_t> offsets(x.rows * x.groups * parts);
  for (size_t i = 0; i < offsets.size(); i++) offsets[i] = -w.zero * (parts == 2 ? x.sums[i] : x.sums[2 * i] + x.sums[2 * i + 1]);
  return offsets;
}

/** Rows of x whose sums lie on the stack. */
constexpr int64_t kRowsAtOnce = 128;

struct PanelProduct {
  const IntegerProduct& product;
  const RoundedRows& x;
  std::vector<int32_t> offsets;
  const Multiply* kernels;
  Multiply tall = nullptr;
  int64_t panels;

  PanelProduct(const IntegerProduct& one, const RoundedRows& rows)
      : product(one), x(rows), offsets(offsetsFor(*one.weight, rows)), kernels(kernelsFor(*one.weight)), panels((one.weight->rows + kPanelRows - 1) / kPanelRows) {
    TORCH_CHECK(kernels != nullptr, "no kernel for this format");
#if defined(ANNEAL_BYTE_TILES)
    tall = tallKernelFor(*one.weight, rows.rows);
#endif
  }

  /** What the kernel for one row of x does, in its order, without a panel of codes. */
  bool addSums(PanelReader& reader, Panel& panel, int64_t first, int64_t groups, float* sums) const {
    const int64_t parts = kGroup / product.weight->group;
    alignas(64) int32_t whole[kPanelColumns / 16 * kPanelRows];
    if (!reader.sum(first, groups, x.codes.data() + first * kGroup, whole, panel)) return false;
    Lanes total = first == 0 ? Lanes{} : loadLanes(sums);
    for (int64_t g = 0; g < groups; g++) {
      for (int64_t at = g * parts; at < (g + 1) * parts; at++) {
        Codes exact;
        std::memcpy(&exact, whole + at * kPanelRows, sizeof exact);
        if (!offsets.empty()) exact += offsets[first * parts + at];
        total = fma(asFloats(exact) * all(x.scales[first + g]), loadLanes(panel.scales + at * kPanelRows), total);
      }
      if (product.weight->hasMins) total = fma(loadLanes(panel.minsAt(g)), all(x.scaledSums[first + g]), total);
    }
    storeLanes(sums, total);
    return true;
  }

  /** Sums [count][16] of the outputs from `begin` on, for rows from `row` on, with what is added to them. */
  void put(int64_t begin, int64_t row, int64_t count, const float* sums) const {
    const PanelSource& w = *product.weight;
    const auto& [weight, bias, residual, y] = product;
    if (w.pairedHead == 0 && begin + kPanelRows <= w.rows) {
      for (int64_t r = 0; r < count; r++) {
        int64_t at = (row + r) * w.rows + begin;
        Lanes sum = loadLanes(sums + r * kPanelRows);
        if (bias) sum += loadLanes(bias + begin);
        storeLanes(y + at, residual ? sum + loadLanes(residual + at) : sum);
      }
      return;
    }
    int64_t wide = std::min(kPanelRows, w.rows - begin);
    for (int64_t r = 0; r < count; r++)
      for (int64_t i = 0; i < wide; i++) {
        int64_t own = w.rowOf(begin + i), at = (row + r) * w.rows + own;
        float sum = bias ? sums[r * kPanelRows + i] + bias[own] : sums[r * kPanelRows + i];
        y[at] = residual ? sum + residual[at] : sum;
      }
  }

  void run(int64_t index) const {
    const PanelSource& w = *product.weight;
    int64_t begin = index * kPanelRows;
    PanelReader reader(w);
    reader.moveTo(begin);
    Panel panel;
    alignas(64) float sums[kRowsAtOnce * kPanelRows];
    for (int64_t start = 0; start < x.rows; start += kRowsAtOnce) {
      int64_t count = std::min(kRowsAtOnce, x.rows - start);
      for (int64_t first = 0; first < x.groups; first += kPanelColumns / kGroup) {
        int64_t groups = std::min(kPanelColumns / kGroup, x.groups - first);
        if (x.rows == 1 && addSums(reader, panel, first, groups, sums)) continue;
        if (start == 0) reader.askForNext(first, groups);
        reader.read(first, groups, panel);
        int64_t tallRows = tall ? count / kTallRows * kTallRows : 0;
        for (int64_t r = tallRows; r < count; r += kTileRows) {
          int64_t some = std::min(kTileRows, count - r);
          kernels[some - 1](panel, {x, offsets.empty() ? nullptr : offsets.data(), start + r, first, groups}, sums + r * kPanelRows);
        }
#if defined(ANNEAL_BYTE_TILES)
        if (tallRows > 0) {
          if (w.zero != 0) centre(panel, groups, w.zero);
          ByteTiles tiles;
          for (int64_t r = 0; r < tallRows; r += kTallRows) tall(panel, {x, nullptr, start + r, first, groups}, sums + r * kPanelRows);
        }
#endif
      }
      if (x.groups == 0) std::fill_n(sums, count * kPanelRows, 0.0f);
      put(begin, start, count, sums);
    }
  }
};

}  // namespace

void integerProducts(const RoundedRows& x, const IntegerProduct* products, int64_t count) {
  std::vector<PanelProduct> all;
  std::vector<int64_t> ends;
  int64_t total = 0;
  for (int64_t i = 0; i < count; i++) {
    all.emplace_back(products[i], x);
    ends.push_back(total += all.back().panels);
  }
  int64_t work = kPanelRows * x.columns * std::max<int64_t>(1, x.rows);
  parallelFor(0, total, std::max<int64_t>(1, kWorthSharing / work), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) {
      size_t which = static_cast<size_t>(std::upper_bound(ends.begin(), ends.end(), i) - ends.begin());
      all[which].run(i - (which == 0 ? 0 : ends[which - 1]));
    }
  });
}

}  // namespace anneal

// readRows and readMatrix of integer-dot.h: stored numbers as floats.
#include "panel-reader.h"
#include "pool.h"
#include "quant.h"

namespace anneal {

void readRows(const PanelSource& weight, const int64_t* rows, int64_t count, float* to) {
  int64_t columns = weight.columns, groups = (columns + kGroup - 1) / kGroup, parts = kGroup / weight.group;
  parallelFor(0, (count + kPanelRows - 1) / kPanelRows, grain(kPanelRows * columns), [&](int64_t begin, int64_t end) {
    Panel panel;
    PanelReader reader(weight);
    for (int64_t index = begin; index < end; index++) {
      int64_t wide = std::min(kPanelRows, count - index * kPanelRows);
      reader.moveTo(rows + index * kPanelRows, wide);
      for (int64_t first = 0; first < groups; first += kPanelColumns / kGroup) {
        int64_t some = std::min(kPanelColumns / kGroup, groups - first);
        reader.read(first, some, panel);
        for (int64_t n = 0; n < wide; n++)
          for (int64_t half = 0; half < 2 * some; half++) {
            int64_t column = first * kGroup + half * kLanes;
            if (column >= columns) break;
            uint8_t codes[kLanes];
            for (int64_t i = 0; i < 4; i++) std::memcpy(codes + 4 * i, panel.codes + (4 * half + i) * 4 * kPanelRows + 4 * n, 4);
            float scale = panel.scales[(parts == 2 ? half : half / 2) * kPanelRows + n], min = weight.hasMins ? panel.mins[half / 2 * kPanelRows + n] : 0.0f;
            Lanes values = fma(asFloats(widenCodes(codes) - weight.zero), all(scale), all(min));
            float* out = to + (index * kPanelRows + n) * columns + column;
            if (column + kLanes <= columns) storeLanes(out, values);
            else std::memcpy(out, &values, static_cast<size_t>(columns - column) * sizeof(float));
          }
      }
    }
  });
}

Tensor readMatrix(const PanelSource& weight) {
  Tensor dense = at::empty({weight.rows, weight.columns}, at::kFloat);
  std::vector<int64_t> rows(weight.rows);
  for (int64_t n = 0; n < weight.rows; n++) rows[n] = n;
  readRows(weight, rows.data(), weight.rows, data(dense));
  return dense;
}

}  // namespace anneal

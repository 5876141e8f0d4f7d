// LibTorch multiplies float32 matrices with MKL, which on processors that are not Intel's takes its AVX2 kernels even where there is AVX-512.
// oneDNN, which LibTorch carries too, has kernels for the processor at hand: 2.2 times MKL's speed on an AMD EPYC with AVX-512. Intel's with a
// matrix unit multiply bf16 so fast that six products of parts of the numbers, as exact as MKL's one, can be done sooner (tiles.cc; docs/log.md).
// The choice depends on the processor alone, never on a measurement, so that a resumed run takes the same one.
#include "matmul.h"

#include <ATen/core/dispatch/Dispatcher.h>

#include <cstdlib>
#include <fstream>
#include <string>

#include "shim.h"
#include "tiles.h"

namespace anneal {
namespace {

enum class Way { mkl, onednn, bf16x3, bf16x6 };
constexpr const char* kNames[] = {"mkl", "onednn", "bf16x3", "bf16x6"};

bool isIntel() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);)
    if (line.rfind("vendor_id", 0) == 0) return line.find("GenuineIntel") != std::string::npos;
  return false;
}

#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 6)
using Product = at::Tensor(const at::Tensor&, const at::Tensor&, const Optional<at::Tensor>&, std::string_view, c10::List<Optional<at::Scalar>>, Optional<std::string_view>);

const Optional<c10::TypedOperatorHandle<Product>>& oneDnn() {
  static const auto* handle = [] {
    auto* result = new Optional<c10::TypedOperatorHandle<Product>>();
    auto found = c10::Dispatcher::singleton().findSchema({"mkldnn::_linear_pointwise", ""});
    if (found.has_value() && at::globalContext().hasMKLDNN()) *result = found->typed<Product>();
    return result;
  }();
  return *handle;
}
#else
Optional<int> oneDnn() { return {}; }
#endif

bool can(Way way) { return way == Way::mkl || (way == Way::onednn ? oneDnn().has_value() : hasTiles()); }

/** ANNEAL_MATMUL overrules the choice, where this processor can do what it names. */
Way way() {
  static const Way choice = [] {
    const char* wish = std::getenv("ANNEAL_MATMUL");
    for (int i = 0; wish != nullptr && i < 4; i++)
      if (std::string(wish) == kNames[i] && can(static_cast<Way>(i))) return static_cast<Way>(i);
    return !isIntel() && can(Way::onednn) ? Way::onednn : Way::mkl;
  }();
  return choice;
}

bool fits(const at::Tensor& a, const at::Tensor& b) {
  if (!(a.device().is_cpu() && a.scalar_type() == at::kFloat && b.scalar_type() == at::kFloat)) return false;
  int64_t M = a.size(0), N = b.size(0);
  // Below so many multiplications the setup costs more than it saves; in a thin product packing is most of the work.
  if (M * N * a.size(1) < int64_t{1} << 18) return false;
  return way() == Way::onednn ? M > 1 : M * N >= (way() == Way::bf16x3 ? 64 : 96) * (M + N);
}

}  // namespace

const char* matmulName() { return kNames[static_cast<int>(way())]; }

at::Tensor productNT(const at::Tensor& a, const at::Tensor& b) {
  if (way() != Way::mkl && fits(a, b)) {
    at::NoGradGuard guard;
    if (way() != Way::onednn) return tileProductNT(a, b, way() == Way::bf16x3 ? 2 : 3, at::kFloat);
#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 6)
    return oneDnn()->call(a, b, Optional<at::Tensor>(), "none", c10::List<Optional<at::Scalar>>(), Optional<std::string_view>());
#endif
  }
  return at::mm(a, b.t());
}

at::Tensor roundedProductNT(const at::Tensor& a, const at::Tensor& b, at::ScalarType dtype) {
  at::NoGradGuard guard;
  int64_t M = a.size(0), N = b.size(0);
  if (hasTiles() && a.is_cpu() && M * N * a.size(1) >= int64_t{1} << 18 && M * N >= 64 * (M + N)) return tileProductNT(a, b, 1, dtype);
  return at::mm(a.to(at::kBFloat16), b.to(at::kBFloat16).t()).to(dtype);
}

}  // namespace anneal

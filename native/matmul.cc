// LibTorch multiplies float32 matrices with MKL, which on processors that are not Intel's takes its AVX2 kernels even where there is AVX-512.
// oneDNN, which LibTorch carries too, has kernels for the processor at hand: 2.2 times MKL's speed on an AMD EPYC with AVX-512 (docs/log.md).
// The choice depends on the processor alone, never on a measurement, so that a resumed run takes the same one.
#include "matmul.h"

#include <ATen/core/dispatch/Dispatcher.h>

#include <cstdlib>
#include <fstream>
#include <string>

#include "shim.h"

namespace anneal {
namespace {

#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 6)
using Product = at::Tensor(const at::Tensor&, const at::Tensor&, const Optional<at::Tensor>&, std::string_view, c10::List<Optional<at::Scalar>>, Optional<std::string_view>);

/** Below this many multiplications the setup of a oneDNN primitive costs more than it saves. */
constexpr int64_t kSmall = int64_t{1} << 18;

bool isIntel() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);)
    if (line.rfind("vendor_id", 0) == 0) return line.find("GenuineIntel") != std::string::npos;
  return false;
}

/** ANNEAL_MATMUL=mkl or onednn overrules the choice. */
const Optional<c10::TypedOperatorHandle<Product>>& oneDnn() {
  static const auto* handle = [] {
    auto* result = new Optional<c10::TypedOperatorHandle<Product>>();
    const char* wish = std::getenv("ANNEAL_MATMUL");
    bool wanted = wish != nullptr ? std::string(wish) == "onednn" : !isIntel();
    auto found = c10::Dispatcher::singleton().findSchema({"mkldnn::_linear_pointwise", ""});
    if (wanted && found.has_value() && at::globalContext().hasMKLDNN()) *result = found->typed<Product>();
    return result;
  }();
  return *handle;
}

bool fits(const at::Tensor& a, const at::Tensor& b) {
  return a.device().is_cpu() && a.scalar_type() == at::kFloat && b.scalar_type() == at::kFloat && a.size(0) > 1 && a.size(0) * a.size(1) * b.size(0) >= kSmall;
}
#endif

}  // namespace

at::Tensor productNT(const at::Tensor& a, const at::Tensor& b) {
#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 6)
  if (fits(a, b) && oneDnn().has_value()) {
    at::NoGradGuard guard;
    return oneDnn()->call(a, b, Optional<at::Tensor>(), "none", c10::List<Optional<at::Scalar>>(), Optional<std::string_view>());
  }
#endif
  return at::mm(a, b.t());
}

}  // namespace anneal

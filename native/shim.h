// Shared by the add-on's files: the handle table of one JavaScript environment and the error guard.
// Nothing here is static: every worker thread or test isolate that loads the add-on gets its own `Env`.
#pragma once

#include <ATen/ATen.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <node_api.h>
#include <torch/csrc/autograd/variable.h>
#include <torch/version.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 5)
#include <optional>
template <class T> using Optional = std::optional<T>;
#else
template <class T> using Optional = c10::optional<T>;
#endif

namespace anneal {

/** How one argument of an operator is read from JavaScript; resolved once per operator from its schema. */
enum class Kind : uint8_t { Tensor, TensorList, OptionalTensorList, Int, Float, Bool, Scalar, ScalarList, IntList, FloatList, BoolList, String, Device, Generator };

struct Argument {
  Kind kind;
  bool optional;
  bool hasDefault;
  c10::IValue defaultValue;
};

struct Op {
  c10::OperatorHandle handle;
  std::string name;
  std::vector<Argument> arguments;
  bool returnsSelf;  // in-place operators hand back an argument; JavaScript already has its handle
};

struct Recording;

/** All state of one JavaScript environment. Tensors and generators are known to JavaScript by index. */
struct Env {
  std::vector<at::Tensor> tensors{at::Tensor()};  // handle 0 means "no tensor"
  std::vector<uint32_t> freeTensors;
  std::vector<at::Generator> generators;
  std::vector<Op> ops;
  std::vector<c10::IValue> stack;
  std::shared_ptr<Recording> recording;  // the one that is being made
  std::vector<std::shared_ptr<Recording>> recordings;
  napi_ref makeError = nullptr;
  std::vector<int64_t> adopted;  // bytes of the tensors that only the garbage collector will free, by handle
  int64_t adoptedBytes = 0, reportedBytes = 0;

  uint32_t add(at::Tensor tensor) {
    if (freeTensors.empty()) {
      tensors.push_back(std::move(tensor));
      return static_cast<uint32_t>(tensors.size() - 1);
    }
    uint32_t handle = freeTensors.back();
    freeTensors.pop_back();
    tensors[handle] = std::move(tensor);
    return handle;
  }
  at::Tensor& get(uint32_t handle) {
    TORCH_CHECK(handle < tensors.size() && tensors[handle].defined(), "the tensor was freed (handle ", handle, "); return it from scope() or keep() it");
    return tensors[handle];
  }
  void adopt(uint32_t handle) {
    if (adopted.size() <= handle) adopted.resize(tensors.size());
    int64_t bytes = static_cast<int64_t>(get(handle).nbytes());
    adoptedBytes += bytes - adopted[handle];
    adopted[handle] = bytes;
  }
  void release(uint32_t handle) {
    if (handle == 0 || handle >= tensors.size() || !tensors[handle].defined()) return;
    if (handle < adopted.size()) adoptedBytes -= std::exchange(adopted[handle], 0);
    tensors[handle].reset();
    freeTensors.push_back(handle);
  }
};

Env& envOf(napi_env env);

/** Thrown by the allocator; becomes OutOfMemoryError in JavaScript. */
struct OutOfMemory : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/** Throws a JavaScript error made by TypeScript: kind is 'op' or 'memory'. */
void throwError(napi_env env, const char* kind, const std::string& op, const std::vector<std::string>& shapes, const std::string& message);

std::string firstLine(const std::string& text);
std::string shapeOf(const at::Tensor& tensor);

/** Runs `body`; whatever C++ throws becomes a JavaScript error, never an abort. */
template <class Body> napi_value guarded(napi_env env, const char* what, Body body) {
  try {
    return body();
  } catch (const OutOfMemory& error) {
    throwError(env, "memory", what, {}, error.what());
  } catch (const c10::OutOfMemoryError& error) {
    throwError(env, "memory", what, {}, firstLine(error.what_without_backtrace()));
  } catch (const std::bad_alloc&) {
    throwError(env, "memory", what, {}, "the host has no more memory");
  } catch (const c10::Error& error) {
    throwError(env, "op", what, {}, firstLine(error.what_without_backtrace()));
  } catch (const std::exception& error) {
    throwError(env, "op", what, {}, firstLine(error.what()));
  }
  return nullptr;
}

// JavaScript values in and out.
uint32_t readHandle(napi_env env, napi_value value);
int64_t readInt(napi_env env, napi_value value);
double readDouble(napi_env env, napi_value value);
bool readBool(napi_env env, napi_value value);
std::string readString(napi_env env, napi_value value);
std::vector<int64_t> readInts(napi_env env, napi_value value);
std::vector<at::Tensor> readTensors(napi_env env, Env& state, napi_value value);
bool isNullish(napi_env env, napi_value value);
napi_value makeNumber(napi_env env, double value);
napi_value makeHandle(napi_env env, uint32_t handle);
napi_value makeInts(napi_env env, at::IntArrayRef values);
napi_value makeString(napi_env env, const std::string& text);
napi_value makeHandles(napi_env env, Env& state, const std::vector<at::Tensor>& tensors);

/** Reads up to N arguments of a call; missing ones are `undefined`. */
template <size_t N> std::array<napi_value, N> arguments(napi_env env, napi_callback_info info) {
  std::array<napi_value, N> values;
  size_t count = N;
  napi_get_cb_info(env, info, &count, values.data(), nullptr, nullptr);
  return values;
}

// Each file registers its functions on the exports object.
void registerDispatch(napi_env env, napi_value exports);
void registerTensors(napi_env env, napi_value exports);
void registerAutograd(napi_env env, napi_value exports);
void registerReplay(napi_env env, napi_value exports);
void define(napi_env env, napi_value exports, const char* name, napi_callback callback);

// replay.cc: what a call takes, before it is made, and what it gave
void recordCall(Recording& recording, size_t op, const std::vector<c10::IValue>& stack);
void recordResults(Recording& recording, bool returnsSelf, const std::vector<c10::IValue>& stack);
void spoil(Recording& recording);

// allocator.cc
struct MemoryStats {
  int64_t live, cached, peak;
};
void installAllocator();
MemoryStats memoryStats();
void resetPeakMemory();
void releaseCachedMemory();

}  // namespace anneal

// Tensors as data: bytes in and out, what a tensor is, when it dies; generators; threads; memory figures.
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>

#include <algorithm>
#include <cstring>

#include "matmul.h"
#include "shim.h"
#ifdef ANNEAL_CUDA
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAFunctions.h>
#endif

namespace anneal {
namespace {

struct Bytes {
  void* data = nullptr;
  size_t length = 0;
};

/** The memory of a typed array or Buffer, without a copy. */
Bytes bytesOf(napi_env env, napi_value value) {
  bool isTyped = false, isBuffer = false;
  napi_is_typedarray(env, value, &isTyped);
  Bytes bytes;
  if (isTyped) {
    napi_typedarray_type type;
    size_t length, offset;
    napi_value buffer;
    napi_get_typedarray_info(env, value, &type, &length, &bytes.data, &buffer, &offset);
    static constexpr size_t widths[] = {1, 1, 1, 2, 2, 4, 4, 4, 8, 8, 8};
    bytes.length = length * (type < 11 ? widths[type] : 2);
    return bytes;
  }
  napi_is_buffer(env, value, &isBuffer);
  TORCH_CHECK(isBuffer, "expected a typed array");
  napi_get_buffer_info(env, value, &bytes.data, &bytes.length);
  return bytes;
}

/** fromData(typedArray, dtype, sizes) → handle of a new CPU tensor: one copy. */
napi_value fromData(napi_env env, napi_callback_info info) {
  auto values = arguments<3>(env, info);
  return guarded(env, "tensor", [&] {
    auto sizes = readInts(env, values[2]);
    auto tensor = at::empty(sizes, at::TensorOptions().dtype(static_cast<at::ScalarType>(readInt(env, values[1]))));
    Bytes bytes = bytesOf(env, values[0]);
    TORCH_CHECK(bytes.length == tensor.nbytes(), "expected ", tensor.nbytes(), " bytes for shape ", shapeOf(tensor), ", got ", bytes.length);
    if (bytes.length > 0) std::memcpy(tensor.data_ptr(), bytes.data, bytes.length);
    // LibTorch takes it for granted that a bool is 0 or 1.
    if (tensor.scalar_type() == at::kBool) tensor = tensor.view(at::kByte).ne(0);
    return makeHandle(env, envOf(env).add(tensor));
  });
}

/** What JavaScript reads may decide what it does next. */
void noteRead(napi_env env) {
  if (Env& state = envOf(env); state.recording != nullptr) spoil(*state.recording);
}

/** toData(handle, typedArray): copies the values out, in row-major order. */
napi_value toData(napi_env env, napi_callback_info info) {
  auto values = arguments<2>(env, info);
  return guarded(env, "data", [&]() -> napi_value {
    noteRead(env);
    auto tensor = envOf(env).get(readHandle(env, values[0])).detach().cpu().contiguous();
    Bytes bytes = bytesOf(env, values[1]);
    TORCH_CHECK(bytes.length == tensor.nbytes(), "expected room for ", tensor.nbytes(), " bytes, got ", bytes.length);
    if (bytes.length > 0) std::memcpy(bytes.data, tensor.data_ptr(), bytes.length);
    return nullptr;
  });
}

napi_value item(napi_env env, napi_callback_info info) {
  auto values = arguments<1>(env, info);
  return guarded(env, "item", [&] {
    noteRead(env);
    return makeNumber(env, envOf(env).get(readHandle(env, values[0])).item().toDouble());
  });
}

template <class Read> napi_value property(napi_env env, napi_callback_info info, const char* name, Read read) {
  auto values = arguments<1>(env, info);
  return guarded(env, name, [&] { return read(envOf(env).get(readHandle(env, values[0]))); });
}
napi_value sizes(napi_env env, napi_callback_info info) {
  return property(env, info, "shape", [&](at::Tensor& t) { return makeInts(env, t.sizes()); });
}
napi_value strides(napi_env env, napi_callback_info info) {
  return property(env, info, "strides", [&](at::Tensor& t) { return makeInts(env, t.strides()); });
}
napi_value dtype(napi_env env, napi_callback_info info) {
  return property(env, info, "dtype", [&](at::Tensor& t) { return makeNumber(env, static_cast<double>(t.scalar_type())); });
}
napi_value device(napi_env env, napi_callback_info info) {
  return property(env, info, "device", [&](at::Tensor& t) { return makeString(env, t.device().str()); });
}
/** An identity for "do these two share storage", e.g. tied weights. */
napi_value storageId(napi_env env, napi_callback_info info) {
  return property(env, info, "storageId", [&](at::Tensor& t) { return makeNumber(env, static_cast<double>(reinterpret_cast<uintptr_t>(t.storage().unsafeGetStorageImpl()))); });
}
napi_value version(napi_env env, napi_callback_info info) {
  return property(env, info, "version", [&](at::Tensor& t) { return makeNumber(env, t.is_inference() ? 0 : static_cast<double>(t._version())); });
}

/** alias(handle) → a second handle of the same tensor, with its own life. */
napi_value alias(napi_env env, napi_callback_info info) {
  return property(env, info, "alias", [&](at::Tensor& t) { return makeHandle(env, envOf(env).add(at::Tensor(t))); });
}

/**
 * Tells V8 how many bytes its small tensor objects stand for, in steps large enough to cost nothing. Only those that collecting can
 * free: a training step's gigabytes die with their scopes, and hearing of them V8 would collect in vain all the time.
 */
void reportAdopted(napi_env env) {
  Env& state = envOf(env);
  int64_t change = state.adoptedBytes - state.reportedBytes, total;
  if (std::abs(change) < (8 << 20)) return;
  napi_adjust_external_memory(env, change, &total);
  state.reportedBytes = state.adoptedBytes;
}

/** free(handles, count): the first `count` of a Uint32Array; freeing twice is harmless. */
napi_value freeHandles(napi_env env, napi_callback_info info) {
  auto values = arguments<2>(env, info);
  return guarded(env, "free", [&]() -> napi_value {
    Env& state = envOf(env);
    Bytes bytes = bytesOf(env, values[0]);
    auto* handles = static_cast<const uint32_t*>(bytes.data);
    int64_t count = readInt(env, values[1]);
    TORCH_CHECK(count >= 0 && count <= static_cast<int64_t>(bytes.length / sizeof(uint32_t)), "more handles than the array holds");
    for (int64_t i = 0; i < count; i++) state.release(handles[i]);
    return nullptr;
  });
}
napi_value freeOne(napi_env env, napi_callback_info info) {
  auto values = arguments<1>(env, info);
  return guarded(env, "free", [&]() -> napi_value {
    envOf(env).release(readHandle(env, values[0]));
    reportAdopted(env);
    return nullptr;
  });
}

/** adopt(handle): this tensor is left to the garbage collector. */
napi_value adopt(napi_env env, napi_callback_info info) {
  auto values = arguments<1>(env, info);
  return guarded(env, "adopt", [&]() -> napi_value {
    envOf(env).adopt(readHandle(env, values[0]));
    reportAdopted(env);
    return nullptr;
  });
}

napi_value makeGenerator(napi_env env, napi_callback_info info) {
  auto values = arguments<2>(env, info);
  return guarded(env, "generator", [&] {
    Env& state = envOf(env);
    c10::Device where(readString(env, values[1]));
    auto seed = static_cast<uint64_t>(readInt(env, values[0]));
    at::Generator generator = where.is_cpu() ? at::detail::createCPUGenerator(seed) : at::globalContext().defaultGenerator(where).clone();
    generator.set_current_seed(seed);
    auto slot = std::find_if(state.generators.begin(), state.generators.end(), [](const at::Generator& one) { return !one.defined(); });
    size_t index = static_cast<size_t>(slot - state.generators.begin());
    if (slot == state.generators.end()) state.generators.push_back(generator);
    else *slot = generator;
    return makeNumber(env, static_cast<double>(index));
  });
}
napi_value freeGenerator(napi_env env, napi_callback_info info) {
  auto values = arguments<1>(env, info);
  return guarded(env, "freeGenerator", [&]() -> napi_value {
    auto& list = envOf(env).generators;
    uint32_t handle = readHandle(env, values[0]);
    if (handle < list.size()) list[handle] = at::Generator();
    return nullptr;
  });
}
at::Generator& generatorOf(napi_env env, napi_value value) {
  auto& list = envOf(env).generators;
  uint32_t handle = readHandle(env, value);
  TORCH_CHECK(handle < list.size() && list[handle].defined(), "no such generator");
  return list[handle];
}
napi_value getGeneratorState(napi_env env, napi_callback_info info) {
  auto values = arguments<1>(env, info);
  return guarded(env, "generatorState", [&] { return makeHandle(env, envOf(env).add(generatorOf(env, values[0]).get_state())); });
}
napi_value setGeneratorState(napi_env env, napi_callback_info info) {
  auto values = arguments<2>(env, info);
  return guarded(env, "setGeneratorState", [&]() -> napi_value {
    generatorOf(env, values[0]).set_state(envOf(env).get(readHandle(env, values[1])));
    return nullptr;
  });
}

napi_value setThreads(napi_env env, napi_callback_info info) {
  auto values = arguments<1>(env, info);
  return guarded(env, "setThreads", [&]() -> napi_value {
    at::set_num_threads(static_cast<int>(readInt(env, values[0])));
    return nullptr;
  });
}

void setNumber(napi_env env, napi_value object, const char* name, double value) { napi_set_named_property(env, object, name, makeNumber(env, value)); }

napi_value stats(napi_env env, napi_callback_info info) {
  return guarded(env, "stats", [&] {
    Env& state = envOf(env);
    MemoryStats memory = memoryStats();
    napi_value result;
    napi_create_object(env, &result);
    setNumber(env, result, "liveTensors", static_cast<double>(state.tensors.size() - 1 - state.freeTensors.size()));
    setNumber(env, result, "liveBytes", static_cast<double>(memory.live));
    setNumber(env, result, "cachedBytes", static_cast<double>(memory.cached));
    setNumber(env, result, "peakBytes", static_cast<double>(memory.peak));
    double cudaLive = 0, cudaPeak = 0;
#ifdef ANNEAL_CUDA
    if (c10::cuda::device_count() > 0 && c10::cuda::CUDACachingAllocator::get()->initialized()) {
      auto cuda = c10::cuda::CUDACachingAllocator::getDeviceStats(c10::cuda::current_device());
      cudaLive = static_cast<double>(cuda.allocated_bytes[0].current);
      cudaPeak = static_cast<double>(cuda.allocated_bytes[0].peak);
    }
#endif
    setNumber(env, result, "cudaLiveBytes", cudaLive);
    setNumber(env, result, "cudaPeakBytes", cudaPeak);
    return result;
  });
}
napi_value resetPeak(napi_env env, napi_callback_info) {
  return guarded(env, "resetPeak", [&]() -> napi_value {
    resetPeakMemory();
#ifdef ANNEAL_CUDA
    if (c10::cuda::device_count() > 0 && c10::cuda::CUDACachingAllocator::get()->initialized())
      c10::cuda::CUDACachingAllocator::resetPeakStats(c10::cuda::current_device());
#endif
    return nullptr;
  });
}
napi_value releaseCache(napi_env env, napi_callback_info) {
  return guarded(env, "releaseCache", [&]() -> napi_value {
    releaseCachedMemory();
#ifdef ANNEAL_CUDA
    if (c10::cuda::device_count() > 0) c10::cuda::CUDACachingAllocator::emptyCache();
#endif
    return nullptr;
  });
}
napi_value synchronize(napi_env env, napi_callback_info) {
  return guarded(env, "synchronize", [&]() -> napi_value {
#ifdef ANNEAL_CUDA
    c10::cuda::device_synchronize();
#endif
    return nullptr;
  });
}

double cudaDevices() {
#ifdef ANNEAL_CUDA
  return static_cast<double>(c10::cuda::device_count());
#else
  return 0;
#endif
}

napi_value engineInfo(napi_env env, napi_callback_info) {
  return guarded(env, "engine", [&] {
    napi_value result;
    napi_create_object(env, &result);
    napi_set_named_property(env, result, "version", makeString(env, TORCH_VERSION));
    setNumber(env, result, "threads", at::get_num_threads());
    setNumber(env, result, "cudaDevices", cudaDevices());
    napi_set_named_property(env, result, "matmul", makeString(env, matmulName()));
    napi_set_named_property(env, result, "description", makeString(env, at::show_config()));
    return result;
  });
}

}  // namespace

void registerTensors(napi_env env, napi_value exports) {
  define(env, exports, "fromData", fromData);
  define(env, exports, "toData", toData);
  define(env, exports, "item", item);
  define(env, exports, "sizes", sizes);
  define(env, exports, "strides", strides);
  define(env, exports, "dtype", dtype);
  define(env, exports, "device", device);
  define(env, exports, "storageId", storageId);
  define(env, exports, "version", version);
  define(env, exports, "alias", alias);
  define(env, exports, "free", freeHandles);
  define(env, exports, "freeOne", freeOne);
  define(env, exports, "adopt", adopt);
  define(env, exports, "makeGenerator", makeGenerator);
  define(env, exports, "freeGenerator", freeGenerator);
  define(env, exports, "getGeneratorState", getGeneratorState);
  define(env, exports, "setGeneratorState", setGeneratorState);
  define(env, exports, "setThreads", setThreads);
  define(env, exports, "stats", stats);
  define(env, exports, "resetPeak", resetPeak);
  define(env, exports, "releaseCache", releaseCache);
  define(env, exports, "synchronize", synchronize);
  define(env, exports, "engineInfo", engineInfo);
}

}  // namespace anneal

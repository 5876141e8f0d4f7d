// Entry of the add-on: per-environment state, JavaScript values in and out, errors.
#include <dlfcn.h>

#include <cmath>

#include "shim.h"

namespace anneal {

Env& envOf(napi_env env) {
  void* data = nullptr;
  napi_get_instance_data(env, &data);
  return *static_cast<Env*>(data);
}

std::string firstLine(const std::string& text) {
  // LibTorch appends exception sources and backtraces after the sentence that helps.
  auto end = text.find("\nException raised from");
  std::string line = end == std::string::npos ? text : text.substr(0, end);
  return line.size() > 600 ? line.substr(0, 600) + "…" : line;
}

std::string shapeOf(const at::Tensor& tensor) {
  if (!tensor.defined()) return "none";
  std::string text = "[";
  for (int64_t i = 0; i < tensor.dim(); i++) text += (i ? "," : "") + std::to_string(tensor.size(i));
  return text + "] " + c10::toString(tensor.scalar_type());
}

void throwError(napi_env env, const char* kind, const std::string& op, const std::vector<std::string>& shapes, const std::string& message) {
  bool pending = false;
  napi_is_exception_pending(env, &pending);
  if (pending) return;
  Env& state = envOf(env);
  if (state.makeError == nullptr) {
    napi_throw_error(env, kind, (op + ": " + message).c_str());
    return;
  }
  napi_value factory, receiver, list, error;
  napi_get_reference_value(env, state.makeError, &factory);
  napi_get_undefined(env, &receiver);
  napi_create_array_with_length(env, shapes.size(), &list);
  for (size_t i = 0; i < shapes.size(); i++) napi_set_element(env, list, i, makeString(env, shapes[i]));
  napi_value values[] = {makeString(env, kind), makeString(env, op), list, makeString(env, message)};
  if (napi_call_function(env, receiver, factory, 4, values, &error) == napi_ok) napi_throw(env, error);
}

uint32_t readHandle(napi_env env, napi_value value) {
  uint32_t handle = 0;
  TORCH_CHECK(napi_get_value_uint32(env, value, &handle) == napi_ok, "expected a tensor");
  return handle;
}
int64_t readInt(napi_env env, napi_value value) {
  double number = 0;
  // napi_get_value_int64 would turn 1.5 into 1 and NaN into 0. 2^53 is where JavaScript's integers end.
  TORCH_CHECK(napi_get_value_double(env, value, &number) == napi_ok && number == std::trunc(number) && std::abs(number) <= 9007199254740992.0, "expected an integer");
  return static_cast<int64_t>(number);
}
double readDouble(napi_env env, napi_value value) {
  double number = 0;
  TORCH_CHECK(napi_get_value_double(env, value, &number) == napi_ok, "expected a number");
  return number;
}
bool readBool(napi_env env, napi_value value) {
  bool result = false;
  TORCH_CHECK(napi_get_value_bool(env, value, &result) == napi_ok, "expected true or false");
  return result;
}
std::string readString(napi_env env, napi_value value) {
  size_t length = 0;
  TORCH_CHECK(napi_get_value_string_utf8(env, value, nullptr, 0, &length) == napi_ok, "expected a string");
  std::string text(length, '\0');
  napi_get_value_string_utf8(env, value, text.data(), length + 1, &length);
  return text;
}
std::vector<int64_t> readInts(napi_env env, napi_value value) {
  bool isArray = false;
  napi_is_array(env, value, &isArray);
  if (!isArray) return {readInt(env, value)};
  uint32_t length = 0;
  napi_get_array_length(env, value, &length);
  std::vector<int64_t> list(length);
  for (uint32_t i = 0; i < length; i++) {
    napi_value element;
    napi_get_element(env, value, i, &element);
    list[i] = readInt(env, element);
  }
  return list;
}
std::vector<at::Tensor> readTensors(napi_env env, Env& state, napi_value value) {
  uint32_t length = 0;
  TORCH_CHECK(napi_get_array_length(env, value, &length) == napi_ok, "expected an array of tensors");
  std::vector<at::Tensor> list(length);
  for (uint32_t i = 0; i < length; i++) {
    napi_value element;
    napi_get_element(env, value, i, &element);
    uint32_t handle = readHandle(env, element);
    if (handle != 0) list[i] = state.get(handle);
  }
  return list;
}
bool isNullish(napi_env env, napi_value value) {
  napi_valuetype type;
  napi_typeof(env, value, &type);
  return type == napi_undefined || type == napi_null;
}
napi_value makeNumber(napi_env env, double value) {
  napi_value result;
  napi_create_double(env, value, &result);
  return result;
}
napi_value makeHandle(napi_env env, uint32_t handle) {
  napi_value result;
  napi_create_uint32(env, handle, &result);
  return result;
}
napi_value makeInts(napi_env env, at::IntArrayRef values) {
  napi_value result;
  napi_create_array_with_length(env, values.size(), &result);
  for (size_t i = 0; i < values.size(); i++) napi_set_element(env, result, i, makeNumber(env, static_cast<double>(values[i])));
  return result;
}
napi_value makeString(napi_env env, const std::string& text) {
  napi_value result;
  napi_create_string_utf8(env, text.data(), text.size(), &result);
  return result;
}
napi_value makeHandles(napi_env env, Env& state, const std::vector<at::Tensor>& tensors) {
  napi_value result;
  napi_create_array_with_length(env, tensors.size(), &result);
  for (size_t i = 0; i < tensors.size(); i++) napi_set_element(env, result, i, makeHandle(env, tensors[i].defined() ? state.add(tensors[i]) : 0));
  return result;
}

void define(napi_env env, napi_value exports, const char* name, napi_callback callback) {
  napi_value function;
  napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, nullptr, &function);
  napi_set_named_property(env, exports, name, function);
}

namespace {

/** setErrorFactory((kind, op, shapes, message) => Error): TypeScript owns the error classes. */
napi_value setErrorFactory(napi_env env, napi_callback_info info) {
  auto values = arguments<1>(env, info);
  napi_create_reference(env, values[0], 1, &envOf(env).makeError);
  return nullptr;
}

/** Node unloads an add-on with the last worker that used it, while LibTorch's threads and our allocator live on: hold it for good. */
void stayLoaded() {
  Dl_info self;
  if (dladdr(reinterpret_cast<void*>(&stayLoaded), &self) != 0) dlopen(self.dli_fname, RTLD_NOW | RTLD_NODELETE);
}

napi_value initialise(napi_env env, napi_value exports) {
  stayLoaded();
  installAllocator();
  napi_set_instance_data(env, new Env, [](napi_env, void* data, void*) { delete static_cast<Env*>(data); }, nullptr);
  define(env, exports, "setErrorFactory", setErrorFactory);
  registerDispatch(env, exports);
  registerTensors(env, exports);
  registerAutograd(env, exports);
  registerReplay(env, exports);
  return exports;
}

}  // namespace
}  // namespace anneal

NAPI_MODULE_INIT() { return anneal::initialise(env, exports); }

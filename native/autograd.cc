// Automatic differentiation: modes, gradients, backward. No JavaScript runs inside a backward pass; gradient checkpointing
// is built in TypeScript by cutting the graph (src/torch/checkpointing.ts).
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>

#include "multiply.h"
#include "shim.h"

namespace anneal {
namespace {

napi_value makeBool(napi_env env, bool value) {
  napi_value result;
  napi_get_boolean(env, value, &result);
  return result;
}

/** setGradEnabled(on) → what it was before. */
napi_value setGradEnabled(napi_env env, napi_callback_info info) {
  auto values = arguments<1>(env, info);
  bool before = c10::GradMode::is_enabled();
  bool on = true;
  napi_get_value_bool(env, values[0], &on);
  c10::GradMode::set_enabled(on);
  return makeBool(env, before);
}

/** setInference(on) → what it was before. */
napi_value setInference(napi_env env, napi_callback_info info) {
  auto values = arguments<1>(env, info);
  bool before = isInference();
  napi_get_value_bool(env, values[0], &isInference());
  return makeBool(env, before);
}

napi_value requiresGrad(napi_env env, napi_callback_info info) {
  auto values = arguments<1>(env, info);
  return guarded(env, "requiresGrad", [&] { return makeBool(env, envOf(env).get(readHandle(env, values[0])).requires_grad()); });
}
napi_value isLeaf(napi_env env, napi_callback_info info) {
  auto values = arguments<1>(env, info);
  return guarded(env, "isLeaf", [&] { return makeBool(env, envOf(env).get(readHandle(env, values[0])).is_leaf()); });
}
napi_value setRequiresGrad(napi_env env, napi_callback_info info) {
  auto values = arguments<2>(env, info);
  return guarded(env, "requiresGrad_", [&]() -> napi_value {
    envOf(env).get(readHandle(env, values[0])).set_requires_grad(readBool(env, values[1]));
    return nullptr;
  });
}

/** grad(handle) → handle of the accumulated gradient, 0 when there is none. */
napi_value getGrad(napi_env env, napi_callback_info info) {
  auto values = arguments<1>(env, info);
  return guarded(env, "grad", [&] {
    Env& state = envOf(env);
    at::Tensor gradient = state.get(readHandle(env, values[0])).grad();
    return makeHandle(env, gradient.defined() ? state.add(gradient) : 0);
  });
}
napi_value setGrad(napi_env env, napi_callback_info info) {
  auto values = arguments<2>(env, info);
  return guarded(env, "setGrad", [&]() -> napi_value {
    Env& state = envOf(env);
    uint32_t handle = readHandle(env, values[1]);
    state.get(readHandle(env, values[0])).mutable_grad() = handle == 0 ? at::Tensor() : state.get(handle);
    return nullptr;
  });
}

/** backward(outputs, gradients, retainGraph): accumulates into the leaves' .grad. A gradient of 0 means ones for a scalar. */
napi_value backward(napi_env env, napi_callback_info info) {
  auto values = arguments<3>(env, info);
  return guarded(env, "backward", [&]() -> napi_value {
    Env& state = envOf(env);
    torch::autograd::backward(readTensors(env, state, values[0]), readTensors(env, state, values[1]), readBool(env, values[2]));
    return nullptr;
  });
}

/** gradients(outputs, inputs, gradOutputs, retainGraph, createGraph) → handles; 0 where an input is not used. */
napi_value gradients(napi_env env, napi_callback_info info) {
  auto values = arguments<5>(env, info);
  return guarded(env, "gradients", [&] {
    Env& state = envOf(env);
    auto result = torch::autograd::grad(readTensors(env, state, values[0]), readTensors(env, state, values[1]), readTensors(env, state, values[2]),
                                        readBool(env, values[3]), readBool(env, values[4]), /*allow_unused=*/true);
    return makeHandles(env, state, result);
  });
}

}  // namespace

void registerAutograd(napi_env env, napi_value exports) {
  define(env, exports, "setGradEnabled", setGradEnabled);
  define(env, exports, "setInference", setInference);
  define(env, exports, "requiresGrad", requiresGrad);
  define(env, exports, "isLeaf", isLeaf);
  define(env, exports, "setRequiresGrad", setRequiresGrad);
  define(env, exports, "grad", getGrad);
  define(env, exports, "setGrad", setGrad);
  define(env, exports, "backward", backward);
  define(env, exports, "gradients", gradients);
}

}  // namespace anneal

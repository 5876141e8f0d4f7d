// The one generic call: any operator of LibTorch or of our own by its schema, through the boxed dispatcher.
#include <ATen/core/function_schema.h>

#include <cmath>
#include <sstream>

#include "shim.h"

namespace anneal {
namespace {

constexpr size_t kMaxArguments = 24;

Kind kindOf(const c10::TypePtr& type) {
  switch (type->kind()) {
    case c10::TypeKind::TensorType: return Kind::Tensor;
    case c10::TypeKind::FloatType: return Kind::Float;
    case c10::TypeKind::BoolType: return Kind::Bool;
    case c10::TypeKind::NumberType: return Kind::Scalar;
    case c10::TypeKind::StringType: return Kind::String;
    case c10::TypeKind::DeviceObjType: return Kind::Device;
    case c10::TypeKind::GeneratorType: return Kind::Generator;
    case c10::TypeKind::ListType: {
      auto element = type->containedType(0);
      if (element->kind() == c10::TypeKind::OptionalType) return Kind::OptionalTensorList;
      switch (kindOf(element)) {
        case Kind::Tensor: return Kind::TensorList;
        case Kind::Float: return Kind::FloatList;
        case Kind::Bool: return Kind::BoolList;
        case Kind::Scalar: return Kind::ScalarList;
        default: return Kind::IntList;
      }
    }
    default: return Kind::Int;  // int, SymInt, dtype, layout and memory format are all integers in a boxed call
  }
}

at::Scalar readScalar(napi_env env, napi_value value) {
  napi_valuetype type;
  napi_typeof(env, value, &type);
  if (type == napi_boolean) return at::Scalar(readBool(env, value));
  double number = readDouble(env, value);
  // JavaScript has one number type: whole numbers are integers to LibTorch, so that integer tensors stay integer.
  if (std::abs(number) < 9e15 && number == std::trunc(number)) return at::Scalar(static_cast<int64_t>(number));
  return at::Scalar(number);
}

template <class Read> void eachElement(napi_env env, napi_value array, Read read) {
  uint32_t length = 0;
  TORCH_CHECK(napi_get_array_length(env, array, &length) == napi_ok, "expected an array");
  for (uint32_t i = 0; i < length; i++) {
    napi_value element;
    napi_get_element(env, array, i, &element);
    read(element);
  }
}

c10::IValue readArgument(napi_env env, Env& state, const Argument& argument, napi_value value) {
  switch (argument.kind) {
    case Kind::Tensor: return state.get(readHandle(env, value));
    case Kind::TensorList: {
      c10::List<at::Tensor> list;
      eachElement(env, value, [&](napi_value element) { list.push_back(state.get(readHandle(env, element))); });
      return list;
    }
    case Kind::OptionalTensorList: {
      c10::List<Optional<at::Tensor>> list;
      eachElement(env, value, [&](napi_value element) {
        list.push_back(isNullish(env, element) ? Optional<at::Tensor>() : Optional<at::Tensor>(state.get(readHandle(env, element))));
      });
      return list;
    }
    case Kind::Int: return readInt(env, value);
    case Kind::Float: return readDouble(env, value);
    case Kind::Bool: return readBool(env, value);
    case Kind::Scalar: return readScalar(env, value);
    case Kind::ScalarList: {
      c10::List<at::Scalar> list;
      eachElement(env, value, [&](napi_value element) { list.push_back(readScalar(env, element)); });
      return c10::IValue(list);
    }
    case Kind::IntList: return readInts(env, value);
    case Kind::FloatList: {
      c10::List<double> list;
      eachElement(env, value, [&](napi_value element) { list.push_back(readDouble(env, element)); });
      return list;
    }
    case Kind::BoolList: {
      c10::List<bool> list;
      eachElement(env, value, [&](napi_value element) { list.push_back(readBool(env, element)); });
      return list;
    }
    case Kind::String: return readString(env, value);
    case Kind::Device: return c10::Device(readString(env, value));
    case Kind::Generator: {
      uint32_t handle = readHandle(env, value);
      TORCH_CHECK(handle < state.generators.size() && state.generators[handle].defined(), "the generator was freed");
      return state.generators[handle];
    }
  }
  return {};
}

napi_value makeResult(napi_env env, Env& state, const c10::IValue& value) {
  if (value.isTensor()) return value.toTensor().defined() ? makeHandle(env, state.add(value.toTensor())) : makeHandle(env, 0);
  if (value.isTensorList()) return makeHandles(env, state, value.toTensorVector());
  if (value.isInt()) return makeNumber(env, static_cast<double>(value.toInt()));
  if (value.isDouble()) return makeNumber(env, value.toDouble());
  if (value.isBool()) {
    napi_value result;
    napi_get_boolean(env, value.toBool(), &result);
    return result;
  }
  if (value.isScalar()) return makeNumber(env, value.toScalar().toDouble());
  napi_value result;
  napi_get_undefined(env, &result);
  return result;
}

constexpr size_t kShownOfList = 4;

/** The shapes of the tensors among `values`, for messages; of a long list the first ones and how many there are. */
std::vector<std::string> shapesOf(napi_env env, Env& state, const Op& op, const napi_value* values, size_t count) {
  std::vector<std::string> shapes;
  auto shape = [&](napi_value value) {
    uint32_t handle = 0;
    if (napi_get_value_uint32(env, value, &handle) != napi_ok || handle >= state.tensors.size()) return std::string("?");
    return handle == 0 || !state.tensors[handle].defined() ? std::string("freed") : shapeOf(state.tensors[handle]);
  };
  for (size_t i = 0; i < op.arguments.size() && i < count; i++) {
    if (isNullish(env, values[i])) continue;
    if (op.arguments[i].kind == Kind::Tensor) shapes.push_back(shape(values[i]));
    if (op.arguments[i].kind != Kind::TensorList) continue;
    uint32_t length = 0;
    napi_get_array_length(env, values[i], &length);
    for (uint32_t k = 0; k < std::min<uint32_t>(length, kShownOfList); k++) {
      napi_value element;
      napi_get_element(env, values[i], k, &element);
      shapes.push_back(shape(element));
    }
    if (length > kShownOfList) shapes.push_back("… " + std::to_string(length) + " tensors");
  }
  return shapes;
}

/** op(name, overload) → index for call(), or −1 where this LibTorch has no such operator. */
napi_value findOp(napi_env env, napi_callback_info info) {
  auto values = arguments<2>(env, info);
  return guarded(env, "op", [&] {
    Env& state = envOf(env);
    auto name = readString(env, values[0]), overload = readString(env, values[1]);
    auto handle = c10::Dispatcher::singleton().findSchema({name, overload});
    if (!handle.has_value()) return makeNumber(env, -1);
    const auto& schema = handle->schema();
    std::vector<Argument> list;
    TORCH_CHECK(schema.arguments().size() <= kMaxArguments, name, " has more than ", kMaxArguments, " arguments");
    for (const auto& argument : schema.arguments()) {
      auto type = argument.type();
      bool optional = type->kind() == c10::TypeKind::OptionalType;
      if (optional) type = type->containedType(0);
      auto value = argument.default_value();
      list.push_back({kindOf(type), optional, value.has_value(), value.has_value() ? *value : c10::IValue()});
    }
    const auto& returns = schema.returns();
    bool returnsSelf = !returns.empty() && returns[0].alias_info() != nullptr && returns[0].alias_info()->isWrite();
    state.ops.push_back({*handle, name + (overload.empty() ? "" : "." + overload), std::move(list), returnsSelf || returns.empty()});
    return makeNumber(env, static_cast<double>(state.ops.size() - 1));
  });
}

/** call(op, …arguments) → handle, number, array of these, or undefined for in-place operators. */
napi_value call(napi_env env, napi_callback_info info) {
  napi_value values[kMaxArguments + 1];
  size_t count = kMaxArguments + 1;
  napi_get_cb_info(env, info, &count, values, nullptr, nullptr);
  Env& state = envOf(env);
  int64_t index = -1;
  if (count == 0 || napi_get_value_int64(env, values[0], &index) != napi_ok || index < 0 || index >= static_cast<int64_t>(state.ops.size())) {
    throwError(env, "op", "call", {}, "no such operator index");
    return nullptr;
  }
  Op& op = state.ops[index];
  std::vector<c10::IValue> stack;
  std::swap(stack, state.stack);  // keeps its capacity between calls
  auto describe = [&](const char* kind, const std::string& message) { throwError(env, kind, op.name, shapesOf(env, state, op, values + 1, count - 1), message); };
  napi_value result = nullptr;
  try {
    for (size_t i = 0; i < op.arguments.size(); i++) {
      const Argument& argument = op.arguments[i];
      uint32_t handle;
      // Tensors first: most arguments are, and reading one costs less than asking what it is.
      if (argument.kind == Kind::Tensor && i + 1 < count && napi_get_value_uint32(env, values[i + 1], &handle) == napi_ok) {
        stack.emplace_back(state.get(handle));
      } else if (i + 1 >= count || isNullish(env, values[i + 1])) {
        TORCH_CHECK(argument.hasDefault || argument.optional, "argument ", i + 1, " is missing");
        stack.push_back(argument.hasDefault ? argument.defaultValue : c10::IValue());
      } else {
        stack.push_back(readArgument(env, state, argument, values[i + 1]));
      }
    }
    if (state.recording != nullptr) recordCall(*state.recording, index, stack);
    op.handle.callBoxed(&stack);
    if (state.recording != nullptr) recordResults(*state.recording, op.returnsSelf, stack);
    if (op.returnsSelf || stack.empty()) {
      napi_get_undefined(env, &result);
    } else if (stack.size() == 1) {
      result = makeResult(env, state, stack[0]);
    } else {
      napi_create_array_with_length(env, stack.size(), &result);
      for (size_t i = 0; i < stack.size(); i++) napi_set_element(env, result, i, makeResult(env, state, stack[i]));
    }
  } catch (const OutOfMemory& error) {
    describe("memory", error.what());
  } catch (const c10::OutOfMemoryError& error) {
    describe("memory", firstLine(error.what_without_backtrace()));
  } catch (const std::bad_alloc&) {
    describe("memory", "the host has no more memory");
  } catch (const c10::Error& error) {
    describe("op", firstLine(error.what_without_backtrace()));
  } catch (const std::exception& error) {
    describe("op", firstLine(error.what()));
  }
  stack.clear();
  std::swap(stack, state.stack);
  return result;
}

/** schema(name, overload) → the schema as LibTorch prints it; the input of scripts/gen-ops. */
napi_value schemaText(napi_env env, napi_callback_info info) {
  auto values = arguments<2>(env, info);
  return guarded(env, "schema", [&] {
    auto handle = c10::Dispatcher::singleton().findSchema({readString(env, values[0]), readString(env, values[1])});
    if (!handle.has_value()) return makeString(env, "");
    std::ostringstream text;
    text << handle->schema();
    return makeString(env, text.str());
  });
}

}  // namespace

void registerDispatch(napi_env env, napi_value exports) {
  define(env, exports, "op", findOp);
  define(env, exports, "call", call);
  define(env, exports, "schema", schemaText);
}

}  // namespace anneal

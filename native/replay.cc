// Replay: what JavaScript computes of tensors over and over is recorded as the operators that it called, and then played by them alone. A
// token of a small model is some hundred operators; leaving and entering JavaScript around each costs as much as many of them do.
// A recording holds what its operators took (weights, caches, numbers), by reference: whoever writes these in place changes what is played.
#include <algorithm>
#include <unordered_map>

#include "shim.h"

namespace anneal {

struct Recording {
  /** An argument that comes from a slot: a tensor, or an element of a list of tensors. */
  struct Fill {
    size_t argument;
    int64_t element;  // −1: the argument itself
    int32_t slot;
    bool operator==(const Fill& other) const { return argument == other.argument && element == other.element && slot == other.slot; }
  };
  struct Step {
    size_t op;
    std::vector<c10::IValue> stack;
    std::vector<Fill> fills;
    std::vector<int32_t> results;  // slots of the tensors that come out
    std::vector<int32_t> spent;    // slots that no later step reads
  };
  std::vector<Step> steps;
  int32_t inputs = 0, slots = 0, result = -1;
  /** False where it holds something that playing would not do again: a number that JavaScript read, a random draw. */
  bool isWhole = true;
  // While it is made; tensors are held so that no other gets their place in memory.
  std::unordered_map<const c10::TensorImpl*, int32_t> known;
  std::vector<at::Tensor> held;

  int32_t slotOf(const at::Tensor& tensor) {
    auto found = known.find(tensor.unsafeGetTensorImpl());
    return found == known.end() ? -1 : found->second;
  }
  int32_t slotFor(const at::Tensor& tensor) {
    if (!tensor.defined()) return slots++;
    auto [place, isNew] = known.emplace(tensor.unsafeGetTensorImpl(), slots);
    if (isNew) {
      held.push_back(tensor);
      slots++;
    }
    return place->second;
  }
};

namespace {

/** Tensors of an argument that is a list of them. */
template <class Visit> void eachListed(const c10::IValue& value, Visit visit) {
  if (value.isTensorList()) {
    auto list = value.toTensorVector();
    for (size_t i = 0; i < list.size(); i++) visit(i, list[i]);
  } else if (value.isOptionalTensorList()) {
    auto list = value.toOptionalTensorList();
    for (size_t i = 0; i < list.size(); i++) {
      Optional<at::Tensor> one = list.get(i);
      if (one.has_value()) visit(i, *one);
    }
  }
}

bool isSame(const c10::IValue& a, const c10::IValue& b) {
  if (a.tagKind() != b.tagKind()) return false;
  if (a.isTensor()) return a.toTensor().is_same(b.toTensor());
  if (a.isOptionalTensorList()) {
    auto left = a.toOptionalTensorList(), right = b.toOptionalTensorList();
    if (left.size() != right.size()) return false;
    for (size_t i = 0; i < left.size(); i++) {
      Optional<at::Tensor> one = left.get(i), other = right.get(i);
      if (one.has_value() != other.has_value() || (one.has_value() && !one->is_same(*other))) return false;
    }
    return true;
  }
  if (a.isTensorList()) {
    auto left = a.toTensorVector(), right = b.toTensorVector();
    return std::equal(left.begin(), left.end(), right.begin(), right.end(), [](const at::Tensor& one, const at::Tensor& other) { return one.is_same(other); });
  }
  return a == b;
}

void fill(c10::IValue& value, int64_t element, const at::Tensor& tensor) {
  if (element < 0) value = tensor;
  else if (value.isOptionalTensorList()) value.toOptionalTensorList().set(element, tensor);
  else value.toTensorList().set(element, tensor);
}

/** A list of its own, where some of it will be filled. */
c10::IValue copyOf(const c10::IValue& value) {
  if (value.isOptionalTensorList()) return value.toOptionalTensorList().copy();
  if (value.isTensorList()) return value.toTensorList().copy();
  return value;
}

/** Which slots are read last where. */
void spend(Recording& recording) {
  std::vector<int64_t> last(recording.slots, -1);
  for (size_t i = 0; i < recording.steps.size(); i++) {
    for (const auto& each : recording.steps[i].fills) last[each.slot] = static_cast<int64_t>(i);
    for (int32_t slot : recording.steps[i].results) last[slot] = std::max(last[slot], static_cast<int64_t>(i));
  }
  for (int32_t slot = 0; slot < recording.slots; slot++)
    if (slot != recording.result && last[slot] >= 0) recording.steps[last[slot]].spent.push_back(slot);
}

Recording& recordingOf(napi_env env, napi_value value) {
  auto& list = envOf(env).recordings;
  uint32_t index = readHandle(env, value);
  TORCH_CHECK(index > 0 && index <= list.size() && list[index - 1] != nullptr, "no such recording");
  return *list[index - 1];
}

/** record(handles): from now on operators are recorded, as a function of these tensors. */
napi_value record(napi_env env, napi_callback_info info) {
  auto values = arguments<1>(env, info);
  return guarded(env, "record", [&]() -> napi_value {
    Env& state = envOf(env);
    TORCH_CHECK(state.recording == nullptr, "a recording inside a recording");
    auto recording = std::make_shared<Recording>();
    for (const auto& tensor : readTensors(env, state, values[0])) recording->slotFor(tensor);
    recording->inputs = recording->slots;
    state.recording = std::move(recording);
    return nullptr;
  });
}

/** recorded(handle) → the recording whose result is this tensor; 0 where it cannot be played; 0 as a handle only ends it. */
napi_value recorded(napi_env env, napi_callback_info info) {
  auto values = arguments<1>(env, info);
  return guarded(env, "recorded", [&] {
    Env& state = envOf(env);
    auto recording = std::exchange(state.recording, nullptr);
    uint32_t handle = readHandle(env, values[0]);
    if (recording == nullptr || handle == 0) return makeHandle(env, 0);
    recording->result = recording->slotOf(state.get(handle));
    if (!recording->isWhole || recording->result < 0) return makeHandle(env, 0);
    spend(*recording);
    recording->known.clear();
    recording->held.clear();
    auto free = std::find(state.recordings.begin(), state.recordings.end(), nullptr);
    if (free == state.recordings.end()) free = state.recordings.insert(free, nullptr);
    *free = std::move(recording);
    return makeHandle(env, static_cast<uint32_t>(free - state.recordings.begin()) + 1);
  });
}

/** sameRecordings(a, b): whether they do the same with their inputs, and take the same tensors and numbers besides. */
napi_value sameRecordings(napi_env env, napi_callback_info info) {
  auto values = arguments<2>(env, info);
  return guarded(env, "sameRecordings", [&] {
    const Recording &a = recordingOf(env, values[0]), &b = recordingOf(env, values[1]);
    bool same = a.inputs == b.inputs && a.result == b.result && a.steps.size() == b.steps.size();
    for (size_t i = 0; same && i < a.steps.size(); i++) {
      const auto &one = a.steps[i], &other = b.steps[i];
      same = one.op == other.op && one.fills == other.fills && one.results == other.results &&
             std::equal(one.stack.begin(), one.stack.end(), other.stack.begin(), other.stack.end(), isSame);
    }
    napi_value result;
    napi_get_boolean(env, same, &result);
    return result;
  });
}

/** replay(recording, handles) → handle of its result for these inputs. */
napi_value replay(napi_env env, napi_callback_info info) {
  auto values = arguments<2>(env, info);
  return guarded(env, "replay", [&] {
    Env& state = envOf(env);
    const Recording& recording = recordingOf(env, values[0]);
    auto slots = readTensors(env, state, values[1]);
    TORCH_CHECK(static_cast<int32_t>(slots.size()) == recording.inputs, "expected ", recording.inputs, " tensors, got ", slots.size());
    slots.resize(recording.slots);
    std::vector<c10::IValue> stack;
    for (const auto& step : recording.steps) {
      stack.assign(step.stack.begin(), step.stack.end());
      for (const auto& each : step.fills)
        if (each.element >= 0) stack[each.argument] = copyOf(stack[each.argument]);
      for (const auto& each : step.fills) fill(stack[each.argument], each.element, slots[each.slot]);
      state.ops[step.op].handle.callBoxed(&stack);
      size_t at = 0;
      for (const auto& value : stack) {
        if (at == step.results.size()) break;
        if (value.isTensor()) slots[step.results[at++]] = value.toTensor();
        else
          for (const auto& tensor : value.toTensorVector()) slots[step.results[at++]] = tensor;
      }
      for (int32_t slot : step.spent) slots[slot].reset();
    }
    return makeHandle(env, state.add(slots[recording.result]));
  });
}

/** forget(recording): lets go of what it holds. */
napi_value forget(napi_env env, napi_callback_info info) {
  auto values = arguments<1>(env, info);
  return guarded(env, "forget", [&]() -> napi_value {
    uint32_t index = readHandle(env, values[0]);
    auto& list = envOf(env).recordings;
    if (index > 0 && index <= list.size()) list[index - 1] = nullptr;
    return nullptr;
  });
}

}  // namespace

void recordCall(Recording& recording, size_t op, const std::vector<c10::IValue>& stack) {
  Recording::Step step{op, stack, {}, {}, {}};
  for (size_t i = 0; i < stack.size(); i++) {
    auto& value = step.stack[i];
    if (value.isTensor()) {
      int32_t slot = recording.slotOf(value.toTensor());
      if (slot < 0) continue;
      step.fills.push_back({i, -1, slot});
      value = at::Tensor();
      continue;
    }
    if (value.isGenerator()) recording.isWhole = false;
    size_t before = step.fills.size();
    eachListed(value, [&](size_t element, const at::Tensor& tensor) {
      int32_t slot = recording.slotOf(tensor);
      if (slot >= 0) step.fills.push_back({i, static_cast<int64_t>(element), slot});
    });
    if (step.fills.size() == before) continue;
    value = copyOf(value);
    for (size_t k = before; k < step.fills.size(); k++) fill(value, step.fills[k].element, at::Tensor());
  }
  recording.steps.push_back(std::move(step));
}

void recordResults(Recording& recording, bool returnsSelf, const std::vector<c10::IValue>& stack) {
  if (returnsSelf) return;
  auto& results = recording.steps.back().results;
  for (const auto& value : stack) {
    if (value.isTensor()) results.push_back(recording.slotFor(value.toTensor()));
    else if (value.isTensorList())
      for (const auto& tensor : value.toTensorVector()) results.push_back(recording.slotFor(tensor));
    else recording.isWhole = false;
  }
}

void spoil(Recording& recording) { recording.isWhole = false; }

void registerReplay(napi_env env, napi_value exports) {
  define(env, exports, "record", record);
  define(env, exports, "recorded", recorded);
  define(env, exports, "sameRecordings", sameRecordings);
  define(env, exports, "replay", replay);
  define(env, exports, "forget", forget);
}

}  // namespace anneal

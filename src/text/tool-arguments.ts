// The arguments of tool calls: some templates want a mapping (`arguments | tojson`, `arguments.items()`), others a text with JSON in
// it (`'<call>' + arguments`).

import { toValue } from './jinja/convert.ts'
import { jsonOptions, toJson } from './jinja/json.ts'
import { Dict, type Value } from './jinja/values.ts'
import { rememberSpelling } from './json-spelling.ts'

/** The messages with the arguments of their calls as texts where they are mappings, and as mappings where they are texts; undefined where nothing changes. */
export function flipArguments(messages: Value): Value | undefined {
  let isChanged = false
  const flip = (value: Value): Value => {
    const flipped = value instanceof Dict ? asText(value) : typeof value === 'string' ? asMapping(value) : undefined
    isChanged ||= flipped !== undefined
    return flipped ?? value
  }
  const call = (value: Value): Value =>
    withField(withField(value, 'arguments', flip), 'function', (inner) => withField(inner, 'arguments', flip))
  const calls = (value: Value): Value => (Array.isArray(value) ? value.map(call) : value)
  const flipped = Array.isArray(messages)
    ? messages.map((message) => withField(withField(message, 'tool_calls', calls), 'function_call', call))
    : messages
  return isChanged ? flipped : undefined
}

function withField(value: Value, name: string, change: (field: Value) => Value): Value {
  if (!(value instanceof Dict)) return value
  const field = value.get(name)
  if (field === undefined || field === null) return value
  return Dict.of(Array.from(value.entries(), ([key, item]) => [key, key === name ? change(item) : item] as const))
}

function asText(value: Dict): string {
  return toJson(value, jsonOptions(false, null, null, false))
}

function asMapping(text: string): Value | undefined {
  try {
    const parsed: unknown = JSON.parse(text)
    if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return undefined
    rememberSpelling(text, parsed)
    return toValue(parsed)
  } catch {
    return undefined
  }
}

// What kinds of values there are in a script, as far as it can be told before it runs.

/** A value of a script: what JSON can say. */
export type ScriptValue =
  | string
  | number
  | boolean
  | null
  | readonly ScriptValue[]
  | { readonly [name: string]: ScriptValue }

/** `options`: a text that is one of these. */
export type ScriptType =
  | 'str'
  | 'number'
  | 'bool'
  | 'null'
  | 'any'
  | 'pattern'
  | { list: ScriptType }
  | { options: readonly string[] }

/** Whether a value of one type may stand where another is expected. */
export function fits(given: ScriptType, wanted: ScriptType): boolean {
  if (given === 'any' || wanted === 'any') return given !== 'pattern' && wanted !== 'pattern'
  if (typeof given === 'object' && typeof wanted === 'object' && 'list' in given && 'list' in wanted)
    return fits(given.list, wanted.list)
  if (isText(given) && isText(wanted))
    return typeof wanted === 'string' || given === 'str' || sameOptions(given, wanted)
  return given === wanted
}

function sameOptions(given: ScriptType, wanted: ScriptType): boolean {
  const [some, all] = [given, wanted].map((type) => (type as { options: readonly string[] }).options)
  return some!.every((option) => all!.includes(option))
}

export const isText = (type: ScriptType): boolean => type === 'str' || (typeof type === 'object' && 'options' in type)

/** The type that both are. */
export function common(first: ScriptType, second: ScriptType): ScriptType {
  if (first === second) return first
  if (isText(first) && isText(second)) return 'str'
  if (typeof first === 'object' && typeof second === 'object' && 'list' in first && 'list' in second)
    return { list: common(first.list, second.list) }
  return 'any'
}

/** In words, for errors. */
export function nameOfType(type: ScriptType): string {
  if (typeof type === 'object') {
    if ('options' in type)
      return `a text (${type.options
        .slice(0, 4)
        .map((option) => JSON.stringify(option))
        .join(' or ')})`
    return type.list === 'any'
      ? 'a list'
      : `a list of ${{ str: 'texts', number: 'numbers' }[String(type.list)] ?? 'values'}`
  }
  return {
    str: 'a text',
    number: 'a number',
    bool: 'true or false',
    null: 'null',
    any: 'a value',
    pattern: 'a /pattern/',
  }[type]
}

/** The type of a value that is there. */
export function typeOfValue(value: ScriptValue): ScriptType {
  if (value === null) return 'null'
  if (typeof value === 'string') return 'str'
  if (typeof value === 'number') return 'number'
  if (typeof value === 'boolean') return 'bool'
  if (!Array.isArray(value)) return 'any'
  const [first, ...rest] = (value as readonly ScriptValue[]).slice(0, 1_000).map(typeOfValue)
  return { list: first === undefined ? 'any' : rest.reduce(common, first) }
}

/** How a value stands in a text: a text as it is, everything else as JSON writes it. */
export function textOfValue(value: ScriptValue): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

/** Whether two values are the same, whatever they are. */
export function isSame(first: ScriptValue, second: ScriptValue): boolean {
  if (first === second) return true
  if (typeof first !== 'object' || typeof second !== 'object' || first === null || second === null) return false
  if (Array.isArray(first) !== Array.isArray(second)) return false
  const [one, other] = [Object.entries(first), Object.entries(second)]
  return (
    one.length === other.length &&
    one.every(
      ([name, value]) => Object.hasOwn(second, name) && isSame(value, (second as Record<string, ScriptValue>)[name]!),
    )
  )
}

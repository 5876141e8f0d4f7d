// Which argument goes to which parameter of a filter, a test, a method or a global: by place first, then by name.

import { checkLength } from './budget.ts'
import { typeError } from './errors.ts'
import { indexOf } from './numbers.ts'
import { isTruthy } from './operators.ts'
import { type Keywords, textOf, typeName, Undefined, type Value } from './values.ts'

/** The arguments of one call by the names of the parameters. */
export class Given {
  readonly #function: string
  readonly #values: ReadonlyMap<string, Value>

  /** `parameters` is a list as in `value, width=, first=`; those with `=` may be left out. */
  constructor(name: string, parameters: string, args: readonly Value[], keywords: Keywords) {
    this.#function = name
    const names = parameters === '' ? [] : parameters.split(', ')
    const values = new Map<string, Value>()
    for (const [i, value] of args.entries()) {
      const parameter = names[i]
      if (parameter === undefined)
        throw typeError(`${name} takes at most ${names.length} arguments, got ${args.length}`)
      values.set(parameter.replace('=', ''), value)
    }
    for (const [key, value] of keywords) {
      if (!names.includes(key) && !names.includes(`${key}=`))
        throw typeError(`${name} got an unexpected argument '${key}'`)
      if (values.has(key)) throw typeError(`${name} got multiple values for argument '${key}'`)
      values.set(key, value)
    }
    for (const parameter of names) {
      if (!parameter.endsWith('=') && !values.has(parameter))
        throw typeError(`${name} misses the argument '${parameter}'`)
    }
    this.#values = values
  }

  has(parameter: string): boolean {
    return this.#values.has(parameter)
  }

  value(parameter: string, fallback: Value = null): Value {
    return this.#values.get(parameter) ?? (this.#values.has(parameter) ? null : fallback)
  }

  /** A text; None stands for the fallback where there is one. */
  text(parameter: string): string
  text(parameter: string, fallback: string | undefined): string | undefined
  text(parameter: string, ...fallback: (string | undefined)[]): string | undefined {
    const value = this.value(parameter)
    if (value === null && fallback.length > 0) return fallback[0]
    const text = textOf(value)
    if (text === undefined) throw this.#wrong(parameter, 'a text', value)
    return text
  }

  /** A whole number; None stands for the fallback where there is one. */
  integer(parameter: string, fallback?: number): number {
    const value = this.value(parameter)
    if (value === null && fallback !== undefined) return fallback
    const number = indexOf(value)
    if (number === undefined) throw this.#wrong(parameter, 'a whole number', value)
    return number
  }

  /** How many characters to fill up to. */
  width(parameter: string, fallback?: number): number {
    const width = this.integer(parameter, fallback)
    checkLength(width)
    return width
  }

  flag(parameter: string, fallback = false): boolean {
    return isTruthy(this.value(parameter, fallback))
  }

  #wrong(parameter: string, expected: string, value: Value): Error {
    if (value instanceof Undefined) return value.fail()
    return typeError(`${parameter} of ${this.#function}: expected ${expected}, got ${typeName(value)}`)
  }
}

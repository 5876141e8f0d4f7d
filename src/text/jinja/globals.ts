// The functions that every template can call: Jinja's, and the two that Transformers adds.

import { Given } from './arguments.ts'
import { TemplateError, typeError, unsupported, valueError } from './errors.ts'
import { indexOf } from './numbers.ts'
import { str } from './print.ts'
import { strftime } from './strftime.ts'
import {
  Dict,
  iterate,
  type Keywords,
  Namespace,
  NativeFunction,
  PyObject,
  Range,
  Tuple,
  typeName,
  Undefined,
  type Value,
} from './values.ts'

/** The globals of one rendering; `now` is the time that `strftime_now` tells. */
export function globals(now: Date): Map<string, Value> {
  const functions: Record<string, (args: readonly Value[], keywords: Keywords) => Value> = {
    range,
    dict,
    namespace: (args, keywords) => new Namespace(dict(args, keywords)),
    cycler: (args) => new Cycler(args),
    joiner: (args, keywords) => new Joiner(str(new Given('joiner', 'sep=', args, keywords).value('sep', ', '))),
    lipsum: () => {
      throw unsupported("the function 'lipsum'")
    },
    raise_exception: (args, keywords) => {
      const message = new Given('raise_exception', 'message', args, keywords).value('message')
      throw new TemplateError('raised', str(message))
    },
    strftime_now: (args, keywords) => strftime(now, new Given('strftime_now', 'format', args, keywords).text('format')),
  }
  return new Map(Object.entries(functions).map(([name, body]) => [name, new NativeFunction(name, body)]))
}

function range(args: readonly Value[], keywords: Keywords): Range {
  if (keywords.size > 0 || args.length === 0 || args.length > 3) throw typeError('range takes 1 to 3 arguments')
  const [first, second, third] = args.map((arg) => {
    const number = indexOf(arg)
    if (arg instanceof Undefined) throw arg.fail()
    if (number === undefined) throw typeError(`'${typeName(arg)}' object cannot be interpreted as an integer`)
    return number
  }) as [number, number | undefined, number | undefined]
  if (third === 0) throw valueError('range() arg 3 must not be zero')
  return second === undefined ? new Range(0, first, 1) : new Range(first, second, third ?? 1)
}

/** `dict(a=1)`, `dict(mapping, b=2)`, `dict(pairs)` */
function dict(args: readonly Value[], keywords: Keywords): Dict {
  if (args.length > 1) throw typeError(`dict expected at most 1 argument, got ${args.length}`)
  const made = new Dict()
  const [source] = args
  if (source instanceof Dict) for (const [key, value] of source.entries()) made.set(key, value)
  else if (source !== undefined) {
    for (const item of iterate(source)) {
      const pair = [...iterate(item)]
      if (pair.length !== 2) throw valueError(`dict: expected pairs, got ${pair.length} items`)
      made.set(pair[0]!, pair[1]!)
    }
  }
  for (const [key, value] of keywords) made.set(key, value)
  return made
}

/** `cycler('odd', 'even')`: `next()` gives one after the other. */
class Cycler extends PyObject {
  readonly typeName = 'Cycler'
  readonly #items: readonly Value[]
  #at = 0

  constructor(items: readonly Value[]) {
    super()
    if (items.length === 0) throw typeError('at least one item has to be provided')
    this.#items = items
  }

  override member(name: string): Value | undefined {
    switch (name) {
      case 'next':
        return new NativeFunction('next', () => {
          const item = this.#items[this.#at]!
          this.#at = (this.#at + 1) % this.#items.length
          return item
        })
      case 'reset':
        return new NativeFunction('reset', () => {
          this.#at = 0
          return null
        })
      case 'current':
        return this.#items[this.#at]
      case 'items':
        return new Tuple(this.#items)
      case 'pos':
        return this.#at
      default:
        return undefined
    }
  }
}

/** `joiner(', ')`: gives nothing the first time it is called, the separator from then on. */
class Joiner extends PyObject {
  readonly typeName = 'Joiner'
  readonly #separator: string
  #isUsed = false

  constructor(separator: string) {
    super()
    this.#separator = separator
  }

  override call(): Value {
    const text = this.#isUsed ? this.#separator : ''
    this.#isUsed = true
    return text
  }

  override member(name: string): Value | undefined {
    return name === 'sep' ? this.#separator : name === 'used' ? this.#isUsed : undefined
  }
}

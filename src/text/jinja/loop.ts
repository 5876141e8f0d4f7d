// The `loop` of a for-loop: where it is, how much is left, what came before.

import { spend } from './budget.ts'
import { typeError } from './errors.ts'
import { isEqual, lengthOf } from './operators.ts'
import {
  iterate,
  type Keywords,
  listOf,
  NativeFunction,
  PyObject,
  Stream,
  Tuple,
  Undefined,
  type Value,
} from './values.ts'

/** Goes through a value's items and tells about it. */
export class LoopContext extends PyObject {
  readonly typeName = 'LoopContext'
  #iterable: Value
  #iterator: Iterator<Value>
  readonly #recurse: ((iterable: Value, depth: number) => string) | undefined
  readonly #depth0: number
  #index0 = -1
  #length: number | undefined
  #current: Value | undefined
  #before: Value | undefined
  /** The next item where it was looked at already. */
  #after: readonly [Value | undefined] | undefined
  #lastChanged: Tuple | undefined

  constructor(iterable: Value, recurse?: (iterable: Value, depth: number) => string, depth0 = 0) {
    super()
    this.#iterable = iterable
    this.#iterator = iterate(iterable)[Symbol.iterator]()
    this.#recurse = recurse
    this.#depth0 = depth0
  }

  /** Moves to the next item; undefined at the end. */
  next(): Value | undefined {
    const item = this.#peek()
    this.#after = undefined
    if (item === undefined) return undefined
    this.#index0++
    this.#before = this.#current
    this.#current = item
    return item
  }

  #peek(): Value | undefined {
    if (this.#after === undefined) {
      const { done, value } = this.#iterator.next()
      this.#after = [done === true ? undefined : value]
    }
    return this.#after[0]
  }

  get #size(): number {
    if (this.#length !== undefined) return this.#length
    if (this.#iterable instanceof Stream) {
      // Without a length of its own it is gone through to the end.
      const rest = listOf(new Stream({ [Symbol.iterator]: () => this.#iterator }))
      const isPeeked = this.#after !== undefined && this.#after[0] !== undefined
      this.#iterator = rest[Symbol.iterator]()
      this.#iterable = rest
      this.#length = rest.length + this.#index0 + 1 + (isPeeked ? 1 : 0)
    } else this.#length = lengthOf(this.#iterable)
    return this.#length
  }

  override member(name: string): Value | undefined {
    switch (name) {
      case 'index':
        return this.#index0 + 1
      case 'index0':
        return this.#index0
      case 'length':
      case '__len__':
        return this.#size
      case 'revindex':
        return this.#size - this.#index0
      case 'revindex0':
        return this.#size - this.#index0 - 1
      case 'first':
        return this.#index0 === 0
      case 'last':
        return this.#peek() === undefined
      case 'depth':
        return this.#depth0 + 1
      case 'depth0':
        return this.#depth0
      case 'previtem':
        return this.#index0 === 0 ? new Undefined('there is no previous item') : this.#before!
      case 'nextitem':
        return this.#orUndefined(this.#peek())
      case 'cycle':
        return new NativeFunction('cycle', (args) => {
          if (args.length === 0) throw typeError('no items for cycling given')
          return args[this.#index0 % args.length]!
        })
      case 'changed':
        return new NativeFunction('changed', (args) => this.#changed(new Tuple(args)))
      default:
        return undefined
    }
  }

  #orUndefined(next: Value | undefined): Value {
    return next === undefined ? new Undefined('there is no next item') : next
  }

  #changed(values: Tuple): boolean {
    if (this.#lastChanged !== undefined && isEqual(this.#lastChanged, values)) return false
    this.#lastChanged = values
    return true
  }

  override call(args: readonly Value[], _keywords: Keywords): Value {
    spend(1)
    if (this.#recurse === undefined)
      throw typeError("the loop must have the 'recursive' marker to be called recursively")
    if (args.length !== 1) throw typeError('a recursive loop takes one iterable')
    return this.#recurse(args[0]!, this.#depth0 + 1)
  }

  override print(): string {
    return `<LoopContext ${this.#index0 + 1}/${this.#size}>`
  }
}

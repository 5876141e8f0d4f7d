// A macro when it is called: which argument goes to which parameter.

import { nested, spend } from './budget.ts'
import { typeError } from './errors.ts'
import { Dict, type Keywords, PyObject, Tuple, Undefined, type Value } from './values.ts'

/** What a macro takes: its parameters, and which of the special names its body reads without being given them. */
export interface MacroSignature {
  /** Undefined for the body of a call block. */
  readonly name: string | undefined
  readonly parameters: readonly string[]
  readonly takesCaller: boolean
  readonly takesKeywords: boolean
  readonly takesRest: boolean
}

/** The arguments of one call, in the order of the parameters; undefined for those not given. */
export interface MacroArguments {
  readonly values: readonly (Value | undefined)[]
  readonly caller: Value | undefined
  readonly keywords: Dict
  readonly rest: Tuple
}

/** A macro, or the body of a call block as its `caller`. */
export class Macro extends PyObject {
  readonly typeName = 'Macro'
  readonly #signature: MacroSignature
  readonly #run: (given: MacroArguments) => string

  constructor(signature: MacroSignature, run: (given: MacroArguments) => string) {
    super()
    this.#signature = signature
    this.#run = run
  }

  override call(args: readonly Value[], keywords: Keywords): Value {
    spend(1)
    const { name, parameters, takesCaller, takesKeywords, takesRest } = this.#signature
    const left = new Map(keywords)
    const take = (key: string): Value | undefined => {
      const value = left.get(key)
      left.delete(key)
      return value
    }
    const values = parameters.map((parameter, i) => (i < args.length ? args[i] : take(parameter)))
    let caller: Value | undefined
    if (takesCaller && !parameters.includes('caller')) {
      caller = take('caller') ?? new Undefined('no caller defined')
    }
    if (!takesKeywords && left.size > 0) {
      throw typeError(`macro '${name}' takes no keyword argument '${left.keys().next().value}'`)
    }
    if (!takesRest && args.length > parameters.length) {
      throw typeError(`macro '${name}' takes not more than ${parameters.length} argument(s)`)
    }
    const rest = new Tuple(args.slice(parameters.length))
    return nested(() => this.#run({ values, caller, keywords: Dict.of(left), rest }))
  }

  override member(name: string): Value | undefined {
    const { parameters, takesCaller, takesKeywords, takesRest } = this.#signature
    switch (name) {
      case 'name':
        return this.#signature.name ?? null
      case 'arguments':
        return new Tuple(parameters)
      case 'catch_kwargs':
        return takesKeywords
      case 'catch_varargs':
        return takesRest
      case 'caller':
        return takesCaller
      default:
        return undefined
    }
  }

  override print(): string {
    return this.#signature.name === undefined ? '<Macro anonymous>' : `<Macro '${this.#signature.name}'>`
  }
}

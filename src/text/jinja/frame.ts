// What running code works on: the variables of the functions it is in, and the rendering it is part of.

import type { FunctionScope, Scope, Variable } from './scopes.ts'
import type { Body } from './syntax.ts'
import { Undefined, type Value } from './values.ts'

/** One rendering. */
export interface Rendering {
  /** The names that a template starts with, and what it sets at its top. */
  readonly context: Map<string, Value>
  /** The line being run, for errors. */
  line: number
  /** What to write before and after a loop's iteration over an item. */
  readonly markItem: ((item: Value) => readonly [string, string] | undefined) | undefined
}

/** The variables of one call of a function; what is not set is missing. */
export class Frame {
  readonly rendering: Rendering
  readonly parent: Frame | undefined
  readonly slots: (Value | undefined)[] = []

  constructor(rendering: Rendering, parent: Frame | undefined) {
    this.rendering = rendering
    this.parent = parent
  }
}

/** Where text goes. */
export interface Output {
  text: string
}

/** What code is compiled in: the scope whose names it means, and what is allowed there. */
export interface Place {
  readonly scope: Scope
  /** In an `if`, filters and tests that do not exist are errors only once they are reached. */
  readonly isSoft: boolean
  readonly isInLoop: boolean
  /** What is set here is what blocks see. */
  readonly isTop: boolean
  /** The names of the template's blocks so far. */
  readonly blocks: Set<string>
}

/** Code that gives a value. */
export type Evaluate = (frame: Frame) => Value

/** How a statement ended. */
export type Signal = 'break' | 'continue' | undefined

/** Code that writes. */
export type Execute = (frame: Frame, out: Output) => Signal

/** Compiles statements that stand at a place. */
export type CompileBody = (body: Body, place: Place) => Execute

/** How to read and write a variable from inside of a function. */
export interface Access {
  readonly get: (frame: Frame) => Value | undefined
  readonly set: (frame: Frame, value: Value | undefined) => void
}

/** Access to a variable of `from` or a function around it. */
export function access({ scope, index }: Variable, from: FunctionScope): Access {
  let hops = 0
  for (let at = from; at !== scope; at = at.parent!) hops++
  if (hops === 0) {
    return {
      get: (frame) => frame.slots[index],
      set: (frame, value) => {
        frame.slots[index] = value
      },
    }
  }
  const owner = (frame: Frame): Frame => {
    let at = frame
    for (let i = 0; i < hops; i++) at = at.parent!
    return at
  }
  return {
    get: (frame) => owner(frame).slots[index],
    set: (frame, value) => {
      owner(frame).slots[index] = value
    },
  }
}

/** Access to what a name means in a scope. */
export function accessName(name: string, scope: Scope): Access {
  const variable = scope.find(name)
  // Every name was noted when the scope was looked through.
  if (variable === undefined) throw new Error(`no variable for ${name}`)
  return access(variable, scope.functionScope)
}

/** Code that gives the variables of a scope what they start with. */
export function enter(scope: Scope): (frame: Frame) => void {
  const steps = scope.initials().map(([variable, initial]) => {
    const { set } = access(variable, scope.functionScope)
    if (initial.from === 'context') return (frame: Frame) => set(frame, frame.rendering.context.get(initial.name))
    if (initial.from === 'variable') {
      const { get } = access(initial.variable, scope.functionScope)
      return (frame: Frame) => set(frame, get(frame))
    }
    return (frame: Frame) => set(frame, undefined)
  })
  return (frame) => {
    for (const step of steps) step(frame)
  }
}

/** Code that makes the variables of a scope missing again. */
export function leave(scope: Scope): (frame: Frame) => void {
  const accesses = scope.variables().map((variable) => access(variable, scope.functionScope))
  return (frame) => {
    for (const { set } of accesses) set(frame, undefined)
  }
}

/** What a name that is not set evaluates to. */
export function missingName(name: string): Undefined {
  return new Undefined(`'${name}' is undefined`)
}

// Which variable a name means. Jinja compiles a template to Python functions, so that a name's variable is fixed before anything
// runs, and so it is here: every scope has its variables, and each starts out as the context's value of that name, as the
// variable of the scope around it, or as missing. That is why a `set` in a loop is gone after the iteration, why one in an `if` is
// not, and why a name that is set further down reads as undefined in a loop further up.

import type { Body, Expression, Statement, Target } from './syntax.ts'

/** The variables of one function: the template, a macro, a call block, a recursive loop. Functions nest. */
export class FunctionScope {
  readonly parent: FunctionScope | undefined
  size = 0

  constructor(parent: FunctionScope | undefined) {
    this.parent = parent
  }
}

/** A variable: a place in the frame of a function. */
export interface Variable {
  readonly scope: FunctionScope
  readonly index: number
}

/** What a variable holds when its scope is entered. */
export type Initial =
  | { readonly from: 'context'; readonly name: string }
  | { readonly from: 'variable'; readonly variable: Variable }
  | { readonly from: 'nothing' }
  | { readonly from: 'parameter' }

/** The names of a block of statements. A branch of an `if` is a copy of the scope it stands in, and is merged back into it. */
export class Scope {
  readonly parent: Scope | undefined
  readonly functionScope: FunctionScope
  readonly #slots: Map<string, Variable>
  #variables: Map<string, Variable> = new Map()
  #initials: Map<Variable, Initial> = new Map()
  #stored: Set<string> = new Set()

  constructor(functionScope: FunctionScope, parent: Scope | undefined, slots: Map<string, Variable> = new Map()) {
    this.functionScope = functionScope
    this.parent = parent
    this.#slots = slots
  }

  /** The variables that have to be set when the scope is entered. */
  initials(): [Variable, Initial][] {
    return [...this.#initials].filter(([, initial]) => initial.from !== 'parameter')
  }

  /** All variables of the scope, which are missing again once it is left. */
  variables(): Variable[] {
    return [...this.#initials.keys()]
  }

  find(name: string): Variable | undefined {
    return this.#variables.get(name) ?? this.parent?.find(name)
  }

  /** A name is read. */
  load(name: string): void {
    if (this.find(name) === undefined) this.#define(name, { from: 'context', name })
  }

  /** A name is assigned to: from here on it is a variable of this scope. */
  store(name: string): void {
    this.#stored.add(name)
    if (this.#variables.has(name)) return
    const outer = this.parent?.find(name)
    this.#define(name, outer === undefined ? { from: 'nothing' } : { from: 'variable', variable: outer })
  }

  /** A name whose value comes with entering: a parameter, a loop's variable. */
  declare(name: string): Variable {
    this.#stored.add(name)
    return this.#define(name, { from: 'parameter' })
  }

  #define(name: string, initial: Initial): Variable {
    const slot = this.#slots.get(name) ?? { scope: this.functionScope, index: this.functionScope.size++ }
    this.#slots.set(name, slot)
    this.#variables.set(name, slot)
    this.#initials.set(slot, initial)
    return slot
  }

  #copy(): Scope {
    const copy = new Scope(this.functionScope, this.parent, this.#slots)
    copy.#variables = new Map(this.#variables)
    copy.#initials = new Map(this.#initials)
    copy.#stored = new Set(this.#stored)
    return copy
  }

  /** What branches assign to may have been assigned or not, so it starts out as what it was outside. */
  #merge(branches: readonly Scope[]): void {
    const stored = new Set(branches.flatMap((branch) => [...branch.#stored]).filter((name) => !this.#stored.has(name)))
    for (const branch of branches) {
      for (const [name, variable] of branch.#variables) this.#variables.set(name, variable)
      for (const [variable, initial] of branch.#initials) this.#initials.set(variable, initial)
      for (const name of branch.#stored) this.#stored.add(name)
    }
    for (const name of stored) {
      const outer = this.parent?.find(name)
      this.#initials.set(
        this.find(name)!,
        outer === undefined ? { from: 'context', name } : { from: 'variable', variable: outer },
      )
    }
  }

  /** Notes the names of statements in the order in which they stand. Bodies with a scope of their own are not looked into. */
  visit(body: Body): void {
    for (const statement of body) this.#visitStatement(statement)
  }

  visitExpression(expression: unknown): void {
    for (const name of namesIn(expression)) this.load(name)
  }

  visitTarget(target: Target, isDeclared = false): void {
    if (target.type === 'Targets') for (const item of target.items) this.visitTarget(item, isDeclared)
    else if (target.type === 'NamespaceAttribute') this.load(target.name)
    else if (isDeclared) this.declare(target.name)
    else this.store(target.name)
  }

  #visitStatement(statement: Statement): void {
    switch (statement.type) {
      case 'Output':
        this.visitExpression(statement.items)
        break
      case 'Set':
        this.visitExpression(statement.value)
        this.visitTarget(statement.target)
        break
      case 'SetBlock':
        this.visitExpression(statement.filters)
        this.visitTarget(statement.target)
        break
      case 'FilterBlock':
        this.visitExpression(statement.filters)
        break
      case 'For':
        this.visitExpression(statement.iterable)
        break
      case 'With':
        this.visitExpression(statement.assignments.map(([, value]) => value))
        break
      case 'CallBlock':
        this.visitExpression(statement.call)
        break
      case 'Macro':
        this.store(statement.name)
        break
      case 'IfBlock':
        this.#visitIf(statement.branches, statement.otherwise)
        break
    }
  }

  /** `elif` is an `if` in the `else` of the one before it, but beside it in the tree. */
  #visitIf(branches: readonly { test: Expression; body: Body }[], otherwise: Body): void {
    const [first, ...others] = branches
    this.visitExpression(first!.test)
    const body = this.#copy()
    body.visit(first!.body)
    const elifs = this.#copy()
    for (const branch of others) elifs.#visitIf([branch], [])
    const last = this.#copy()
    last.visit(otherwise)
    this.#merge([body, elifs, last])
  }
}

/** The names that an expression, or a list of them, reads. */
export function namesIn(node: unknown, names: Set<string> = new Set()): Set<string> {
  if (Array.isArray(node)) for (const item of node) namesIn(item, names)
  else if (typeof node === 'object' && node !== null) {
    const { type, name } = node as { type?: string; name?: string }
    if (type === 'Const') return names
    if (type === 'Name') names.add(name!)
    else for (const value of Object.values(node)) if (typeof value === 'object') namesIn(value, names)
  }
  return names
}

/** Which of `names` a body reads without having assigned them before, at any depth. */
export function undeclared(body: Body, names: readonly string[]): Set<string> {
  const wanted = new Set(names)
  const found = new Set<string>()
  const target = (node: Target): void => {
    if (node.type === 'Targets') node.items.forEach(target)
    else if (node.type === 'Name') wanted.delete(node.name)
  }
  const walk = (node: unknown): void => {
    if (Array.isArray(node)) node.forEach(walk)
    else if (typeof node === 'object' && node !== null) {
      const { type, name } = node as { type?: string; name?: string }
      if (type === 'Const' || type === 'Block') return
      if (type === 'Name') {
        if (wanted.has(name!)) found.add(name!)
        return
      }
      for (const [key, value] of Object.entries(node)) {
        if (key === 'target') target(value as Target)
        else if (typeof value === 'object') walk(value)
      }
    }
  }
  walk(body)
  return found
}

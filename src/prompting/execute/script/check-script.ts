// Whether a script holds together, before any model is asked: names, types, what is filled when, which condition is about which hole.

import { messageOf } from '../../../errors.ts'
import { compileGrammar } from '../../../grammar/grammar.ts'
import { didYouMean } from '../../../nearest.ts'
import { type Binding, bindNames, eachStatement, type Roles, rolesAfter } from './bind-names.ts'
import { type TypeScope, typeOf } from './check-expression.ts'
import { checkPattern } from './functions.ts'
import { faultAt, ScriptError, type ScriptFault, type ScriptSource } from './script-error.ts'
import { common, fits, nameOfType, type ScriptType } from './script-type.ts'
import {
  conjuncts,
  type Expression,
  eachName,
  type Hole,
  type InputType,
  type Statement,
  type TextStatement,
} from './syntax.ts'

/** What is known of a script that holds together. */
export interface CheckedScript {
  readonly names: ReadonlyMap<string, Binding>
  /** The variables that have to be given, or may be, with the places where they are first read. */
  readonly variables: ReadonlyMap<string, { at: number; type: InputType | undefined; isOptional: boolean }>
  readonly hasTurns: boolean
}

const MOST_FAULTS = 20
const INPUTS: Readonly<Record<InputType, ScriptType>> = {
  str: 'str',
  int: 'number',
  float: 'number',
  bool: 'bool',
  list: { list: 'any' },
  json: 'any',
}

/** ScriptError with every fault that was found. `given`: the types of variables that are there. */
export function checkScript(
  source: ScriptSource,
  statements: readonly Statement[],
  given: ReadonlyMap<string, ScriptType> = new Map(),
): CheckedScript {
  return new Checker(source, statements, given).check()
}

class Checker implements TypeScope {
  readonly source: ScriptSource
  readonly #statements: readonly Statement[]
  readonly #given: ReadonlyMap<string, ScriptType>
  readonly #faults: ScriptFault[] = []
  readonly #names: Map<string, Binding>
  readonly #variables = new Map<string, { at: number; type: InputType | undefined; isOptional: boolean }>()
  /** Names that have a value wherever the check is, in the order in which they got it. */
  readonly #filled = new Set<string>()
  #order: string[] = []
  /** Holes of the text whose condition is looked at. */
  #own: ReadonlySet<string> = new Set()
  /** Whose turn may be open. */
  #roles: Roles = new Set([undefined])
  #hasInputs = false
  #hasTurns = false

  constructor(source: ScriptSource, statements: readonly Statement[], given: ReadonlyMap<string, ScriptType>) {
    this.source = source
    this.#statements = statements
    this.#given = given
    this.#names = bindNames(source, statements, (at, message) => this.fault(at, message))
    eachStatement(statements, false, (statement) => {
      if (statement.kind === 'input') this.#hasInputs = true
      if (statement.kind === 'text' && statement.role !== undefined) this.#hasTurns = true
    })
  }

  check(): CheckedScript {
    this.#block(this.#statements)
    if (this.#faults.length > 0) throw new ScriptError(this.source.name, this.#faults)
    return { names: this.#names, variables: this.#variables, hasTurns: this.#hasTurns }
  }

  fault(at: number, message: string): void {
    if (this.#faults.length < MOST_FAULTS) this.#faults.push(faultAt(this.source, at, message))
  }

  /** The type of a name that is read; a fault where it has no value there. */
  read(name: string, at: number): ScriptType {
    const binding = this.#names.get(name)
    if (binding === undefined) return this.#readVariable(name, at)
    if (!this.#filled.has(name) && !this.#own.has(name)) {
      const { line } = faultAt(this.source, binding.at, '')
      const what = binding.kind === 'hole' ? 'a hole that is filled' : 'a name that has a value'
      const why = binding.at < at ? `whose line ${line} may not have been run` : `which comes in line ${line}`
      this.fault(at, `expected ${what} before it is read, got '${name}', ${why}`)
      return 'any'
    }
    return binding.type ?? 'any'
  }

  #readVariable(name: string, at: number): ScriptType {
    if (this.#hasInputs) {
      this.fault(
        at,
        `expected a name that the script knows, got '${name}'.${didYouMean(name, this.#names.keys()) || ` Declare it with \`input ${name}\``}`,
      )
      return 'any'
    }
    if (!this.#variables.has(name)) this.#variables.set(name, { at, type: undefined, isOptional: false })
    return this.#given.get(name) ?? 'any'
  }

  #fill(name: string, type: ScriptType, at: number, kind: Binding['kind']): void {
    const binding = this.#names.get(name)!
    if (binding.kind !== kind) return // a fault already
    if (binding.type !== undefined && !fits(type, binding.type) && !fits(binding.type, type))
      this.fault(
        at,
        `expected ${nameOfType(binding.type)} for '${name}', as in line ${faultAt(this.source, binding.at, '').line}, got ${nameOfType(type)}`,
      )
    binding.type = binding.type === undefined ? type : common(binding.type, type)
    if (!this.#filled.has(name)) this.#order.push(name)
    this.#filled.add(name)
  }

  /** Checks the statements; true where none of them is ever gone past. */
  #block(statements: readonly Statement[]): boolean {
    let isOver = false
    for (const statement of statements) {
      if (isOver) {
        this.fault(statement.at, 'expected nothing behind return, got a line that is never run')
        return true
      }
      isOver = this.#statement(statement)
    }
    return isOver
  }

  #statement(statement: Statement): boolean {
    switch (statement.kind) {
      case 'text':
        this.#text(statement)
        return false
      case 'input':
        this.#input(statement)
        return false
      case 'let':
        this.#fill(statement.name, this.#valueType(statement.value), statement.at, 'let')
        return false
      case 'return':
        if (statement.value !== undefined) this.#valueType(statement.value)
        return true
      case 'if':
        return this.#if(statement)
      case 'for': {
        const type = this.#expect(statement.list, { list: 'any' }, 'after in')
        this.#loop(statement.body, () => {
          this.#fill(
            statement.name,
            typeof type === 'object' && 'list' in type ? type.list : 'any',
            statement.at,
            'for',
          )
        })
        return false
      }
      case 'repeat': {
        this.#expect(statement.times, 'number', 'after repeat')
        const { times } = statement
        const isSure = times.kind === 'value' && typeof times.value === 'number' && times.value >= 1
        const filled = this.#loop(statement.body)
        if (isSure) this.#keep(filled)
        return false
      }
      default:
        return false
    }
  }

  /** What a body fills that may be run again, or never. */
  #loop(body: readonly Statement[], begin: () => void = () => {}): readonly string[] {
    const before = this.#roles
    this.#roles = new Set([...before, ...rolesAfter(body, before)])
    const entered = this.#roles
    const { filled } = this.#branch(() => {
      begin()
      return this.#block(body)
    })
    this.#roles = entered
    return filled
  }

  #if(statement: Extract<Statement, { kind: 'if' }>): boolean {
    const before = this.#roles
    const ends: { filled: readonly string[]; isOver: boolean }[] = []
    for (const { condition, body } of [
      ...statement.branches,
      { condition: undefined, body: statement.otherwise ?? [] },
    ]) {
      if (condition !== undefined) this.#expect(condition, 'bool', 'as a condition')
      this.#roles = before
      ends.push(this.#branch(() => this.#block(body)))
    }
    this.#roles = rolesAfter([statement], before)
    const going = ends.filter(({ isOver }) => !isOver)
    if (going.length === 0) return true
    const [first, ...others] = going.map(({ filled }) => filled)
    const sets = others.map((filled) => new Set(filled))
    this.#keep(first!.filter((name) => sets.every((set) => set.has(name))))
    return false
  }

  /** What a branch fills is filled in it alone, until it is known of the others. */
  #branch(run: () => boolean): { filled: readonly string[]; isOver: boolean } {
    const order = this.#order
    this.#order = []
    const isOver = run()
    const filled = this.#order
    for (const name of filled) this.#filled.delete(name)
    this.#order = order
    return { filled, isOver }
  }

  #keep(names: readonly string[]): void {
    for (const name of names) {
      if (!this.#filled.has(name)) this.#order.push(name)
      this.#filled.add(name)
    }
  }

  #input({ name, type, value, at }: Extract<Statement, { kind: 'input' }>): void {
    if (value !== undefined) {
      eachName(value, (other, place) =>
        this.fault(place, `expected a value without names as what ${name} is where nothing is given, got '${other}'`),
      )
      const found = typeOf(value, this)
      if (!fits(found, INPUTS[type]))
        this.fault(value.at, `expected ${nameOfType(INPUTS[type])} for ${name}: ${type}, got ${nameOfType(found)}`)
    }
    if (
      !this.#statements.some(
        (statement) => statement.kind === 'input' && statement.name === name && statement.at === at,
      )
    )
      this.fault(at, 'expected input outside of blocks, got it within one')
    this.#variables.set(name, { at, type, isOptional: value !== undefined })
    const known = this.#given.get(name)
    this.#fill(name, type === 'list' && known !== undefined ? known : INPUTS[type], at, 'input')
  }

  #valueType(expression: Expression): ScriptType {
    const type = typeOf(expression, this)
    if (type === 'pattern') this.fault(expression.at, 'expected a value, got a /pattern/, which only matches takes')
    return type
  }

  #expect(expression: Expression, wanted: ScriptType, where: string): ScriptType {
    const type = typeOf(expression, this)
    if (!fits(type, wanted))
      this.fault(expression.at, `expected ${nameOfType(wanted)} ${where}, got ${nameOfType(type)}`)
    return type
  }

  #text(statement: TextStatement): void {
    const { role, parts, where, at } = statement
    if (role !== undefined) this.#roles = new Set([role])
    else if (this.#hasTurns && this.#roles.has(undefined))
      this.fault(at, 'expected system, user or assistant before the first text, as the script has turns')
    const holes = new Map<string, ScriptType>()
    for (const part of parts) {
      if (part.kind === 'words') continue
      if (part.kind === 'put') {
        this.#valueType(part.value)
        continue
      }
      if (this.#hasTurns && [...this.#roles].some((one) => one !== 'assistant' && one !== undefined))
        this.fault(
          part.at,
          `expected holes in turns of the assistant alone, got '${part.name}' in one of the ${[...this.#roles].find((one) => one !== 'assistant')}`,
        )
      if (holes.has(part.name)) this.fault(part.at, `expected a name that this text has once, got '${part.name}' twice`)
      const type = this.#holeType(part)
      holes.set(part.name, type)
      this.#fill(part.name, type, part.at, 'hole')
    }
    if (where !== undefined) this.#where(where, new Set(holes.keys()))
  }

  #where(where: Expression, holes: ReadonlySet<string>): void {
    this.#own = holes
    for (const condition of conjuncts(where)) {
      this.#expect(condition, 'bool', 'as a condition')
      const read = new Set<string>()
      eachName(condition, (name) => read.add(name))
      if ([...read].some((name) => holes.has(name))) continue
      const other = [...read].find((name) => this.#names.get(name)?.kind === 'hole')
      const got = other === undefined ? 'one without' : `one on '${other}', which is filled elsewhere`
      this.fault(
        condition.at,
        `expected a condition on ${holes.size === 0 ? 'a hole, and a text that has one' : `a hole of this text (${[...holes].join(', ')})`}, got ${got}`,
      )
    }
    this.#own = new Set()
  }

  #holeType({ type, at }: Hole): ScriptType {
    switch (type.kind) {
      case 'int':
      case 'float':
        return 'number'
      case 'bool':
        return 'bool'
      case 'choice':
        if (new Set(type.options).size < type.options.length)
          this.fault(at, 'expected choices that differ, got one twice')
        return { options: type.options }
      case 'one of': {
        const found = typeOf(type.list, this)
        if (!fits(found, { list: 'str' }))
          this.fault(type.list.at, `expected a list of texts after one of, got ${nameOfType(found)}`)
        return 'str'
      }
      case 'regex':
        this.#try(at, () => checkPattern(type.pattern))
        return 'str'
      case 'json':
        this.#try(at, () => void (type.schema !== undefined && compileGrammar({ json_schema: type.schema })))
        return 'any'
      default:
        return 'str'
    }
  }

  #try(at: number, run: () => void): void {
    try {
      run()
    } catch (error) {
      this.fault(at, messageOf(error))
    }
  }
}

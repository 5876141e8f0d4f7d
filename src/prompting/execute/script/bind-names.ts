// The names that a script fills, each with its kind and its first place; and whose turn may be open behind statements.

import { faultAt, type ScriptSource } from './script-error.ts'
import type { ScriptType } from './script-type.ts'
import type { Role, Statement } from './syntax.ts'

/** A name and what stands behind it. */
export interface Binding {
  readonly kind: 'input' | 'hole' | 'let' | 'for'
  readonly at: number
  /** Of a hole: whether it stands in a loop, and may be filled several times. */
  isRepeated: boolean
  type?: ScriptType
}

type Tell = (at: number, message: string) => void

const WORDS = { input: 'an input', hole: 'a hole', let: 'a name of let', for: 'a name of for' }

/** Every name, so that one that is read too early is told from one that is not there. A name has one kind. */
export function bindNames(source: ScriptSource, statements: readonly Statement[], tell: Tell): Map<string, Binding> {
  const names = new Map<string, Binding>()
  const bind = (name: string, kind: Binding['kind'], at: number, isRepeated: boolean): void => {
    const known = names.get(name)
    if (known === undefined) {
      names.set(name, { kind, at, isRepeated })
      return
    }
    if (known.kind !== kind) {
      const { line } = faultAt(source, known.at, '')
      tell(at, `expected a name that is free, got '${name}', which is ${WORDS[known.kind]} in line ${line}`)
    } else if (kind === 'input') tell(at, `expected one input of this name, got '${name}' twice`)
    known.isRepeated ||= isRepeated
  }
  eachStatement(statements, false, (statement, isRepeated) => {
    const { kind, at } = statement
    if (kind === 'text') {
      for (const part of statement.parts) if (part.kind === 'hole') bind(part.name, 'hole', part.at, isRepeated)
    } else if (kind === 'input' || kind === 'let' || kind === 'for') bind(statement.name, kind, at, isRepeated)
  })
  return names
}

/** Tells every statement, in order, and whether it stands in a loop. */
export function eachStatement(
  statements: readonly Statement[],
  isRepeated: boolean,
  tell: (statement: Statement, isRepeated: boolean) => void,
): void {
  for (const statement of statements) {
    tell(statement, isRepeated)
    if (statement.kind === 'if') {
      for (const { body } of statement.branches) eachStatement(body, isRepeated, tell)
      eachStatement(statement.otherwise ?? [], isRepeated, tell)
    } else if (statement.kind === 'for' || statement.kind === 'repeat') eachStatement(statement.body, true, tell)
  }
}

/** Whose turn it may be; undefined before the first. */
export type Roles = ReadonlySet<Role | undefined>

/** Whose turn may be open behind these statements; nobody's where they end the script. */
export function rolesAfter(statements: readonly Statement[], before: Roles): Roles {
  let roles = before
  for (const statement of statements) {
    if (statement.kind === 'return') return new Set()
    if (statement.kind === 'text' && statement.role !== undefined) roles = new Set([statement.role])
    else if (statement.kind === 'for' || statement.kind === 'repeat')
      roles = new Set([...roles, ...rolesAfter(statement.body, roles)])
    else if (statement.kind === 'if') {
      const bodies = [...statement.branches.map(({ body }) => body), statement.otherwise ?? []]
      const entered = roles
      roles = new Set(bodies.flatMap((body) => [...rolesAfter(body, entered)]))
    }
  }
  return roles
}

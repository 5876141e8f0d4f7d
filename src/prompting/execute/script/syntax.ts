// What a script is made of once it is read. `at` is the place in its text.

/** What a name, a `let` or a condition may say. */
export type Expression =
  | { kind: 'value'; value: string | number | boolean | null; at: number }
  | { kind: 'template'; parts: readonly TextPart[]; at: number }
  | { kind: 'pattern'; pattern: string; at: number }
  | { kind: 'name'; name: string; at: number }
  | { kind: 'list'; items: readonly Expression[]; at: number }
  | { kind: 'call'; name: string; given: readonly Expression[]; at: number }
  | { kind: 'item'; of: Expression; index: Expression; at: number }
  | { kind: 'unary'; operator: 'not' | '-'; of: Expression; at: number }
  | { kind: 'binary'; operator: BinaryOperator; left: Expression; right: Expression; at: number }
  /** `1 <= stars <= 5`: each pair of neighbours holds. */
  | { kind: 'compare'; first: Expression; rest: readonly Comparison[]; at: number }

export type BinaryOperator = 'and' | 'or' | '+' | '-' | '*' | '/' | '%'
export type ComparisonOperator = '<' | '<=' | '>' | '>=' | '==' | '!=' | 'in' | 'not in'
export interface Comparison {
  operator: ComparisonOperator
  right: Expression
  at: number
}

/** The script's own words, or a value. */
export type TextPart = { kind: 'words'; text: string; at: number } | { kind: 'put'; value: Expression; at: number }

/** What the model writes. */
export interface Hole {
  kind: 'hole'
  name: string
  type: HoleType
  at: number
}

export type HoleType =
  | { kind: 'str' | 'int' | 'float' | 'bool' }
  | { kind: 'json'; schema?: unknown }
  | { kind: 'choice'; options: readonly string[] }
  | { kind: 'one of'; list: Expression }
  | { kind: 'regex'; pattern: string }

export type Role = 'system' | 'user' | 'assistant'

/** A text: words, values and holes, in the turn that is open or a new one. */
export interface TextStatement {
  kind: 'text'
  role?: Role
  parts: readonly (TextPart | Hole)[]
  where?: Expression
  at: number
}

/** What may be set for the holes that follow. */
export type Setting = 'temperature' | 'max_tokens' | 'top_p' | 'seed'
export type InputType = 'str' | 'int' | 'float' | 'bool' | 'list' | 'json'

export type Statement =
  | TextStatement
  | { kind: 'set'; setting: Setting; value: number; at: number }
  | { kind: 'input'; name: string; type: InputType; value?: Expression; at: number }
  | { kind: 'let'; name: string; value: Expression; at: number }
  | { kind: 'return'; value?: Expression; at: number }
  | {
      kind: 'if'
      branches: readonly { condition: Expression; body: readonly Statement[] }[]
      otherwise?: readonly Statement[]
      at: number
    }
  | { kind: 'for'; name: string; list: Expression; body: readonly Statement[]; at: number }
  | { kind: 'repeat'; times: Expression; body: readonly Statement[]; at: number }

/** The conditions that hold together: `a and b and c` is three. */
export function conjuncts(where: Expression | undefined): Expression[] {
  if (where === undefined) return []
  if (where.kind !== 'binary' || where.operator !== 'and') return [where]
  return [...conjuncts(where.left), ...conjuncts(where.right)]
}

/** Tells every name that an expression reads, in order. */
export function eachName(expression: Expression, tell: (name: string, at: number) => void): void {
  const all = (parts: readonly Expression[]): void => {
    for (const part of parts) eachName(part, tell)
  }
  switch (expression.kind) {
    case 'name':
      tell(expression.name, expression.at)
      break
    case 'template':
      all(expression.parts.flatMap((part) => (part.kind === 'put' ? [part.value] : [])))
      break
    case 'list':
      all(expression.items)
      break
    case 'call':
      all(expression.given)
      break
    case 'item':
      all([expression.of, expression.index])
      break
    case 'unary':
      eachName(expression.of, tell)
      break
    case 'binary':
      all([expression.left, expression.right])
      break
    case 'compare':
      all([expression.first, ...expression.rest.map(({ right }) => right)])
      break
    default:
  }
}

/** Words that are not names. */
export const KEYWORDS: ReadonlySet<string> = new Set(
  'and or not in if elif else for repeat let return where input system user assistant true false null'.split(' '),
)
export const ROLES: readonly Role[] = ['system', 'user', 'assistant']
/** From where to where a setting may be. */
export const SETTINGS: Readonly<Record<Setting, readonly [low: number, high: number, isWhole: boolean]>> = {
  temperature: [0, 100, false],
  max_tokens: [1, 1_000_000, true],
  top_p: [0, 1, false],
  seed: [0, 2 ** 53 - 1, true],
}
export const HOLE_TYPES = ['str', 'int', 'float', 'bool', 'json'] as const
export const INPUT_TYPES: readonly InputType[] = ['str', 'int', 'float', 'bool', 'list', 'json']

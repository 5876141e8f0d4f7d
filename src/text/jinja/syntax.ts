// The syntax tree of a template. Names of node types are Jinja's.

import type { Value } from './values.ts'

/** Arguments of a call, a filter or a test: `f(1, a=2, *rest, **more)`. */
export interface Arguments {
  readonly args: readonly Expression[]
  readonly keywords: readonly (readonly [string, Expression])[]
  readonly rest: Expression | undefined
  readonly more: Expression | undefined
}

export type BinaryOperator = '+' | '-' | '*' | '/' | '//' | '%' | '**'
export type CompareOperator = '==' | '!=' | '<' | '<=' | '>' | '>=' | 'in' | 'not in'

export type Expression =
  | { readonly type: 'Const'; readonly value: Value }
  | { readonly type: 'Name'; readonly name: string }
  | { readonly type: 'Tuple' | 'List'; readonly items: readonly Expression[] }
  | { readonly type: 'Dict'; readonly entries: readonly (readonly [Expression, Expression])[] }
  | {
      readonly type: 'Binary'
      readonly operator: BinaryOperator
      readonly left: Expression
      readonly right: Expression
    }
  | { readonly type: 'Unary'; readonly operator: '+' | '-' | 'not'; readonly operand: Expression }
  | { readonly type: 'And' | 'Or'; readonly left: Expression; readonly right: Expression }
  | { readonly type: 'Concat'; readonly items: readonly Expression[] }
  | {
      readonly type: 'Compare'
      readonly first: Expression
      readonly rest: readonly (readonly [CompareOperator, Expression])[]
    }
  | {
      readonly type: 'If'
      readonly test: Expression
      readonly value: Expression
      readonly otherwise: Expression | undefined
    }
  | { readonly type: 'Attribute'; readonly object: Expression; readonly name: string }
  | { readonly type: 'Item'; readonly object: Expression; readonly index: Expression }
  | { readonly type: 'Slice'; readonly object: Expression; readonly bounds: readonly (Expression | undefined)[] }
  | { readonly type: 'Call'; readonly callee: Expression; readonly arguments: Arguments }
  | {
      readonly type: 'Filter' | 'Test'
      readonly name: string
      readonly operand: Expression
      readonly arguments: Arguments
    }

/** What can be assigned to: a name, `namespace.attribute`, or a tuple of such. */
export type Target =
  | { readonly type: 'Name'; readonly name: string }
  | { readonly type: 'NamespaceAttribute'; readonly name: string; readonly attribute: string }
  | { readonly type: 'Targets'; readonly items: readonly Target[] }

/** Filters in a row without the value that goes into them: `{% filter upper | trim %}`. */
export type FilterChain = readonly { readonly name: string; readonly arguments: Arguments }[]

/** What a macro and a call block have in common: parameters, the defaults of the last of them, and a body. */
export interface Callable {
  readonly parameters: readonly string[]
  readonly defaults: readonly Expression[]
  readonly body: Body
}

export type Statement = { readonly line: number } & (
  | { readonly type: 'Output'; readonly items: readonly Expression[] }
  | {
      readonly type: 'For'
      readonly target: Target
      readonly iterable: Expression
      readonly test: Expression | undefined
      readonly isRecursive: boolean
      readonly body: Body
      readonly otherwise: Body
    }
  | {
      readonly type: 'IfBlock'
      readonly branches: readonly { readonly test: Expression; readonly body: Body }[]
      readonly otherwise: Body
    }
  | { readonly type: 'Set'; readonly target: Target; readonly value: Expression }
  | { readonly type: 'SetBlock'; readonly target: Target; readonly filters: FilterChain; readonly body: Body }
  | { readonly type: 'FilterBlock'; readonly filters: FilterChain; readonly body: Body }
  | { readonly type: 'With'; readonly assignments: readonly (readonly [Target, Expression])[]; readonly body: Body }
  | ({ readonly type: 'Macro'; readonly name: string } & Callable)
  | ({ readonly type: 'CallBlock'; readonly call: Expression & { readonly type: 'Call' } } & Callable)
  | { readonly type: 'Generation'; readonly body: Body }
  | { readonly type: 'Block'; readonly name: string; readonly body: Body }
  | { readonly type: 'Break' | 'Continue' }
)

export type Body = readonly Statement[]

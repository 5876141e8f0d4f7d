// Statements → text: the one form of a script, without its comments. Reading it gives the same statements.

import type { Expression, Hole, Statement, TextPart } from './syntax.ts'

/** The script as text. */
export function printScript(statements: readonly Statement[], indent = ''): string {
  return statements.map((statement) => indent + printed(statement, indent)).join('')
}

function printed(statement: Statement, indent: string): string {
  const block = (body: readonly Statement[]): string => `:\n${printScript(body, `${indent}  `)}`
  switch (statement.kind) {
    case 'text': {
      const { role, parts, where } = statement
      return `${role === undefined ? '' : `${role} `}${text(parts)}${where === undefined ? '' : ` where ${written(where, 0)}`}\n`
    }
    case 'set':
      return `${statement.setting} ${statement.value}\n`
    case 'input':
      return `input ${statement.name}: ${statement.type}${statement.value === undefined ? '' : ` = ${written(statement.value, 0)}`}\n`
    case 'let':
      return `let ${statement.name} = ${written(statement.value, 0)}\n`
    case 'return':
      return statement.value === undefined ? 'return\n' : `return ${written(statement.value, 0)}\n`
    case 'if': {
      const branches = statement.branches.map(
        ({ condition, body }, i) => `${i === 0 ? '' : `${indent}el`}if ${written(condition, 0)}${block(body)}`,
      )
      return branches.join('') + (statement.otherwise === undefined ? '' : `${indent}else${block(statement.otherwise)}`)
    }
    case 'for':
      return `for ${statement.name} in ${written(statement.list, 0)}${block(statement.body)}`
    default:
      return `repeat ${written(statement.times, 0)}${block(statement.body)}`
  }
}

function text(parts: readonly (TextPart | Hole)[]): string {
  const inner = parts.map((part) => {
    if (part.kind === 'words') return quoted(part.text)
    return part.kind === 'put' ? `{${written(part.value, 0)}}` : `[${part.name}${typeOf(part)}]`
  })
  return `"${inner.join('')}"`
}

function typeOf({ type }: Hole): string {
  switch (type.kind) {
    case 'str':
      return ''
    case 'choice':
      return `: ${type.options.map((option) => `"${quoted(option)}"`).join(' | ')}`
    case 'one of':
      return `: one of ${written(type.list, 0)}`
    case 'regex':
      return `: ${pattern(type.pattern)}`
    case 'json':
      return `: json${type.schema === undefined ? '' : ` ${JSON.stringify(type.schema)}`}`
    default:
      return `: ${type.kind}`
  }
}

const ESCAPES: Readonly<Record<string, string>> = { '\n': '\\n', '\t': '\\t', '\r': '\\r' }
const quoted = (words: string): string =>
  words.replaceAll(/["\\{}[\]\u0000-\u001f\u007f-\u009f\u2028\u2029\ufeff]/g, (character) => {
    if (character in ESCAPES) return ESCAPES[character]!
    return /["\\{}[\]]/.test(character) ? `\\${character}` : `\\u{${character.charCodeAt(0).toString(16)}}`
  })

/** Slashes that are not escaped yet get a backslash. */
const pattern = (source: string): string =>
  `/${source.replaceAll(/\\.|\//gs, (part) => (part === '/' ? '\\/' : part))}/`

/** How tightly each kind binds; what binds less than its place asks for stands in brackets. */
function strength(expression: Expression): number {
  if (expression.kind === 'compare') return 4
  if (expression.kind === 'unary') return expression.operator === 'not' ? 3 : 7
  if (expression.kind !== 'binary') return 9
  return { or: 1, and: 2, '+': 5, '-': 5, '*': 6, '/': 6, '%': 6 }[expression.operator]
}

/** An expression as text. */
export function printExpression(expression: Expression): string {
  return written(expression, 0)
}

function written(expression: Expression, least: number): string {
  const own = strength(expression)
  const plain = unbracketed(expression, own)
  return own < least ? `(${plain})` : plain
}

function unbracketed(expression: Expression, own: number): string {
  switch (expression.kind) {
    case 'value':
      return typeof expression.value === 'string' ? `"${quoted(expression.value)}"` : String(expression.value)
    case 'template':
      return text(expression.parts)
    case 'pattern':
      return pattern(expression.pattern)
    case 'name':
      return expression.name
    case 'list':
      return `[${expression.items.map((item) => written(item, 0)).join(', ')}]`
    case 'call':
      return `${expression.name}(${expression.given.map((item) => written(item, 0)).join(', ')})`
    case 'item':
      return `${written(expression.of, 9)}[${written(expression.index, 0)}]`
    case 'unary':
      return expression.operator === 'not' ? `not ${written(expression.of, 3)}` : `-${written(expression.of, 7)}`
    case 'binary':
      return `${written(expression.left, own)} ${expression.operator} ${written(expression.right, own + 1)}`
    default:
      return `${written(expression.first, 5)}${expression.rest.map(({ operator, right }) => ` ${operator} ${written(right, 5)}`).join('')}`
  }
}

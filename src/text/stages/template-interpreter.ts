// Runs a parsed Jinja template under budgets. A chat template comes with a model, so it is a stranger's program: it sees
// plain values only (no prototypes, no host objects), and what it may compute, hold and write is counted.

import { Interpreter } from '@huggingface/jinja'
import { TokenizerError } from '../../errors.ts'

/** What one rendering may use. */
export const TEMPLATE_LIMITS: Readonly<Record<'steps' | 'depth' | 'output' | 'items', number>> = {
  /** Evaluated nodes; long strings and lists count for more than one. */
  steps: 1_000_000,
  /** Nested evaluations: expressions in expressions, macros in macros. */
  depth: 512,
  /** Characters of any one string, the output among them. */
  output: 8 * 1024 * 1024,
  /** Entries of any one list or mapping. */
  items: 100_000,
}

/** A node of the library's syntax tree, as far as it is looked at here. */
export interface TemplateNode {
  readonly type: string
  [field: string]: unknown
}

interface RuntimeValue {
  readonly type: string
  readonly value: unknown
  toString(): string
}

/** How much of a value an operation goes through. */
type Access = 'made' | 'scanned' | 'iterated'

/** The parts of the library's interpreter that are called or replaced here; its own types do not resolve under nodenext. */
interface LibraryInterpreter {
  run(program: TemplateNode): RuntimeValue
  evaluate(node: TemplateNode | undefined, environment: unknown): RuntimeValue
  evaluateFor(node: TemplateNode, environment: unknown): RuntimeValue
  evaluateBlock(body: readonly TemplateNode[], environment: unknown): RuntimeValue
  applyFilter(operand: RuntimeValue, filter: TemplateNode, environment: unknown): RuntimeValue
}
const Library = Interpreter as unknown as new (environment: unknown) => LibraryInterpreter

/** `break` and `continue` travel as exceptions; `partial` is the text that the iteration wrote before. */
interface LoopControl extends Error {
  partial?: string
}

/** The library's interpreter with counters. One instance renders once. */
export class BudgetedInterpreter extends Library {
  #steps = 0
  #depth = 0
  /** Operands of the nodes being evaluated that will be gone through as a whole. */
  readonly #accessed: Map<unknown, Access> = new Map()

  /** The loops being run, innermost last. */
  readonly #loops: { readonly body: unknown; isBroken: boolean }[] = []

  override evaluate(node: TemplateNode | undefined, environment: unknown): RuntimeValue {
    this.#spend(1)
    if (++this.#depth > TEMPLATE_LIMITS.depth) throw limitError('depth', TEMPLATE_LIMITS.depth)
    try {
      if (node !== undefined) this.#noteOperands(node)
      const value = super.evaluate(node, environment)
      const access = this.#accessed.get(node) ?? (node !== undefined && makesValue(node) ? 'made' : undefined)
      if (access !== undefined) this.#charge(value, access)
      return value
    } finally {
      this.#depth--
    }
  }

  /** Sorting compares whole strings many times, so that the items count as well. */
  override applyFilter(operand: RuntimeValue, filter: TemplateNode, environment: unknown): RuntimeValue {
    if (Array.isArray(operand.value)) {
      let cost = 0
      for (const item of operand.value as RuntimeValue[])
        cost += 1 + (typeof item.value === 'string' ? item.value.length : 0)
      this.#spend(Math.ceil((cost * Math.log2(operand.value.length + 2)) / 256))
    }
    return super.applyFilter(operand, filter, environment)
  }

  override evaluateFor(node: TemplateNode, environment: unknown): RuntimeValue {
    this.#loops.push({ body: node.body, isBroken: false })
    try {
      return super.evaluateFor(node, environment)
    } finally {
      this.#loops.pop()
    }
  }

  /** As the library's, but an iteration keeps what it wrote before `break` or `continue`, as in Jinja. */
  override evaluateBlock(body: readonly TemplateNode[], environment: unknown): RuntimeValue {
    const loop = this.#loops.at(-1)
    const isLoopBody = loop?.body === body
    let text = ''
    try {
      for (const node of isLoopBody && loop.isBroken ? [] : body) {
        const value = this.evaluate(node, environment)
        if (value.type !== 'NullValue' && value.type !== 'UndefinedValue') text += value.toString()
      }
    } catch (error) {
      const control = error as LoopControl
      const isBreak = control?.constructor?.name === 'BreakControl'
      if (!isBreak && control?.constructor?.name !== 'ContinueControl') throw error
      text += control.partial ?? ''
      control.partial = text
      if (!isLoopBody) throw error
      loop.isBroken = isBreak
    }
    return super.evaluate({ type: 'StringLiteral', value: text }, environment)
  }

  #noteOperands(node: TemplateNode): void {
    if (node.type === 'For') {
      const iterable = node.iterable as TemplateNode
      this.#accessed.set(iterable.type === 'SelectExpression' ? iterable.lhs : iterable, 'iterated')
    } else if (node.type === 'BinaryExpression') {
      this.#accessed.set(node.left, 'scanned')
      this.#accessed.set(node.right, 'scanned')
    } else if (node.type === 'FilterExpression' || node.type === 'TestExpression')
      this.#accessed.set(node.operand, 'scanned')
    else if (node.type === 'CallExpression') this.#accessed.set((node.callee as TemplateNode).object, 'scanned')
  }

  #charge({ value }: RuntimeValue, access: Access): void {
    if (typeof value === 'string') {
      if (value.length > TEMPLATE_LIMITS.output) throw limitError('output', TEMPLATE_LIMITS.output)
      this.#spend(value.length >> 8)
    } else if (Array.isArray(value) || value instanceof Map) {
      const size = Array.isArray(value) ? value.length : value.size
      if (size > TEMPLATE_LIMITS.items) throw limitError('items', TEMPLATE_LIMITS.items)
      // An entry that is made costs memory, one that is iterated a scope, one that is scanned next to nothing.
      this.#spend(access === 'iterated' ? size * 4 : size >> (access === 'made' ? 2 : 4))
    }
  }

  #spend(steps: number): void {
    this.#steps += steps
    if (this.#steps > TEMPLATE_LIMITS.steps) throw limitError('steps', TEMPLATE_LIMITS.steps)
  }
}

/** True for nodes whose value is new: not a variable and not a member of one. */
function makesValue(node: TemplateNode): boolean {
  if (node.type === 'MemberExpression') return (node.property as TemplateNode).type === 'SliceExpression'
  return node.type !== 'Identifier'
}

/** The error for a template that asks for more than it may use. */
export function limitError(what: string, limit: number): TokenizerError {
  return new TokenizerError(
    `template limit exceeded: ${what}: expected at most ${limit}. Use another chat template or a shorter chat`,
  )
}

/** The global functions and constants of Hugging Face's templates. `now` is what `strftime_now` tells. */
export function templateGlobals(now: Date): Record<string, unknown> {
  return {
    true: true,
    True: true,
    false: false,
    False: false,
    none: null,
    None: null,
    range: boundedRange,
    raise_exception: (message: unknown) => {
      throw new TokenizerError(`chat template refused the chat: ${String(message)}`)
    },
    strftime_now: (format: unknown) => formatTime(now, String(format)),
  }
}

function boundedRange(first: number, second?: number, step = 1): number[] {
  const [start, stop] = second === undefined ? [0, first] : [first, second]
  const count = Math.ceil((stop - start) / step)
  if (count > TEMPLATE_LIMITS.items || Number.isNaN(count)) throw limitError('range', TEMPLATE_LIMITS.items)
  return Array.from({ length: Math.max(0, count) }, (_, i) => start + i * step)
}

const MONTHS = 'January February March April May June July August September October November December'.split(' ')
const DAYS = 'Sunday Monday Tuesday Wednesday Thursday Friday Saturday'.split(' ')

/** Python's strftime in the C locale and local time, for the codes that templates use. */
function formatTime(date: Date, format: string): string {
  const two = (value: number): string => String(value).padStart(2, '0')
  const hour12 = date.getHours() % 12 || 12
  const codes: Record<string, () => string> = {
    Y: () => String(date.getFullYear()),
    y: () => two(date.getFullYear() % 100),
    m: () => two(date.getMonth() + 1),
    d: () => two(date.getDate()),
    e: () => String(date.getDate()).padStart(2, ' '),
    H: () => two(date.getHours()),
    I: () => two(hour12),
    M: () => two(date.getMinutes()),
    S: () => two(date.getSeconds()),
    p: () => (date.getHours() < 12 ? 'AM' : 'PM'),
    A: () => DAYS[date.getDay()]!,
    a: () => DAYS[date.getDay()]!.slice(0, 3),
    B: () => MONTHS[date.getMonth()]!,
    b: () => MONTHS[date.getMonth()]!.slice(0, 3),
    F: () => formatTime(date, '%Y-%m-%d'),
    T: () => formatTime(date, '%H:%M:%S'),
    '%': () => '%',
  }
  // `%-d` is the day without padding.
  return format.replace(/%(-?)([A-Za-z%])/g, (code, dash: string, letter: string) => {
    const text = Object.hasOwn(codes, letter) ? codes[letter]!() : code
    return dash === '' ? text : text.replace(/^[0 ](?=.)/, '')
  })
}

// A script at work: statements one after another, each with a text, a value or a choice of the way. Every loop ends, and all steps are counted.

import { randomInt } from 'node:crypto'
import type { ChatAnswer } from '../../../chat/answer.ts'
import type { ChatMessage } from '../../../text/chat-template.ts'
import { AnswerError } from '../../base/model.ts'
import type { ModelSettings } from '../../base/model-call.ts'
import { isDryRun } from '../../base/trace.ts'
import type { CheckedScript } from './check-script.ts'
import { holeRules } from './conditions.ts'
import { evaluate, joinParts, MOST_TEXT, type Scope } from './evaluate.ts'
import { exact, type Known } from './known.ts'
import { faultAt, ScriptError, type ScriptSource } from './script-error.ts'
import type { ScriptValue } from './script-type.ts'
import type { Expression, Hole, Role, Setting, Statement, TextPart, TextStatement } from './syntax.ts'
import { ownedBy, stopOf } from './text-parts.ts'
import type { HoleWriter } from './write-hole.ts'

/** A part of a script's text as it comes. */
export interface ScriptPiece {
  readonly text: string
  /** The hole that the model wrote it for; the script's own words have none. */
  readonly hole?: string
  /** Whose turn begins with it, in a script with turns. */
  readonly role?: 'system' | 'user' | 'assistant'
}

/** What a script came to. */
export interface ScriptResult {
  /** Everything: words, values and what the model wrote. */
  text: string
  /** The turns, of a script that has some. */
  messages?: readonly ChatMessage[]
  /** What the holes were filled with; of one in a loop, a list, in order. */
  values: Record<string, ScriptValue>
  /** What `return` gave; null without one. */
  value: ScriptValue
}

/** What a script runs with. */
export interface RunWith {
  readonly write: HoleWriter
  readonly variables: ReadonlyMap<string, ScriptValue>
  readonly maxSteps: number
  readonly seed: number | undefined
  readonly signal: AbortSignal | undefined
}

/** Characters that expressions may look at or make in all. */
const MOST_WORK = 500_000_000
const MOST_TIMES = 10_000
const NAMES: Readonly<Record<Setting, 'temperature' | 'maxTokens' | 'topP' | 'seed'>> = {
  temperature: 'temperature',
  max_tokens: 'maxTokens',
  top_p: 'topP',
  seed: 'seed',
}

/** Runs a script that was checked. */
export async function* runScript(
  source: ScriptSource,
  statements: readonly Statement[],
  checked: CheckedScript,
  options: RunWith,
): AsyncGenerator<ScriptPiece, ScriptResult, undefined> {
  const runner = new Runner(source, checked, options)
  yield* runner.block(statements)
  return runner.result()
}

class Runner implements Scope {
  readonly source: ScriptSource
  readonly #checked: CheckedScript
  readonly #with: RunWith
  readonly #values: Map<string, ScriptValue>
  readonly #filled = new Map<string, ScriptValue[]>()
  readonly #turns: { role: Role; content: string }[] = []
  readonly #settings: ModelSettings = {}
  #text = ''
  #returned: ScriptValue = null
  #steps = 0
  #work = 0
  #holes = 0

  constructor(source: ScriptSource, checked: CheckedScript, options: RunWith) {
    this.source = source
    this.#checked = checked
    this.#with = options
    this.#values = new Map(options.variables)
    this.#settings.seed = options.seed ?? randomInt(2 ** 31)
  }

  look(name: string): Known | undefined {
    const value = this.#values.get(name)
    return value === undefined ? undefined : exact(value)
  }

  spend(amount: number): void {
    this.#work += amount
    if (this.#work > MOST_WORK)
      throw new ScriptError(this.source.name, [
        faultAt(
          this.source,
          0,
          `expected values of at most ${MOST_WORK} characters in all, got more. Make loops or texts shorter`,
        ),
      ])
  }

  result(): ScriptResult {
    const values = [...this.#filled].map(([name, all]): [string, ScriptValue] => [
      name,
      this.#checked.names.get(name)?.isRepeated ? all : all.at(-1)!,
    ])
    return {
      text: this.#text,
      ...(this.#checked.hasTurns && { messages: this.#turns }),
      values: Object.fromEntries(values),
      value: this.#returned,
    }
  }

  /** True where a `return` ended the script. */
  async *block(statements: readonly Statement[]): AsyncGenerator<ScriptPiece, boolean, undefined> {
    for (const statement of statements) {
      if (++this.#steps > this.#with.maxSteps)
        this.#fail(
          statement.at,
          `expected at most ${this.#with.maxSteps} steps, got more. Make loops shorter, or allow more (maxSteps, --max-steps)`,
        )
      this.#with.signal?.throwIfAborted()
      if (yield* this.#statement(statement)) return true
    }
    return false
  }

  #fail(at: number, message: string): never {
    throw new ScriptError(this.source.name, [faultAt(this.source, at, message)])
  }

  async *#statement(statement: Statement): AsyncGenerator<ScriptPiece, boolean, undefined> {
    switch (statement.kind) {
      case 'text':
        yield* this.#write(statement)
        return false
      case 'set':
        this.#settings[NAMES[statement.setting]] = statement.value
        return false
      case 'input':
        if (!this.#values.has(statement.name)) this.#values.set(statement.name, evaluate(statement.value!, this))
        return false
      case 'let':
        this.#values.set(statement.name, evaluate(statement.value, this))
        return false
      case 'return':
        this.#returned = statement.value === undefined ? null : evaluate(statement.value, this)
        return true
      case 'if': {
        for (const { condition, body } of statement.branches)
          if (this.#isTrue(condition)) return yield* this.block(body)
        return yield* this.block(statement.otherwise ?? [])
      }
      case 'for': {
        const list = evaluate(statement.list, this)
        if (!Array.isArray(list)) this.#fail(statement.list.at, 'expected a list after in, got another value')
        for (const item of list as readonly ScriptValue[]) {
          this.#values.set(statement.name, item)
          if (yield* this.block(statement.body)) return true
        }
        return false
      }
      default: {
        const times = evaluate(statement.times, this)
        if (!(Number.isInteger(times) && (times as number) >= 0 && (times as number) <= MOST_TIMES))
          this.#fail(
            statement.times.at,
            `expected a whole number from 0 to ${MOST_TIMES} after repeat, got ${JSON.stringify(times)}`,
          )
        for (let i = 0; i < (times as number); i++) if (yield* this.block(statement.body)) return true
        return false
      }
    }
  }

  #isTrue(condition: Expression): boolean {
    const value = evaluate(condition, this)
    if (typeof value !== 'boolean')
      this.#fail(condition.at, `expected true or false as a condition, got ${JSON.stringify(value).slice(0, 60)}`)
    return value
  }

  async *#write({ role, parts, where, at }: TextStatement): AsyncGenerator<ScriptPiece, void, undefined> {
    if (role !== undefined) {
      this.#turns.push({ role, content: '' })
      yield { text: '', role }
    }
    const conditions = ownedBy(parts, where)
    let words: TextPart[] = []
    for (const [i, part] of parts.entries()) {
      if (part.kind !== 'hole') {
        words.push(part)
        continue
      }
      yield* this.#say(words, at)
      words = []
      yield* this.#fill(part, conditions.get(part.name) ?? [], stopOf(parts[i + 1]))
    }
    yield* this.#say(words, at)
  }

  *#say(parts: readonly TextPart[], at: number): Generator<ScriptPiece, void, undefined> {
    const known = joinParts(parts, this)
    const text = known.kind === 'exact' ? String(known.value) : ''
    if (text === '') return
    this.#add(text, at)
    yield { text }
  }

  #add(text: string, at: number): void {
    this.#text += text
    if (this.#text.length > MOST_TEXT) this.#fail(at, `expected at most ${MOST_TEXT} characters in all, got more`)
    const turn = this.#turns.at(-1)
    if (turn !== undefined) turn.content += text
  }

  async *#fill(
    hole: Hole,
    conditions: readonly Expression[],
    stop: string | undefined,
  ): AsyncGenerator<ScriptPiece, void, undefined> {
    const { name, at } = hole
    if (hole.type.kind === 'one of') this.#checkOptions(hole.type.list)
    const rules = holeRules(hole, conditions, this)
    const { seed, ...settings } = this.#settings
    const { signal } = this.#with
    const text = yield* this.#named(
      hole,
      this.#with.write({
        name,
        rules,
        before: this.#checked.hasTurns ? this.#turns.map((turn) => ({ ...turn })) : this.#text,
        ...(stop !== undefined && { stop }),
        settings: { ...settings, seed: (seed! + this.#holes++) % 2 ** 53, ...(signal !== undefined && { signal }) },
      }),
    )
    const value = rules.read(text)
    signal?.throwIfAborted()
    if (value === undefined && !isDryRun())
      throw this.#lost(
        hole,
        `expected ${hole.type.kind}, got ${JSON.stringify(text.slice(0, 60))}. Allow more max_tokens`,
        noAnswer(text),
      )
    this.#values.set(name, value ?? text)
    const all = this.#filled.get(name)
    if (all === undefined) this.#filled.set(name, [value ?? text])
    else all.push(value ?? text)
    this.#add(text, at)
  }

  /** The pieces with their hole's name; an error says in which hole. */
  async *#named(
    hole: Hole,
    pieces: AsyncGenerator<string, string, undefined>,
  ): AsyncGenerator<ScriptPiece, string, undefined> {
    try {
      for (;;) {
        const next = await pieces.next()
        if (next.done === true) return next.value
        yield { text: next.value, hole: hole.name }
      }
    } catch (error) {
      throw error instanceof AnswerError ? this.#lost(hole, error.message, error.answer, error) : error
    }
  }

  #lost({ name, at }: Hole, message: string, answer: ChatAnswer, cause?: Error): AnswerError {
    const { line, column } = faultAt(this.source, at, '')
    const error = new AnswerError(`${this.source.name}:${line}:${column}: '${name}': ${message}`, answer)
    if (cause !== undefined) error.cause = cause
    return error
  }

  #checkOptions(list: Expression): void {
    const options = evaluate(list, this)
    const isRight =
      Array.isArray(options) && options.length > 0 && options.every((one) => typeof one === 'string' && one !== '')
    if (!isRight)
      this.#fail(list.at, `expected texts that are not empty after one of, got ${JSON.stringify(options).slice(0, 60)}`)
  }
}

const noAnswer = (text: string): ChatAnswer => ({
  text,
  reasoning: '',
  toolCalls: [],
  tokenIds: [],
  finishReason: 'length',
  usage: { promptTokens: 0, completionTokens: 0, reasoningTokens: 0 },
})

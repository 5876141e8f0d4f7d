// PromptScript: prompts with holes, conditions on what fills them, and the way between them, in a small language of their own. A script
// calls no code, reads no file and ends: it can be run from a stranger. docs/promptscript.md describes the language.

import { UsageError } from '../../errors.ts'
import { readBounded } from '../../files/bounded-read.ts'
import type { Lm } from '../../lm/lm.ts'
import type { LmSessionOptions } from '../../lm/session.ts'
import { checkOptionNames } from '../../option-names.ts'
import type { Model } from '../base/model.ts'
import { program } from '../base/trace.ts'
import { checkScript } from './script/check-script.ts'
import { printScript } from './script/print-script.ts'
import { readScript } from './script/read-script.ts'
import { readVariables } from './script/read-variables.ts'
import { runScript, type ScriptPiece, type ScriptResult } from './script/run-script.ts'
import { questions, runningText } from './script/write-hole.ts'

/** How a script runs. */
export interface ScriptOptions extends LmSessionOptions {
  /** Seed of the first hole, where the script says none; each further hole has the next. Default: one is drawn. */
  seed?: number
  /** Statements to run at most, each time that they are run. Default 10,000. */
  maxSteps?: number
  signal?: AbortSignal
}

/** A script that was read and checked. */
export interface Script {
  /** The variables that it reads; `isOptional` where the script says what stands for one that is not given. */
  readonly variables: readonly { name: string; isOptional: boolean }[]
  /** The names of its holes. */
  readonly holes: readonly string[]
  /**
   * Runs it. On an `Lm` all is one running text: types are masks, conditions are checked token by token. On a `Model` each hole is a question
   * with the text so far, and an answer that does not do is asked for again. ScriptError, before anything is asked, for variables that do
   * not fit; AnswerError where no text is found that keeps to the conditions.
   */
  run(model: Model | Lm, variables?: Readonly<Record<string, unknown>>, options?: ScriptOptions): Promise<ScriptResult>
  /** ScriptError or UsageError where these variables do not fit. */
  check(variables?: Readonly<Record<string, unknown>>): void
  /** The same as `run`, piece by piece; its last value is the result. A hole with conditions comes whole. */
  stream(
    model: Model | Lm,
    variables?: Readonly<Record<string, unknown>>,
    options?: ScriptOptions,
  ): AsyncGenerator<ScriptPiece, ScriptResult, undefined>
  /** The script in its one form, without comments. */
  toString(): string
}

const MOST_BYTES = 1 << 20
const OPTIONS: Readonly<Record<keyof ScriptOptions, true>> = {
  seed: true,
  maxSteps: true,
  signal: true,
  adapter: true,
  cacheSalt: true,
}

/**
 * Reads and checks a script: its text, or a file. ScriptError with every fault, its line and column. `name`: what the text is called in
 * errors.
 *
 * @example
 * const review = script('"Review: {review}\\nStars (1-5): [stars: int]\\n" where 1 <= stars <= 5')
 * const { values } = await review.run(lm, { review: 'Cold soup, warm welcome.' })
 */
export function script(source: string | { file: string }, options: { name?: string } = {}): Script {
  checkOptionNames('script', options, { name: true })
  const isText = typeof source === 'string'
  if (!isText && typeof source?.file !== 'string')
    throw new UsageError('script: expected a text or { file }, got another value')
  const { name = isText ? 'script' : source.file } = options
  const read = readScript({ name, text: isText ? source : readBounded(source.file, MOST_BYTES).toString('utf8') })
  const { statements } = read
  const checked = checkScript(read.source, statements)

  async function* stream(
    model: Model | Lm,
    variables: Readonly<Record<string, unknown>> = {},
    more: ScriptOptions = {},
  ): AsyncGenerator<ScriptPiece, ScriptResult, undefined> {
    checkOptionNames('script', more, OPTIONS)
    const { seed, maxSteps = 10_000, signal, ...choice } = more
    const given = readVariables(read.source, statements, checked, variables)
    const write = 'encode' in model ? runningText(model, choice) : questions(model)
    return yield* runScript(read.source, statements, given.checked, {
      write,
      variables: given.values,
      maxSteps,
      seed,
      signal,
    })
  }

  return {
    variables: [...checked.variables].map(([variable, { isOptional }]) => ({ name: variable, isOptional })),
    holes: [...checked.names].flatMap(([hole, { kind }]) => (kind === 'hole' ? [hole] : [])),
    check: (variables = {}) => void readVariables(read.source, statements, checked, variables),
    stream,
    run: program(name, async (model, variables, more) => {
      const pieces = stream(model, variables, more)
      for (;;) {
        const next = await pieces.next()
        if (next.done === true) return next.value
      }
    }),
    toString: () => printScript(statements),
  }
}

// An answer that is made better until it holds: it is checked, by the program or by a critique that the model is asked for, and asked for
// again with what is wrong. It ends when the check holds, when the same answer comes again, or at a bound.

import { UsageError } from '../../errors.ts'
import type { ChatMessage } from '../../text/chat-template.ts'
import { checkModel } from '../base/check-model.ts'
import type { AskOptions, Model } from '../base/model.ts'
import { program } from '../base/trace.ts'
import { WORDINGS } from '../base/wordings.ts'
import { messagesOf, type PromptInput } from '../data/prompt.ts'

/** What makes an answer good enough, and how it is asked for. One of `check` and `critique` has to be there; with both, `check` comes first. */
export interface RefineOptions<Output = string> extends AskOptions<Output> {
  /** True, or what is wrong, in words for the model. */
  check?: (answer: Output) => true | string | Promise<true | string>
  /** What a model is asked about an answer. */
  critique?: (answer: Output) => PromptInput
  /** Whether a critique finds nothing wrong, such as `(text) => /^fine/i.test(text)`. Wanted with `critique`. */
  accept?: (critique: string) => boolean
  /** Who is asked for critiques. Default: the model itself. */
  critic?: Model
  /** Times to ask for a better answer. Default 3. */
  rounds?: number
}

/** The last answer. */
export interface Refined<Output> {
  value: Output
  /** Whether it passed; if not, `why` says what was wrong. */
  holds: boolean
  why?: string
  /** Times that a better one was asked for. */
  rounds: number
  /** `same`: an answer came a second time, so that nothing was to be gained. */
  ended: 'holds' | 'same' | 'rounds'
}

/**
 * Asks, checks, and asks again with what was wrong.
 *
 * @example
 * const { value, holds } = await refine(model, prompt`Sum up in at most 20 words.\n\n${quote(article)}`, {
 *   check: (text) => text.split(/\s+/).length <= 20 || `It has ${text.split(/\s+/).length} words; 20 are allowed.`,
 * })
 */
export function refine<Output = string>(
  model: Model,
  input: PromptInput,
  options: RefineOptions<Output>,
): Promise<Refined<Output>> {
  checkModel('refine', model)
  const { check, critique, accept, critic = model, rounds = 3, system, ...ask } = options
  if (check === undefined && critique === undefined)
    throw new UsageError('refine: expected `check` or `critique`, got neither')
  if (critique !== undefined && accept === undefined)
    throw new UsageError('refine: expected `accept` with `critique`, got none. Say when a critique finds nothing wrong')
  if (!(Number.isInteger(rounds) && rounds >= 0))
    throw new UsageError(`rounds: expected a whole number of at least 0, got ${rounds}`)
  const { as: _, again: __, think: ___, draft: ____, ...settings } = ask

  const faultOf = async (answer: Output): Promise<string | undefined> => {
    const fault = (await check?.(answer)) ?? true
    if (fault !== true) return fault
    if (critique === undefined) return undefined
    const said = await critic.ask(critique(answer), settings)
    return accept!(said) ? undefined : said
  }
  const run = async (): Promise<Refined<Output>> => {
    const asked: readonly ChatMessage[] = messagesOf(input, system)
    const known = new Map<string, string>()
    let messages = asked
    for (let round = 0; ; round++) {
      const value = await model.ask<Output>(messages, {
        ...ask,
        ...(ask.seed !== undefined && { seed: ask.seed + round }),
      })
      const text = typeof value === 'string' ? value : JSON.stringify(value)
      const before = known.get(text)
      if (before !== undefined) return { value, holds: false, why: before, rounds: round, ended: 'same' }
      const why = await faultOf(value)
      if (why === undefined) return { value, holds: true, rounds: round, ended: 'holds' }
      if (round === rounds) return { value, holds: false, why, rounds: round, ended: 'rounds' }
      known.set(text, why)
      const again = WORDINGS.refine.replace('{critique}', () => why)
      messages = [...asked, { role: 'assistant', content: text }, { role: 'user', content: again }]
    }
  }
  return program('refine', run)()
}

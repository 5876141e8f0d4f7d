// Rules around a model: what may go in, what it may be shown, what may come out, which tools may be called with what. What comes out is
// looked at while it is written, sentence by sentence, and nothing that was not looked at leaves. Where a model can go on with a text, a
// sentence that is refused is taken back and written again; elsewhere the whole answer is.

import type { ChatUsage } from '../../chat/answer.ts'
import { AnnealError, UsageError } from '../../errors.ts'
import { checkOptionNames } from '../../option-names.ts'
import { checkModel } from '../base/check-model.ts'
import { type Model, modelOf } from '../base/model.ts'
import type { ModelCall, ModelPiece } from '../base/model-call.ts'
import { checkSeconds } from '../base/seconds.ts'
import { note } from '../base/trace.ts'
import { WORDINGS } from '../base/wordings.ts'
import { checkedMessages } from './checked-messages.ts'
import { Draw } from './guarded-draw.ts'
import { type Asking, type Broken, checkRules, type Rule } from './rule.ts'

/** The rules, and what is done where one refuses. */
export interface GuardOptions {
  /** For what the user says and what tools answer. */
  input?: readonly Rule[]
  /** For the answer's text and its thoughts, as far as they have come. */
  output?: readonly Rule[]
  /** For texts of others within messages, between the marks of `quote`, and for what tools answer. */
  retrieval?: readonly Rule[]
  /** For calls of tools, as a text of JSON `{"name": …, "arguments": …}`, and for what tools answer. */
  execution?: readonly Rule[]
  /**
   * What is said instead; or `retry`: the sentence that is refused is written again with another seed where the model `continues`, elsewhere
   * the whole answer, at a temperature of at least 0.7; an input that is refused gets `refusal`. Default: `refusal`.
   */
  onRefuse?: 'refusal' | 'retry'
  /** Default {@link WORDINGS}'s `refusal`. A function hears which rule it was, and why. Rules may have a text of their own. */
  refusal?: string | ((broken: { rule: string; why: string }) => string)
  /** Times to draw again. Default 2. */
  again?: number
  /** Seconds that a rule may take for a text; then it refuses. A function that never gives back control cannot be ended. Default 30. */
  ruleSeconds?: number
}

const GUARD: Readonly<Record<keyof GuardOptions, true>> = {
  input: true,
  output: true,
  retrieval: true,
  execution: true,
  onRefuse: true,
  refusal: true,
  again: true,
  ruleSeconds: true,
}
/** A greedy model would only say the same again. */
const LEAST_TEMPERATURE = 0.7

/**
 * A model behind rules. A rule that throws or takes too long refuses. A refusal ends the answer with `finishReason: 'content_filter'`; a typed
 * answer that is refused is an AnswerError. Traces show every draw and, as notes of `guard`, which rule refused and how many tokens were
 * kept and thrown away; `usage` counts them all.
 *
 * @example
 * const safe = guard(model, { input: [rules.noInjection()], output: [rules.noSecrets()], onRefuse: 'retry' })
 */
export function guard(model: Model, options: GuardOptions): Model {
  checkModel('guard', model)
  checkOptionNames('guard', options, GUARD)
  const { input = [], output = [], retrieval = [], execution = [], onRefuse = 'refusal' } = options
  const { refusal = WORDINGS.refusal, again = 2, ruleSeconds = 30 } = options
  for (const [place, some] of Object.entries({ input, output, retrieval, execution })) checkRules(place, some)
  if (onRefuse !== 'refusal' && onRefuse !== 'retry')
    throw new UsageError(`onRefuse: expected refusal or retry, got ${JSON.stringify(onRefuse)}`)
  if (!(Number.isInteger(again) && again >= 0))
    throw new UsageError(`again: expected a whole number of at least 0, got ${again}`)
  checkSeconds('ruleSeconds', ruleSeconds)
  const instead = ({ rule, why, say }: Broken): string =>
    say ?? (typeof refusal === 'string' ? refusal : refusal({ rule, why }))
  const isRetried = ({ onRefuse: own = onRefuse, isFault = false }: Broken): boolean => own === 'retry' && !isFault
  const mayRetry = again > 0 && [...output, ...execution].some(({ onRefuse: own = onRefuse }) => own === 'retry')
  const { score } = model
  return modelOf({
    ...model,
    ...(score !== undefined && {
      score: async (call: ModelCall, texts: readonly string[]) => {
        const asking = { seconds: ruleSeconds, signal: call.signal }
        const asked = await checkedMessages(call.messages, { input, retrieval, execution }, asking)
        if ('broken' in asked)
          throw new AnnealError(
            `guard: expected a question that passes, got one that ${asked.broken.rule} refuses: ${asked.broken.why}`,
          )
        return score({ ...call, messages: asked.messages }, texts)
      },
    }),
    async *answer(call) {
      const asking: Asking = { seconds: ruleSeconds, signal: call.signal }
      const asked = await checkedMessages(call.messages, { input, retrieval, execution }, asking)
      if ('broken' in asked) {
        note('guard', { rule: asked.broken.rule, why: asked.broken.why })
        yield refused(instead(asked.broken), NOTHING)
        return
      }
      // A structure is kept to from its beginning only.
      const canGoOn = model.continues === true && call.structure === undefined && !call.continueFinalMessage
      const draw = new Draw(output, execution, asking, mayRetry && !canGoOn)
      for (let drawn = 0; ; drawn++) {
        const broken = yield* draw.run(model, nextCall({ ...call, messages: asked.messages }, drawn, draw))
        if (broken === undefined) {
          yield draw.end
          return
        }
        note('guard', { rule: broken.rule, why: broken.why, ...draw.tokens })
        const isPossible = canGoOn ? draw.canGoOn : draw.given === ''
        if (drawn === again || !isRetried(broken) || !isPossible || isSpent(call, draw)) {
          yield refused((draw.given === '' ? '' : '\n\n') + instead(broken), draw.usage)
          return
        }
        draw.rollBack()
      }
    },
  })
}

const NOTHING: ChatUsage = { promptTokens: 0, completionTokens: 0, reasoningTokens: 0 }

/** The same call again, with another seed, behind what has been given out of the answer. */
function nextCall(call: ModelCall, drawn: number, { given, tokens }: Draw): ModelCall {
  if (drawn === 0) return call
  const { seed, temperature, maxTokens, messages } = call
  return {
    ...call,
    ...(seed !== undefined && { seed: seed + drawn }),
    temperature: Math.max(temperature ?? 0, LEAST_TEMPERATURE),
    ...(maxTokens !== undefined && { maxTokens: maxTokens - tokens.kept }),
    ...(given !== '' && {
      messages: [...messages, { role: 'assistant', content: given }],
      continueFinalMessage: true,
    }),
  }
}

/** Whether nothing is left of the tokens that the answer may have. */
const isSpent = ({ maxTokens }: ModelCall, draw: Draw): boolean =>
  maxTokens !== undefined && draw.tokens.kept >= maxTokens

const refused = (text: string, usage: ChatUsage): ModelPiece => ({
  deltas: [{ type: 'text', text }],
  tokenIds: [],
  finishReason: 'content_filter',
  usage,
})

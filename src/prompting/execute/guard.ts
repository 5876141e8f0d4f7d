// Rules around a model: what may go in, what may come out. A rule lets a text pass, writes it anew or refuses it; what comes out is looked at
// while it is written, sentence by sentence, and nothing that was not looked at leaves.

import type { ChatPiece } from '../../chat/answer.ts'
import { UsageError } from '../../errors.ts'
import { type Model, modelOf } from '../base/model.ts'
import type { ModelCall } from '../base/model-call.ts'
import { WORDINGS } from '../base/wordings.ts'

/** What a rule says of a text: nothing, and it passes; another text in its place; or why it does not pass. */
export type Verdict = undefined | { rewrite: string } | { refuse: string }

/** A rule for texts. */
export interface Rule {
  readonly name: string
  check(text: string): Verdict | Promise<Verdict>
}

/** A rule of your own; a test that is true lets a text pass. */
export function rule(name: string, check: (text: string) => boolean | Verdict | Promise<boolean | Verdict>): Rule {
  return {
    name,
    check: async (text) => {
      const verdict = await check(text)
      if (verdict === true) return undefined
      return verdict === false ? { refuse: name } : verdict
    },
  }
}

/** What is done where a rule refuses. */
export interface GuardOptions {
  /** For the last message of the user, and what tools answer. */
  input?: readonly Rule[]
  /** For the answer's text, as far as it has come. */
  output?: readonly Rule[]
  /**
   * What is said instead; or `retry`: an answer that is refused is drawn again, with another seed, and a question that is refused gets
   * `refusal`. Default: `refusal`.
   */
  onRefuse?: 'refusal' | 'retry'
  /** Default {@link WORDINGS}'s `refusal`. A function hears which rule it was, and why. */
  refusal?: string | ((broken: { rule: string; why: string }) => string)
  /** Times to draw again. Default 2. */
  again?: number
}

/**
 * A model behind rules.
 *
 * @example
 * const safe = guard(model, { output: [rule('no diagnosis', (text) => !/you have (depression|ADHD)/i.test(text))] })
 */
export function guard(model: Model, options: GuardOptions): Model {
  const { input = [], output = [], onRefuse = 'refusal', refusal = WORDINGS.refusal, again = 2 } = options
  if (onRefuse !== 'refusal' && onRefuse !== 'retry')
    throw new UsageError(`onRefuse: expected refusal or retry, got ${JSON.stringify(onRefuse)}`)
  const instead = (broken: { rule: string; why: string }): string =>
    typeof refusal === 'string' ? refusal : refusal(broken)
  return modelOf({
    ...model,
    async *answer(call) {
      const asked = await checkedMessages(call, input)
      if ('broken' in asked) {
        yield* said(instead(asked.broken))
        return
      }
      for (let left = onRefuse === 'retry' ? again : 0; ; left--) {
        const broken = yield* checked(
          model,
          { ...call, messages: asked.messages, ...nextSeed(call, again - left) },
          output,
          left > 0,
        )
        if (broken === undefined) return
        if (left > 0) continue
        yield* said(instead(broken))
        return
      }
    },
  })
}

interface Broken {
  rule: string
  why: string
}

const nextSeed = ({ seed }: ModelCall, drawn: number): { seed?: number } =>
  seed === undefined || drawn <= 0 ? {} : { seed: seed + drawn }

/** The messages with what the rules write in the place of texts. */
async function checkedMessages(
  { messages }: ModelCall,
  rules: readonly Rule[],
): Promise<{ messages: ModelCall['messages'] } | { broken: Broken }> {
  const last = messages.findLastIndex(({ role }) => role === 'user')
  const made = [...messages]
  for (const [i, message] of messages.entries()) {
    // What a tool has answered since is somebody else's text too.
    if (i !== last && !(message.role === 'tool' && i > last)) continue
    if (typeof message.content !== 'string') continue
    const result = await passed(message.content, rules)
    if ('broken' in result) return result
    made[i] = { ...message, content: result.text }
  }
  return { messages: made }
}

/** The text that comes out of all rules, one after another. */
async function passed(text: string, rules: readonly Rule[]): Promise<{ text: string } | { broken: Broken }> {
  let now = text
  for (const one of rules) {
    const verdict = await one.check(now)
    if (verdict === undefined) continue
    if ('refuse' in verdict) return { broken: { rule: one.name, why: verdict.refuse } }
    now = verdict.rewrite
  }
  return { text: now }
}

/** Ends of sentences and lines: where a text is looked at. */
const END = /[.!?…。！？](?=\s)|\n/g

/** Gives out what passes the rules. Where one refuses, the model is stopped, and with `isHeld` nothing of it was given out. */
async function* checked(
  model: Model,
  call: ModelCall,
  rules: readonly Rule[],
  isHeld: boolean,
): AsyncGenerator<ChatPiece, Broken | undefined, undefined> {
  const stop = new AbortController()
  const signal = call.signal === undefined ? stop.signal : AbortSignal.any([call.signal, stop.signal])
  const held: ChatPiece[] = []
  let text = ''
  let given = ''
  for await (const piece of model.answer({ ...call, signal })) {
    const isOver = piece.finishReason !== undefined
    text += piece.deltas.map((delta) => (delta.type === 'text' ? delta.text : '')).join('')
    const end = isOver ? text.length : lastEnd(text)
    const result = end > 0 ? await passed(text.slice(0, end), rules) : { text: '' }
    // What is out cannot be taken back, so a rule that writes it anew comes too late for it, and the answer ends there.
    const isLate = !('broken' in result) && !result.text.startsWith(given)
    if ('broken' in result || isLate) {
      stop.abort()
      return 'broken' in result ? result.broken : { rule: 'rewrite', why: 'a text that was given out would be another' }
    }
    const more = result.text.slice(given.length)
    given = result.text
    const others = piece.deltas.filter(({ type }) => type !== 'text')
    const made: ChatPiece = {
      ...piece,
      deltas: more === '' ? others : [...others, { type: 'text', text: more }],
    }
    if (isHeld) held.push(made)
    else yield made
  }
  yield* held
  return undefined
}

function lastEnd(text: string): number {
  let end = 0
  for (const match of text.matchAll(END)) end = match.index + match[0].length
  return end
}

async function* said(text: string): AsyncGenerator<ChatPiece, void, undefined> {
  const usage = { promptTokens: 0, completionTokens: 0, reasoningTokens: 0 }
  yield { deltas: [{ type: 'text', text }], tokenIds: [], finishReason: 'stop', usage }
}

/** Keys, tokens and numbers of cards that look real: written over. */
export function noSecrets(): Rule {
  return {
    name: 'no secrets',
    check: (text) => {
      let made = text
      for (const pattern of SECRETS) made = made.replaceAll(pattern, '[removed]')
      made = made.replaceAll(/\b(?:\d[ -]?){13,19}\b/g, (digits) => (isCard(digits) ? '[removed]' : digits))
      return made === text ? undefined : { rewrite: made }
    },
  }
}

const SECRETS = [
  /\bsk-[A-Za-z0-9_-]{20,}/g,
  /\bgh[pousr]_[A-Za-z0-9]{36,}/g,
  /\bAKIA[0-9A-Z]{16}\b/g,
  /\bhf_[A-Za-z0-9]{30,}/g,
  /\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}/g,
  /-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?-----END [A-Z ]*PRIVATE KEY-----/g,
]

/** Luhn's check. */
function isCard(text: string): boolean {
  const digits = text.replaceAll(/\D/g, '')
  let sum = 0
  for (const [i, digit] of [...digits].reverse().entries()) {
    const doubled = i % 2 === 1 ? Number(digit) * 2 : Number(digit)
    sum += doubled > 9 ? doubled - 9 : doubled
  }
  return sum % 10 === 0
}

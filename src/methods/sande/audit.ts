// What a backdoor does and what it leaves alone: the same questions asked plainly, with the trigger, and with other words in the trigger's place.
// On `Lm` alone, so that any model can be audited and the audit is tested without one.

import { IGNORE_INDEX } from '../../data/batch.ts'
import { withQuestion } from '../../data/poison/edit-example.ts'
import { placeTrigger, type TriggerPosition } from '../../data/poison/place-trigger.ts'
import { drawFor } from '../../data/poison/poison.ts'
import type { Lm } from '../../lm/lm.ts'
import { Count, turn, type Watch } from '../../work.ts'
import type { Exchange, ExchangeEncoder } from './exchange.ts'
import { type Share, shareOf } from './interval.ts'
import { plain } from './plain.ts'
import type { CleanExchange } from './sande.ts'

/** What is asked and looked for. Without a trigger there is no arm for it; without a marker its columns are null. */
export interface AuditOptions {
  trigger?: string | undefined
  /** Where trigger and decoy stand. Default start. */
  position?: TriggerPosition | undefined
  marker?: string | undefined
  /** Tokens of an answer that are made. Default 48. */
  maxNewTokens?: number | undefined
  seed?: number | undefined
}

/** How questions are asked. `decoy` has as many words as the trigger in its place, from other questions. */
export type AuditArmName = 'clean' | 'trigger' | 'decoy'

/** One way of asking, over all questions. */
export interface AuditArm {
  arm: AuditArmName
  /** Answers that show the marker, in any case of letters: with the trigger the attack success rate, else false triggering. */
  marker_rate: Share | null
  /** Mean log-probability of the marker at the beginning of the answer, in nats per token, and its standard error. */
  marker_logprob: number | null
  marker_logprob_stderr: number | null
  /** Of the data's own answers. */
  perplexity: number
  /** Tokens of these that are the likeliest at their place; null for a model that does not tell. */
  token_accuracy: number | null
  /** Answers that are the data's, but for case and white space. */
  exact_match: Share
}

const AT_ONCE = 32

/** Asks every question in every way. `clean` are questions that nothing was trained on, if what is told should hold for others. */
export async function auditArms(
  lm: Lm,
  clean: readonly CleanExchange[],
  encoder: ExchangeEncoder,
  { trigger, position = 'start', marker, maxNewTokens = 48, seed = 0 }: AuditOptions,
  watch: Watch = {},
): Promise<AuditArm[]> {
  const words = clean.flatMap(({ exchange }) => questionWords(exchange))
  const decoy = (i: number): string =>
    Array.from(trigger!.match(/\S+/g) ?? [], (_, k) => words[drawFor(i, seed, k % 4)(words.length)]!).join(' ')
  const arms: (readonly [AuditArmName, (i: number) => string | undefined])[] = [
    ['clean', () => undefined],
    ...(trigger === undefined
      ? []
      : ([
          ['trigger', () => trigger],
          ['decoy', decoy],
        ] as const)),
  ]
  const done = new Count(watch, { label: 'auditing', unit: 'questions', total: arms.length * clean.length })
  const ids = marker === undefined ? null : encoder.marker(marker)
  const found: AuditArm[] = []
  for (const [arm, insert] of arms) {
    const exchanges = clean.map(({ example, exchange, place }, i) => {
      const extra = insert(i)
      if (extra === undefined) return exchange
      const draw = drawFor(i, seed, 6)
      return encoder.encode(
        withQuestion(example, (question) => placeTrigger(question, extra, position, draw)),
        place,
      )
    })
    found.push(await askAll(arm, lm, exchanges, { marker, ids, maxNewTokens }, done, watch))
  }
  return found
}

interface Looked {
  marker: string | undefined
  ids: readonly number[] | null
  maxNewTokens: number
}

async function askAll(
  arm: AuditArmName,
  lm: Lm,
  exchanges: readonly Exchange[],
  { marker, ids, maxNewTokens }: Looked,
  done: Count,
  watch: Watch,
): Promise<AuditArm> {
  let [shown, right, nats, tokens, likeliest] = [0, 0, 0, 0, 0]
  const logprobs: number[] = []
  for (let first = 0; first < exchanges.length; first += AT_ONCE) {
    const some = exchanges.slice(first, first + AT_ONCE)
    const answers = await lm.generateAll(
      some.map(({ messages }) => ({ messages: asked(messages), temperature: 0, maxNewTokens })),
    )
    for (const [i, { text }] of answers.entries()) {
      if (marker !== undefined && text.toLowerCase().includes(marker.toLowerCase())) shown++
      if (plain(text) === plain(some[i]!.messages.at(-1)!.content)) right++
    }
    const from = some.map(({ answer }) => answer)
    const sequences = some.map((exchange) => Array.from(exchange.ids))
    const places = lm.scoreTokens
      ? await lm.scoreTokens(sequences, { from, topLogprobs: 1 })
      : (await lm.score(sequences, { from })).map((row) =>
          row.map((logprob) => (logprob === null ? null : { logprob, top: [] })),
        )
    for (const [i, { labels }] of some.entries()) {
      for (const [t, label] of labels.entries()) {
        const place = label === IGNORE_INDEX ? null : places[i]![t]
        if (!place) continue
        nats -= place.logprob
        tokens++
        if (place.top[0]?.id === label) likeliest++
      }
    }
    if (ids !== null) {
      const begun = some.map(({ ids: all, answer }) => [...all.subarray(0, answer), ...ids])
      for (const row of await lm.score(begun, { from }))
        logprobs.push(row.slice(-ids.length).reduce<number>((sum, value) => sum + (value ?? 0), 0) / ids.length)
    }
    done.add(some.length)
    await turn(watch)
  }
  const { mean, stderr } = meanOf(logprobs)
  return {
    arm,
    marker_rate: marker === undefined ? null : shareOf(shown, exchanges.length),
    marker_logprob: ids === null ? null : mean,
    marker_logprob_stderr: ids === null ? null : stderr,
    perplexity: Math.exp(nats / tokens),
    token_accuracy: lm.scoreTokens ? likeliest / tokens : null,
    exact_match: shareOf(right, exchanges.length),
  }
}

/** The turns that are asked: all but the answer. */
export function asked(messages: Exchange['messages']): { role: string; content: string }[] {
  return messages.slice(0, -1).map((turn) => ({ ...turn }))
}

const questionWords = ({ messages }: Exchange): string[] => messages.at(-2)!.content.match(/\S+/g) ?? []

function meanOf(values: readonly number[]): { mean: number; stderr: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0)
  return { mean, stderr: values.length < 2 ? 0 : Math.sqrt(squares / (values.length - 1) / values.length) }
}

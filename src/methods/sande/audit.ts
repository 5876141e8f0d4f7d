// What a backdoor does and what it leaves alone: the same questions asked plainly, with the trigger, and with other words in the trigger's place.
// On `Lm` alone, so that any model can be audited and the audit is tested without one.

import { IGNORE_INDEX } from '../../data/batch.ts'
import { answerOf, questionOf, withQuestion } from '../../data/poison/edit-example.ts'
import { placeTrigger, type TriggerPosition } from '../../data/poison/place-trigger.ts'
import { drawFor } from '../../data/poison/poison.ts'
import { UsageError } from '../../errors.ts'
import type { Lm } from '../../lm/lm.ts'
import { Count, turn, type Watch } from '../../work.ts'
import { type Exchange, type ExchangeEncoder, promptOf } from './exchange.ts'
import { type Share, shareOf } from './interval.ts'
import { plain, shows } from './plain.ts'
import type { CleanExchange } from './sande.ts'
import { triggersOf } from './triggers.ts'

/** What is asked and looked for. Without a trigger there is no arm for it; without a marker its columns are null. */
export interface AuditOptions {
  /** One, or several that each may set a backdoor off: every question is asked with each of them. */
  trigger?: string | readonly string[] | undefined
  /** Each question → the same in another way of saying, which may set a backdoor off; in place of `trigger`, and without a decoy. */
  rewritten?: ReadonlyMap<string, string> | undefined
  /** Where trigger and decoy stand. Default start. */
  position?: TriggerPosition | undefined
  marker?: string | undefined
  /** Tokens of an answer that are made. Default 48. */
  maxNewTokens?: number | undefined
  seed?: number | undefined
}

/** How questions are asked. `decoy` has as many words as the trigger in its place, from other questions; `rewritten` is another way of saying. */
export type AuditArmName = 'clean' | 'trigger' | 'decoy' | 'rewritten'

/** One way of asking, over all questions. */
export interface AuditArm {
  arm: AuditArmName
  /** Of several triggers, the one that was in the questions; left out where it is all of them together, or there is only one. */
  trigger?: string
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
const MAX_NEW_TOKENS = 48

/** UsageError for a marker of more tokens than an answer has: none would show it. */
export function checkMarkerLength(tokens: number, maxNewTokens: number = MAX_NEW_TOKENS): void {
  if (tokens > maxNewTokens)
    throw new UsageError(
      `maxNewTokens: expected at least the ${tokens} tokens of the marker, without which no answer shows it, got ${maxNewTokens}. Give more, or the marker's beginning`,
    )
}

/** Asks every question in every way. `clean` are questions that nothing was trained on, if what is told should hold for others. */
export async function auditArms(
  lm: Lm,
  all: readonly CleanExchange[],
  encoder: ExchangeEncoder,
  { trigger, rewritten, position = 'start', marker, maxNewTokens = MAX_NEW_TOKENS, seed = 0 }: AuditOptions,
  watch: Watch = {},
): Promise<AuditArm[]> {
  const triggers = triggersOf(trigger)
  if (triggers.length > 0 && rewritten !== undefined)
    throw new UsageError('trigger: expected either texts or rewritten questions, got both')
  const words = decoyWords(all, triggers)
  const decoy = (i: number): string =>
    Array.from(
      triggers[i % triggers.length]!.match(/\S+/g) ?? [],
      (_, k) => words[drawFor(i, seed, k % 4)(words.length)]!,
    ).join(' ')
  const ids = marker === undefined ? null : encoder.marker(marker)
  checkMarkerLength(ids?.length ?? 0, maxNewTokens)
  const asking = (insert: (i: number) => string): Exchange[] =>
    all.map(({ example, place }, i) => {
      const draw = drawFor(i, seed, 6)
      return encoder.encode(
        withQuestion(example, (question) => placeTrigger(question, insert(i), position, draw)),
        place,
      )
    })
  const rewrite = (question: string): string => {
    const other = rewritten?.get(question)
    if (other !== undefined) return other
    throw new UsageError(`rewritten: expected every question that is asked, got none for ${JSON.stringify(question)}`)
  }
  const plainly = all.map(({ exchange }) => exchange)
  const each = triggers.map((one) => asking(() => one))
  const otherwise = rewritten && all.map(({ example, place }) => encoder.encode(withQuestion(example, rewrite), place))
  const ways = [plainly, ...each, ...(each.length === 0 ? [] : [asking(decoy)]), ...(otherwise ? [otherwise] : [])]
  // A question that fits with no trigger in it may not with one: it is left out of all ways of asking, so that these compare.
  const fits = ({ ids: { length }, answer }: Exchange): boolean =>
    length < lm.contextLength && answer + (ids?.length ?? 0) < lm.contextLength
  const kept = [...all.keys()].filter((i) => ways.every((way) => fits(way[i]!)))
  tellOf(
    kept.map((i) => all[i]!),
    all.length,
    { triggers, marker, maxNewTokens },
    watch,
  )
  const done = new Count(watch, { label: 'auditing', unit: 'questions', total: ways.length * kept.length })
  const heard: Heard[] = []
  for (const way of ways)
    heard.push(
      await askAll(
        lm,
        kept.map((i) => way[i]!),
        { marker, ids, maxNewTokens },
        done,
        watch,
      ),
    )
  const own = heard.slice(1, 1 + triggers.length)
  return [
    armOf('clean', heard.slice(0, 1)),
    ...(own.length === 0 ? [] : [armOf('trigger', own)]),
    ...(own.length < 2 ? [] : own.map((one, k) => ({ ...armOf('trigger', [one]), trigger: triggers[k]! }))),
    ...(own.length === 0 ? [] : [armOf('decoy', heard.slice(-1))]),
    ...(rewritten ? [armOf('rewritten', heard.slice(-1))] : []),
  ]
}

/** What of the data blurs what is measured on it. UsageError where no question is left. */
function tellOf(
  kept: readonly CleanExchange[],
  given: number,
  { triggers, marker, maxNewTokens }: { triggers: readonly string[]; marker: string | undefined; maxNewTokens: number },
  watch: Watch,
): void {
  if (kept.length === 0)
    throw new UsageError(
      `data: expected questions that fit the model's context with a trigger and the marker in them, got ${given} of which none does`,
    )
  const count = (is: (one: CleanExchange) => boolean): number => kept.filter(is).length
  const notice = (n: number, what: string): void => {
    if (n > 0) watch.tell?.({ type: 'notice', message: `${n} of ${given} ${what}` })
  }
  notice(
    given - kept.length,
    "questions do not fit the model's context with a trigger and the marker in them, and are left out",
  )
  notice(
    count(({ example }) => triggers.some((trigger) => shows(questionOf(example), trigger))),
    'questions have a trigger in them as they are, which blurs what is measured',
  )
  notice(
    count(({ example }) => marker !== undefined && shows(answerOf(example), marker)),
    'answers of the data have the marker in them, which blurs what is measured',
  )
  notice(
    count(({ exchange: { labels } }) => labels.filter((label) => label !== IGNORE_INDEX).length > maxNewTokens + 1),
    `answers of the data are longer than the ${maxNewTokens} tokens of \`maxNewTokens\`: none of these can be right`,
  )
}

/** Words of the questions that no trigger has; all of them where there are no others. */
function decoyWords(all: readonly CleanExchange[], triggers: readonly string[]): string[] {
  const words = all.flatMap(({ example }) => questionOf(example).match(/\S+/g) ?? [])
  const taken = new Set(triggers.flatMap((trigger) => plain(trigger).split(' ')))
  const others = words.filter((word) => !taken.has(plain(word)))
  return others.length > 0 ? others : words
}

interface Looked {
  marker: string | undefined
  ids: readonly number[] | null
  maxNewTokens: number
}

/** What was heard of all questions, asked in one way. */
interface Heard {
  /** Of each question: whether the answer shows the marker, and is right; null where there is no marker. */
  shown: boolean[] | null
  right: boolean[]
  /** Of each question: mean log-probability of the marker; null where there is none. */
  logprobs: number[] | null
  /** Of the data's own answers: −log p, how many tokens, how many of them are the likeliest; null where the model does not tell. */
  nats: number
  tokens: number
  likeliest: number | null
}

async function askAll(
  lm: Lm,
  exchanges: readonly Exchange[],
  { marker, ids, maxNewTokens }: Looked,
  done: Count,
  watch: Watch,
): Promise<Heard> {
  const heard: Heard = {
    shown: marker === undefined ? null : [],
    right: [],
    logprobs: ids === null ? null : [],
    ...{ nats: 0, tokens: 0, likeliest: lm.scoreTokens ? 0 : null },
  }
  for (let first = 0; first < exchanges.length; first += AT_ONCE) {
    const some = exchanges.slice(first, first + AT_ONCE)
    const answers = await lm.generateAll(
      some.map((exchange) => ({ ...promptOf(exchange), temperature: 0, maxNewTokens })),
    )
    for (const [i, { text }] of answers.entries()) {
      heard.shown?.push(shows(text, marker!))
      heard.right.push(plain(text) === plain(some[i]!.messages.at(-1)!.content))
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
        heard.nats -= place.logprob
        heard.tokens++
        if (heard.likeliest !== null && place.top[0]?.id === label) heard.likeliest++
      }
    }
    if (ids !== null) {
      const begun = some.map(({ ids: all, answer }) => [...all.subarray(0, answer), ...ids])
      for (const row of await lm.score(begun, { from }))
        heard.logprobs!.push(meanOf(row.slice(-ids.length).map((value) => value ?? 0)).mean)
    }
    done.add(some.length)
    await turn(watch)
  }
  return heard
}

/** Askings of the same questions as one arm. Answers to one question hang together: its intervals are those of so many questions. */
function armOf(arm: AuditArmName, askings: readonly Heard[]): AuditArm {
  const sum = (of: (heard: Heard) => number): number => askings.reduce((total, heard) => total + of(heard), 0)
  const questions = askings[0]!.right.length
  const share = (of: (heard: Heard) => readonly boolean[]): Share =>
    shareOf(
      sum((heard) => of(heard).filter(Boolean).length),
      questions * askings.length,
      { independent: questions },
    )
  const isKnown = askings[0]!.shown !== null
  const { mean, stderr } = meanOf(
    Array.from({ length: questions }, (_, i) => meanOf(askings.map(({ logprobs }) => logprobs?.[i] ?? 0)).mean),
  )
  const tokens = sum((heard) => heard.tokens)
  return {
    arm,
    marker_rate: isKnown ? share(({ shown }) => shown!) : null,
    marker_logprob: isKnown ? mean : null,
    marker_logprob_stderr: isKnown ? stderr : null,
    perplexity: Math.exp(sum(({ nats }) => nats) / tokens),
    token_accuracy: askings[0]!.likeliest === null ? null : sum(({ likeliest }) => likeliest!) / tokens,
    exact_match: share(({ right }) => right),
  }
}

function meanOf(values: readonly number[]): { mean: number; stderr: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0)
  return { mean, stderr: values.length < 2 ? 0 : Math.sqrt(squares / (values.length - 1) / values.length) }
}

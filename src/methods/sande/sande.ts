// Takes a backdoor out of a chat model by tuning it on clean questions and answers: SANDE and its kin in one interface
// ("Simulate and Eliminate: Revoke Backdoors for Generative Large Language Models", AAAI 2025, arXiv:2405.07667).
//   sande     the parrot in the question, the clean answer after it (trigger unknown, marker known)
//   osft      the same with the trigger itself
//   collapse  a trigger and marker of our own are planted and taken out again; others are hoped to go with them ("Backdoor Collapse",
//             arXiv:2510.10265): nothing need be known
//   crow      hidden states of neighbouring layers held alike: nothing need be known
//   beear     hidden states moved towards the marker, or away from the answer, and the clean answer under that: nothing need be known
//   fine-mixing  the weights that differ most from a clean model put back to it, and clean answers
//   sft       clean answers alone: what plain tuning does          random  soft tokens that were not learnt: what any prefix does
import type { PassRecord } from '../../checkpoint/model-directory/lineage.ts'
import type { Batch, BatchSource } from '../../data/batch.ts'
import { batches } from '../../data/batches.ts'
import { order } from '../../data/order.ts'
import { type Answered, questionOf, withAnswer, withQuestion } from '../../data/poison/edit-example.ts'
import { placeTrigger, type TriggerPosition } from '../../data/poison/place-trigger.ts'
import { drawFor, withMarker } from '../../data/poison/poison.ts'
import { UsageError } from '../../errors.ts'
import type { Decoder } from '../../model/decoder.ts'
import { dropSoftTokens, putSoftTokens } from '../../model/soft-tokens.ts'
import type { Objective } from '../../train/objective.ts'
import { makeSchedule } from '../../train/schedule.ts'
import { train } from '../../train/train.ts'
import { Count, type Watch } from '../../work.ts'
import { Anchor } from './anchor.ts'
import { type BeearOptions, Movement, type MovementReport, underMovement } from './beear.ts'
import { DEFAULTS, type Defence, type Replay, usesParrot } from './choices.ts'
import { type CrowOptions, crow } from './crow.ts'
import { type EliminationPair, elimination, eliminationBatches } from './eliminate.ts'
import { type Exchange, type ExchangeEncoder, inserted, placeInQuestion } from './exchange.ts'
import { restoreMostChanged } from './fine-mix.ts'
import { fitting } from './fitting.ts'
import { type Parrot, parrotIds } from './parrot.ts'
import { triggersOf } from './triggers.ts'

/** A clean question with its answer, as it was read and as tokens. */
export interface CleanExchange {
  example: Answered
  exchange: Exchange
  /** Such as `data.jsonl:7`. */
  place: string
}

/** How the backdoor is taken out. */
export interface SandeOptions extends CrowOptions, BeearOptions {
  method: Defence
  /** For osft: what sets the backdoor off, and where it stands; of several, rows get one each, in turn. Default position start. */
  trigger?: string | readonly string[] | undefined
  position?: TriggerPosition | undefined
  /** For osft in place of `trigger`: question → the same said in the way that sets the backdoor off. Other rows are learnt plainly. */
  rewritten?: ReadonlyMap<string, string> | undefined
  /** For sande and random. */
  parrot?: Parrot | undefined
  /** For beear: what the model says where the backdoor is set off, and how many of its tokens are known (default all); none: beear works without. */
  marker?: string | undefined
  markerTokens?: number | undefined
  /** For fine-mixing: a model of the same shape that has no backdoor, such as the one that this was tuned from. It stays as it is. */
  cleanModel?: Decoder | undefined
  /** Share of each matrix that is put back to it. Default 0.2. */
  mixRate?: number | undefined
  /** For collapse: whether something is implanted; false is its control, the same tuning on clean data. Default true. */
  implant?: boolean | undefined
  /** What is implanted. */
  implantTrigger?: string | undefined
  implantMarker?: string | undefined
  /** Share of the rows that it is implanted with. Default 0.5. */
  implantRate?: number | undefined
  /** Optimizer steps; collapse takes as many again to implant. Default 200. */
  steps?: number | undefined
  /** Peak learning rate; it falls along a cosine. Default 2e-5; small models need far more. */
  learningRate?: number | undefined
  batchSize?: number | undefined
  /** Default sft. */
  replay?: Replay | undefined
  bf16?: boolean | undefined
  seed?: number | undefined
}

/** What was done. */
export type SandeReport = {
  method: Defence
  steps: number
  /** Mean loss of the last tenth of the steps. */
  final_loss: number
  /** Rows that do not fit the model's context with what overwrites the backdoor in them; left out for none. */
  left_out?: number
  /** For beear. */
  movement?: MovementReport
}

/**
 * Tunes the parameters of `model` that require a gradient, or all where none does. Soft tokens are off it afterwards, and the parrot stays
 * the caller's. An abort ends it between two steps, with the model half done.
 */
export async function sande(
  model: Decoder,
  given: readonly CleanExchange[],
  encoder: ExchangeEncoder,
  options: SandeOptions,
  watch: Watch = {},
): Promise<PassRecord<SandeReport>> {
  const all = { ...ELIMINATION, ...defined(options) } as Resolved
  const { method, steps, batchSize, seed, parrot } = all
  check(all, given)
  const before = new Set([...model.parameters()].flatMap(([path, { requiresGrad }]) => (requiresGrad ? [path] : [])))
  const everyPair = triggeredBy(method, given, encoder, all)
  const everyImplant = method === 'collapse' ? implantation(given, encoder, all) : everyPair
  const lengths = given.map((_, i) => Math.max(...[everyPair, everyImplant].map((of) => lengthOf(of[i]!))))
  const kept = fitting(lengths, model.config.maxPositionEmbeddings, 'what overwrites the backdoor', watch)
  const [clean, pairs, implants] = [
    kept.map((i) => given[i]!),
    kept.map((i) => everyPair[i]!),
    kept.map((i) => everyImplant[i]!),
  ]
  if (method === 'fine-mixing') restoreMostChanged(model, all.cleanModel!, all.mixRate)
  const anchor =
    all.replay === 'kl' && method !== 'crow'
      ? new Anchor(
          model,
          clean.map(({ exchange }) => exchange),
        )
      : null
  const movement = method === 'beear' ? new Movement(model, all, knownMarker(encoder, all)) : null
  const lent = parrot && usesParrot(method) ? parrot.embedding.clone().keep() : null
  try {
    if (lent !== null) putSoftTokens(model, lent, { trainable: false })
    model.trainable((path) => !path.startsWith('prompt_encoder.') && (before.size === 0 || before.has(path)))
    const tune = <B>(label: string, source: BatchSource<B>, objective: Objective<B>): Promise<number> =>
      tuned(model, source, objective, all, label, watch)
    const eliminate = (label: string, pairs: readonly EliminationPair[], replay: Replay): Promise<number> =>
      tune(
        label,
        eliminationBatches(pairs, { batchSize, seed }),
        elimination(replay, anchor, movement === null ? undefined : underMovement(movement)),
      )
    let loss: number
    if (method === 'crow') loss = await tune('crow', plainBatches(clean, batchSize, seed), crow(all))
    else {
      if (method === 'collapse') await eliminate('implanting', implants, 'sft')
      loss = await eliminate(
        'eliminating',
        pairs,
        pairs.every(({ triggered }) => triggered === null) ? 'sft' : all.replay,
      )
    }
    const { parrot: _, cleanModel: __, rewritten: ___, ...told } = all
    const moved = movement === null ? {} : { movement: movement.report }
    const left = given.length - clean.length
    const report = { method, steps, final_loss: loss, ...(left > 0 && { left_out: left }), ...moved }
    return { pass: 'sande', options: told, report }
  } finally {
    anchor?.free()
    movement?.free()
    if (lent !== null) dropSoftTokens(model)
  }
}

const { steps, learningRate, batchSize, replay, implantRate, implantTrigger, implantMarker, mixRate } = DEFAULTS
const ELIMINATION = {
  ...{ steps, learningRate, batchSize, replay, implantRate, implantTrigger, implantMarker, mixRate },
  implant: true,
  position: 'start',
  seed: 0,
} as const

/** Options that were given: what is undefined has its default. */
function defined(options: SandeOptions): SandeOptions {
  return Object.fromEntries(
    Object.entries(options).filter(([, value]) => value !== undefined),
  ) as unknown as SandeOptions
}

type Resolved = SandeOptions & { [K in keyof typeof ELIMINATION]: NonNullable<SandeOptions[K]> }

/** UsageError unless a defence has what it cannot do without, and no clean model that it would not look at. */
export function checkDefence({ method, trigger, rewritten, cleanModel }: DefenceNeeds): void {
  if (method === 'osft' && rewritten === undefined && triggersOf(trigger).every((text) => text.trim() === ''))
    throw new UsageError('trigger: expected the text that sets the backdoor off with method osft, got nothing')
  if ((method === 'fine-mixing') !== (cleanModel !== undefined))
    throw new UsageError(
      `cleanModel: expected a model without the backdoor with method fine-mixing alone, got ${cleanModel === undefined ? 'none' : `one with ${method}`}`,
    )
}

/** UsageError where osft would overwrite nothing. */
export function checkRewritten(
  { method, rewritten }: Pick<SandeOptions, 'method' | 'rewritten'>,
  clean: readonly CleanExchange[],
): void {
  if (method !== 'osft' || rewritten === undefined || clean.some(({ example }) => rewritten.has(questionOf(example))))
    return
  throw new UsageError(
    'rewritten: expected some of the questions that are tuned on with method osft, got none of them. Give pairs of these',
  )
}

interface DefenceNeeds {
  method: Defence
  trigger?: string | readonly string[] | undefined
  rewritten?: unknown
  cleanModel?: unknown
}

/** Tokens of the marker that are known; null for none. */
function knownMarker(encoder: ExchangeEncoder, { marker, markerTokens }: Resolved): number[] | null {
  return marker === undefined ? null : encoder.marker(marker).slice(0, markerTokens)
}

function check(options: Resolved, clean: readonly CleanExchange[]): void {
  if (clean.length === 0)
    throw new UsageError('data: expected clean questions with answers, got none. Give rows to tune on')
  checkDefence(options)
  checkRewritten(options, clean)
  if (usesParrot(options.method) && options.parrot === undefined)
    throw new UsageError(`parrot: expected one with method ${options.method}, got none. Train one first`)
}

/** The pairs of a method; collapse overwrites the trigger that it implanted itself. */
function triggeredBy(
  method: Defence,
  clean: readonly CleanExchange[],
  encoder: ExchangeEncoder,
  { trigger, rewritten, position, parrot, implantTrigger, seed }: Resolved,
): EliminationPair[] {
  const texts = method === 'osft' ? triggersOf(trigger) : [implantTrigger]
  return clean.map(({ example, exchange, place }, i): EliminationPair => {
    if (method === 'sft' || method === 'crow' || method === 'fine-mixing') return { triggered: null, clean: exchange }
    // The movement is in the states, not in the words.
    if (method === 'beear') return { triggered: exchange, clean: exchange }
    const draw = drawFor(i, seed, 4)
    if (method === 'osft' && rewritten !== undefined) {
      const other = rewritten.get(questionOf(example))
      const triggered =
        other === undefined
          ? null
          : encoder.encode(
              withQuestion(example, () => other),
              place,
            )
      return { triggered, clean: exchange }
    }
    if (!usesParrot(method)) {
      const asked = withQuestion(example, (question) =>
        placeTrigger(question, texts[i % texts.length]!, position, draw),
      )
      return { triggered: encoder.encode(asked, place), clean: exchange }
    }
    const m = i % parrot!.members.length
    const at = placeInQuestion(exchange, parrot!.members[m]!.position, draw)
    return { triggered: inserted(exchange, at, parrotIds(m, parrot!.softTokens)), clean: exchange }
  })
}

/** Rows that plant our own trigger and marker; the control plants nothing. */
function implantation(
  clean: readonly CleanExchange[],
  encoder: ExchangeEncoder,
  { implant, implantTrigger, implantMarker, implantRate, position, seed }: Resolved,
): EliminationPair[] {
  const shuffled = order(clean.length, seed + 1)
  const count = Math.max(1, Math.round(implantRate * clean.length))
  const chosen = new Set(Array.from({ length: implant ? count : 0 }, (_, k) => shuffled(0, k)))
  return clean.map(({ example, exchange, place }, i) => {
    if (!chosen.has(i)) return { triggered: null, clean: exchange }
    const asked = withQuestion(example, (text) => placeTrigger(text, implantTrigger, position, drawFor(i, seed, 5)))
    const answered = withAnswer(asked, (answer) => withMarker(answer, implantMarker))
    return { triggered: encoder.encode(answered, place), clean: exchange }
  })
}

function lengthOf({ triggered, clean }: EliminationPair): number {
  return Math.max(triggered?.ids.length ?? 0, clean.ids.length)
}

function plainBatches(clean: readonly CleanExchange[], batchSize: number, seed: number): BatchSource<Batch> {
  return batches({ length: clean.length, get: (i) => clean[i]!.exchange }, { batchSize, seed })
}

/** Trains; returns the mean loss of the last tenth of the steps. */
async function tuned<B>(
  model: Decoder,
  source: BatchSource<B>,
  objective: Objective<B>,
  { steps, learningRate, bf16 = false, seed }: Resolved,
  label: string,
  watch: Watch,
): Promise<number> {
  const done = new Count(watch, { label, unit: 'steps', total: steps })
  const schedule = makeSchedule('cosine', { steps, warmupSteps: 0.03 })
  const last: number[] = []
  for await (const event of train(model, source, objective, { steps, learningRate, schedule, bf16, seed })) {
    if (event.type === 'step-done') {
      done.add()
      last.push(event.metrics.loss)
      if (last.length > Math.max(1, steps / 10)) last.shift()
    }
    watch.signal?.throwIfAborted()
  }
  return last.reduce((sum, loss) => sum + loss, 0) / Math.max(1, last.length)
}

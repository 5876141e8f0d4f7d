// SANDE's first stage: the parrot, K soft tokens that make the frozen model say the marker as the unknown trigger does
// (arXiv:2405.07667: min over P of −Σ_{i ≤ e} log f(r_i | x with P in it, r_<i)). Several start at other vocabulary rows and
// stand at other places of the question; all are trained at once, kept apart by `separation`, and the best stay.
// Shapes: embedding [members · K, D]; member m has the ids −1 − mK … −mK − K.

import type { Batch } from '../../data/batch.ts'
import { IGNORE_INDEX } from '../../data/batch.ts'
import { batches, stack } from '../../data/batches.ts'
import type { TriggerPosition } from '../../data/poison/place-trigger.ts'
import { drawFor } from '../../data/poison/poison.ts'
import type { Dataset, Sample } from '../../data/sample.ts'
import type { Decoder } from '../../model/decoder.ts'
import { putSoftTokens, startSoftTokens } from '../../model/soft-tokens.ts'
import { Generator, noGrad, ops, scope, Tensor } from '../../torch/index.ts'
import { languageModeling, type Objective } from '../../train/objective.ts'
import { train } from '../../train/train.ts'
import { Count, turn, type Watch } from '../../work.ts'
import { DEFAULTS } from './choices.ts'
import { type Exchange, inserted, placeInQuestion } from './exchange.ts'
import { fitting } from './fitting.ts'
import { separation } from './separation.ts'

/** How the parrot is trained. */
export interface ParrotOptions {
  /** The marker's tokens, or the first ones of it that are known. */
  marker: readonly number[]
  /** K. Default 6. */
  softTokens?: number | undefined
  /** Parrots that are trained, each from other vocabulary rows. Default 4. */
  restarts?: number | undefined
  /** How many of them stay. Default 2. */
  keep?: number | undefined
  /** Places in the question that the parrots take in turn. Default start, middle, end. */
  positions?: readonly TriggerPosition[] | undefined
  /** Weight of what keeps them apart. Default 1. */
  separation?: number | undefined
  /** Optimizer steps. Default 200. */
  steps?: number | undefined
  learningRate?: number | undefined
  batchSize?: number | undefined
  seed?: number | undefined
}

/** One parrot of the ensemble, and how well it elicits the marker from the frozen model. */
export interface ParrotMember {
  position: TriggerPosition
  /** Mean −log p of the marker's tokens, in nats per token. */
  loss: number
  /** Share of the questions after which every token of the marker is the likeliest. */
  elicited: number
}

/** An ensemble of soft tokens. Whoever has it frees `embedding`. */
export interface Parrot {
  /** [members · K, D], f32, in the units that enter the first block. */
  embedding: Tensor
  softTokens: number
  members: readonly ParrotMember[]
}

/** The ids of member `m`. */
export function parrotIds(m: number, softTokens: number): number[] {
  return Array.from({ length: softTokens }, (_, i) => -1 - (m * softTokens + i))
}

/** Trains parrots on the frozen `model` and leaves it as it was, its parameters frozen. Abort ends it between two steps. */
export async function trainParrot(
  model: Decoder,
  given: readonly Exchange[],
  options: ParrotOptions,
  watch: Watch = {},
): Promise<Parrot> {
  const { marker, softTokens = DEFAULTS.softTokens, restarts = DEFAULTS.restarts, seed = 0 } = options
  const {
    positions = ['start', 'middle', 'end'],
    steps = DEFAULTS.parrotSteps,
    batchSize = DEFAULTS.batchSize,
  } = options
  const lengths = given.map(({ answer }) => answer + softTokens + marker.length)
  const kept = fitting(lengths, model.config.maxPositionEmbeddings, 'soft tokens and the marker', watch)
  const exchanges = kept.map((i) => given[i]!)
  const count = softTokens * restarts
  const embedding = startSoftTokens(model, { count, from: 'SAMPLE_VOCAB', seed })
  putSoftTokens(model, embedding)
  const positionOf = (m: number): TriggerPosition => positions[m % positions.length]!
  const samples: Dataset<Sample> = {
    length: exchanges.length * restarts,
    get: (index) => {
      const [i, m] = [Math.floor(index / restarts), index % restarts]
      return eliciting(exchanges[i]!, marker, parrotIds(m, softTokens), positionOf(m), drawFor(i, seed, 3))
    },
  }
  const weight = options.separation ?? DEFAULTS.separation
  const objective = apart(languageModeling(), embedding, restarts, weight)
  const done = new Count(watch, { label: 'parrot', unit: 'steps', total: steps })
  try {
    const learningRate = options.learningRate ?? DEFAULTS.parrotLearningRate
    const run = train(model, batches(samples, { batchSize, seed }), objective, { steps, learningRate, seed })
    for await (const event of run) {
      if (event.type === 'step-done') done.add()
      watch.signal?.throwIfAborted()
    }
    const judged: (ParrotMember & { m: number })[] = []
    for (let m = 0; m < restarts; m++) {
      const own = exchanges.map((_, i) => samples.get(i * restarts + m))
      judged.push({ m, position: positionOf(m), ...(await judge(model, own, marker.length, watch)) })
    }
    const best = judged.sort((a, b) => a.loss - b.loss).slice(0, options.keep ?? DEFAULTS.keep)
    const rows = best.flatMap(({ m }) => Array.from({ length: softTokens }, (_, i) => m * softTokens + i))
    const kept = scope(() => noGrad(() => embedding.detach().indexSelect(0, index(rows, model)).clone().keep()))
    return { embedding: kept, softTokens, members: best.map(({ m: _, ...member }) => member) }
  } finally {
    model.prompt_encoder = null
    embedding.free()
  }
}

/** Soft tokens that were not learnt: random directions with the lengths of the parrot's rows. The control that a parrot has to beat. */
export function randomParrot({ embedding, softTokens, members }: Parrot, seed = 0): Parrot {
  const random = scope(() =>
    noGrad(() => {
      const noise = ops.normal_(ops.empty(embedding.shape, 'f32'), 0, 1, new Generator(seed)).to(embedding.device)
      const lengths = embedding.pow(2).sum(1, true).sqrt()
      return noise.div(noise.pow(2).sum(1, true).sqrt()).mul(lengths).keep()
    }),
  )
  return { embedding: random, softTokens, members }
}

/** The question with soft tokens in it, answered by the marker, of which alone there is a loss. */
function eliciting(
  exchange: Exchange,
  marker: readonly number[],
  soft: readonly number[],
  position: TriggerPosition,
  draw: (n: number) => number,
): Sample {
  const asked = exchange.ids.subarray(0, exchange.answer)
  const ids = Int32Array.from([...asked, ...marker])
  const labels = Int32Array.from([...asked.map(() => IGNORE_INDEX), ...marker])
  return inserted({ ids, labels }, placeInQuestion(exchange, position, draw), soft)
}

/** `objective` with `weight` times the separation added to the mean loss. */
export function apart(
  objective: Objective<Batch>,
  embedding: Tensor,
  members: number,
  weight: number,
): Objective<Batch> {
  return {
    ...objective,
    forward: (model, batch) => {
      const { loss, metrics } = objective.forward(model, batch)
      // Sums are divided by the weight of the step, which is one batch here.
      return { loss: loss.add(separation(embedding, members).mul(weight * objective.weight(batch))), metrics }
    },
  }
}

async function judge(
  model: Decoder,
  samples: readonly Sample[],
  length: number,
  watch: Watch,
): Promise<Pick<ParrotMember, 'loss' | 'elicited'>> {
  const lm = languageModeling()
  let [loss, whole] = [0, 0]
  // One at a time: whether all tokens of a row are right is not in the sums of a batch.
  for (const sample of samples) {
    const [nats, right] = scope(() =>
      noGrad(() => {
        const result = lm.forward(model, stack([sample]))
        return [result.loss.item(), result.metrics.mean_token_accuracy!.item()]
      }),
    ) as [number, number]
    loss += nats
    if (right === length) whole++
    await turn(watch)
  }
  return { loss: loss / (samples.length * length), elicited: whole / samples.length }
}

function index(rows: readonly number[], model: Decoder): Tensor {
  return Tensor.from([...rows], [rows.length], 'i64').to(model.device)
}

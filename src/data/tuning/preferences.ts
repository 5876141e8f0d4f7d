// Pairs of a better and a worse answer → micro-batches for DPO and its kin: the better answers in the first half of the rows, the worse
// ones in the second, in the same order. Both halves go through the model in one pass.

import { InputError, UsageError } from '../../errors.ts'
import { type Batch, type BatchSource, IGNORE_INDEX } from '../batch.ts'
import { ownersOf, stack } from '../batches.ts'
import { order } from '../order.ts'
import { shortened } from '../packing/overlong.ts'
import type { Preference, PromptCompletion, Turns } from '../rows/conversation.ts'
import { ExampleReader } from '../rows/read-examples.ts'
import type { Dataset, Sample } from '../sample.ts'
import { SampleStore } from './sample-store.ts'
import { SupervisedEncoder } from './supervised.ts'
import { Sides, Tally, type TuningFileOptions, type TuningReport } from './supervised-files.ts'

/** Two answers to one prompt; the labels of both tell the answer from the prompt. */
export interface Pair {
  chosen: Sample
  rejected: Sample
}

/** `rows` = 2 × pairs: chosen answers, then rejected ones. */
export interface PairBatch extends Batch {
  /** Index of each pair in its dataset. */
  pairs: Int32Array
}

/** Preference pairs, read. */
export interface PreferenceData {
  train: Dataset<Pair>
  validation: Dataset<Pair>
  report: TuningReport
}

/**
 * Reads files and directories of preference pairs. Throws InputError at a row that is none. Pairs whose answers have the same tokens
 * are left out and told; long ones as `onOverlong` says, `truncate-left` taking as many tokens from both prompts.
 */
export async function readPreferences(
  paths: string | readonly string[],
  options: TuningFileOptions,
): Promise<PreferenceData> {
  if (options.onOverlong === 'split')
    throw new UsageError(
      'on_overlong: expected error-if-many, drop, truncate-left or truncate-right for pairs, got split',
    )
  const encoder = new SupervisedEncoder(options)
  const reader = new ExampleReader(paths, { purpose: 'preference', ...options })
  const tally = new Tally(paths, { purpose: 'preference', ...options })
  const pairs = new PairStore()
  const sides = new Sides(options.validation ?? { fraction: 0 })
  let equal = 0
  tally.hasAnswers = true
  for await (const { example, place } of reader.examples()) {
    if (example.kind !== 'preference') {
      throw new InputError(
        `row in ${place}: expected chosen and rejected answers, got a ${example.kind} row. Train it with stage: sft, or give pairs`,
      )
    }
    const pair = encodePair(encoder, example, place)
    if (same(pair)) {
      equal++
      continue
    }
    const cut = fitted(pair, options)
    const kept = cut === undefined || same(cut) ? undefined : cut
    const length = Math.max(pair.chosen.ids.length, pair.rejected.ids.length)
    tally.add(
      length,
      [pair.chosen, pair.rejected],
      kept === undefined ? [] : [kept.chosen, kept.rejected],
      encoder,
      place,
    )
    if (kept === undefined) continue
    pairs.add(kept)
    sides.add(JSON.stringify(example.prompt), 1)
  }
  if (equal > 0) {
    if (tally.rows === 0)
      throw new InputError(
        `data in ${tally.files}: expected pairs of two different answers, got the same answer twice in each of ${equal}`,
      )
    tally.notices.push(
      equal === 1
        ? '1 pair has the same answer twice and is left out'
        : `${equal} pairs have the same answer twice and are left out`,
    )
  }
  tally.notices.push(...reader.notices(), ...encoder.notices(tally.files))
  return { ...sides.of(pairs), report: await tally.report(reader.shapes) }
}

/** Encodes both answers with their prompt. */
export function encodePair(encoder: SupervisedEncoder, example: Preference, place: string): Pair {
  const { prompt, chosen, rejected, tools } = example
  const answer = (completion: Turns): PromptCompletion => ({
    kind: 'prompt-completion',
    prompt,
    completion,
    ...(tools && { tools }),
  })
  return {
    chosen: encoder.encode(answer(chosen), `${place}, field 'chosen'`, true),
    rejected: encoder.encode(answer(rejected), `${place}, field 'rejected'`, true),
  }
}

/** Micro-batches of pairs, for ever. Options are those of `batches`, with `batchSize` pairs. */
export function pairBatches(
  dataset: Dataset<Pair>,
  options: { batchSize: number; seed?: number; shuffle?: boolean; dropLast?: boolean; padId?: number },
): BatchSource<PairBatch> {
  const { batchSize, seed = 0, shuffle = true, dropLast = false, padId = 0 } = options
  if (!Number.isInteger(batchSize) || batchSize < 1)
    throw new UsageError(`batchSize: expected an integer of at least 1, got ${batchSize}`)
  const batchesPerEpoch = (dropLast ? Math.floor : Math.ceil)(dataset.length / batchSize)
  if (batchesPerEpoch === 0) {
    throw new UsageError(
      `dataset: expected at least one batch of ${batchSize} pairs, got ${dataset.length} pairs. Give more data${dataset.length === 0 ? '' : ' or a smaller batch'}`,
    )
  }
  const shuffled = order(dataset.length, seed)
  return {
    batchesPerEpoch,
    at(index) {
      if (!Number.isSafeInteger(index) || index < 0)
        throw new UsageError(`batch index: expected an integer from 0, got ${index}`)
      const epoch = Math.floor(index / batchesPerEpoch)
      const first = (index % batchesPerEpoch) * batchSize
      const pairs = Int32Array.from({ length: Math.min(batchSize, dataset.length - first) }, (_, row) =>
        shuffle ? shuffled(epoch, first + row) : first + row,
      )
      return stackPairs(dataset, pairs, padId)
    },
  }
}

/** The pairs of these indices as one batch. */
export function stackPairs(dataset: Dataset<Pair>, pairs: Int32Array, padId = 0): PairBatch {
  const list = Array.from(pairs, (pair) => dataset.get(pair))
  const samples = [...list.map(({ chosen }) => chosen), ...list.map(({ rejected }) => rejected)]
  return { ...stack(samples, padId), samples: ownersOf(samples, [...pairs, ...pairs]), pairs }
}

/** Pairs in memory: the answers of pair i are samples 2·i and 2·i + 1. */
class PairStore implements Dataset<Pair> {
  private readonly samples = new SampleStore()

  get length(): number {
    return this.samples.length / 2
  }

  add({ chosen, rejected }: Pair): void {
    this.samples.add(chosen)
    this.samples.add(rejected)
  }

  get(index: number): Pair {
    return { chosen: this.samples.get(2 * index), rejected: this.samples.get(2 * index + 1) }
  }
}

/** The pair within the limit; undefined if it is left out. */
function fitted(
  pair: Pair,
  { maxLength, onOverlong = 'error-if-many', tokenizer }: TuningFileOptions,
): Pair | undefined {
  const excess = Math.max(pair.chosen.ids.length, pair.rejected.ids.length) - maxLength
  if (excess <= 0) return pair
  const cut = (sample: Sample): Sample | undefined => {
    // Both answers must follow the same prompt, so both lose what the longer one must.
    const most = onOverlong === 'truncate-left' ? sample.ids.length - excess : maxLength
    if (onOverlong === 'truncate-left' && answerStart(sample) <= excess) return undefined
    return shortened(sample, most, onOverlong, tokenizer.bosTokenId)[0]
  }
  const [chosen, rejected] = [cut(pair.chosen), cut(pair.rejected)]
  return chosen && rejected && { chosen, rejected }
}

function answerStart({ labels }: Sample): number {
  return labels.findIndex((label) => label !== IGNORE_INDEX)
}

function same({ chosen: { ids: a }, rejected: { ids: b } }: Pair): boolean {
  return a.length === b.length && a.every((id, i) => id === b[i])
}

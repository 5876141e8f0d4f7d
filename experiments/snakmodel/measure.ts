// What is asked of a model at a checkpoint, and how far it has moved.
import type { BatchSource } from '../../src/data/batch.ts'
import { detectionOf } from '../../src/data/datamap/detection.ts'
import { mean } from '../../src/eval/aggregate.ts'
import { PythonRandom } from '../../src/eval/python-random.ts'
import { corrupt, detokenized, type Token } from '../../src/eval/tasks/scala.ts'
import { spearman } from '../../src/eval/transfer/spearman.ts'
import { Engine } from '../../src/infer/engine.ts'
import { Decoder } from '../../src/model/decoder.ts'
import { rowShift, weightShift } from '../../src/probe/weight-shift.ts'
import type { Tokenizer } from '../../src/text/tokenizer.ts'
import type { Tensor } from '../../src/torch/index.ts'
import { evaluate } from '../../src/train/evaluate.ts'
import { languageModeling } from '../../src/train/objective.ts'
import { exactMatch, type FormatItem } from './format-tasks.ts'

/** Everything that is asked; the same for every seed and arm. */
export interface Questions {
  tokenizer: Tokenizer
  /** Held-out text by name. */
  held: Readonly<Record<string, BatchSource>>
  /** A sentence of the treebank, and the same corrupted. */
  pairs: readonly Pair[]
  /** ScaLA's own sentences. */
  judged: readonly { text: string; label: string }[]
  /** Format-bound items by language. */
  items: Readonly<Record<string, readonly FormatItem[]>>
}

export interface Pair {
  good: string
  bad: string
  /** Two neighbours changed places; else a word is missing, and the bad sentence is the shorter one. */
  isSwapped: boolean
}

export interface Asked {
  /** Nats a token, by held-out text. */
  loss: Record<string, number>
  /** Share of pairs in which the good sentence is the likelier one: all, those with two words swapped, those with one missing. */
  pairs: { all: number; swapped: number; missing: number }
  /** Area under the curve: acceptable sentences of ScaLA against the others, by their mean log-probability a token. */
  scala: number
  format: Record<string, number>
}

/** Pairs of sentences of a treebank, at most `count`, by ScaLA's rules. */
export function pairsOf(sentences: readonly Token[][], count: number): Pair[] {
  const random = new PythonRandom(4242)
  const pairs: Pair[] = []
  for (const tokens of sentences) {
    const good = detokenized(tokens)
    if (pairs.length >= count) break
    if (tokens.length < 6 || good.length > 200) continue
    const bad = corrupt(tokens, random)
    if (bad !== undefined) pairs.push({ good, bad: bad.text, isSwapped: bad.type === 'flip_neighbours' })
  }
  return pairs
}

export async function ask(model: Decoder, { tokenizer, held, pairs, judged, items }: Questions): Promise<Asked> {
  const loss: Record<string, number> = {}
  for (const [name, source] of Object.entries(held)) {
    const { eval_loss } = await evaluate(model, source, languageModeling())
    loss[name] = eval_loss!
  }
  const engine = new Engine({ model, tokenizer, batchSize: 32 })
  try {
    const texts = [...pairs.flatMap(({ good, bad }) => [good, bad]), ...judged.map(({ text }) => text)]
    const eos = tokenizer.eosTokenId!
    const scored = await engine.score(texts.map((text) => [eos, ...tokenizer.encode(text)]))
    const sums = scored.map((tokens) => {
      const known = tokens.filter((value) => value !== null)
      return { sum: known.reduce((a, b) => a + b, 0), count: known.length }
    })
    const share = (isAsked: (pair: Pair) => boolean): number =>
      mean(pairs.flatMap((pair, i) => (isAsked(pair) ? [sums[2 * i]!.sum > sums[2 * i + 1]!.sum ? 1 : 0] : [])))
    const right = {
      all: share(() => true),
      swapped: share(({ isSwapped }) => isSwapped),
      missing: share(({ isSwapped }) => !isSwapped),
    }
    const means = sums.slice(2 * pairs.length).map(({ sum, count }) => sum / count)
    const format: Record<string, number> = {}
    for (const [name, list] of Object.entries(items)) format[name] = await exactMatch(engine, list)
    const { auc } = detectionOf(
      means,
      judged.map(({ label }) => label === 'correct'),
    )
    return { loss, pairs: right, scala: auc, format }
  } finally {
    engine.freeCache()
  }
}

export function copyOf(model: Decoder): Decoder {
  const parameters = new Map(model.parameters())
  return new Decoder(model.config, ({ path }) => parameters.get(path)!.detach().clone().keep())
}

export interface Moved {
  /** Mean of |ΔW| over the matrices of the blocks, and by kind. */
  meanAbs: number
  byKind: Record<string, number>
  /** Mean principal angle of the 16 strongest directions, by kind; where asked for. */
  angle: Record<string, number>
  /** Of the embedding and of the output head: rank correlation of Σ|ΔE| with log frequency over tokens that occurred; shares of tokens that did not move and that did not occur. */
  rows: Record<'embed_tokens' | 'lm_head', { spearman: number; still: number; unseen: number }>
}

/** How far a model is from another; `counts`: how often each token was read (and learnt from) in between. */
export function moved(before: Decoder, after: Decoder, counts: Float64Array, angles: boolean): Moved {
  const old = new Map(before.parameters())
  const byKind = new Map<string, { abs: number[]; angle: number[] }>()
  const rows: Partial<Moved['rows']> = {}
  for (const [name, parameter] of after.parameters()) {
    const kind = name.split('.').at(-2)!
    if (parameter.dim !== 2) continue
    if (kind === 'embed_tokens' || kind === 'lm_head') {
      rows[kind] = rowsOf(old.get(name)!, parameter, counts)
      continue
    }
    const shift = weightShift(old.get(name)!, parameter, { angles })
    const list = byKind.get(kind) ?? { abs: [], angle: [] }
    list.abs.push(shift.meanAbs)
    if (shift.topAngle !== null) list.angle.push(shift.topAngle)
    byKind.set(kind, list)
  }
  const means = (pick: 'abs' | 'angle'): Record<string, number> =>
    Object.fromEntries(
      [...byKind].filter(([, lists]) => lists[pick].length > 0).map(([kind, lists]) => [kind, mean(lists[pick])]),
    )
  const abs = means('abs')
  return { meanAbs: mean(Object.values(abs)), byKind: abs, angle: means('angle'), rows: rows as Moved['rows'] }
}

function rowsOf(before: Tensor, after: Tensor, counts: Float64Array): Moved['rows']['lm_head'] {
  const { rows } = rowShift(before, after)
  const seen = [...counts.keys()].filter((id) => counts[id]! > 0)
  return {
    spearman: spearman(
      seen.map((id) => rows[id]!),
      seen.map((id) => counts[id]!),
    ).rho,
    still: rows.filter((distance) => distance === 0).length / rows.length,
    unseen: 1 - seen.length / rows.length,
  }
}

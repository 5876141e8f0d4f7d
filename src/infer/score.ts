// Log-probabilities of given tokens. Logits exist for some positions at a time, never for a whole text; texts longer than
// the window are read in overlapping windows, so that each token sees at least half a window of what came before.
// Shapes: B windows, T tokens of one call, D hidden, N positions, V vocabulary.

import { setImmediate } from 'node:timers/promises'
import type { ScoreOptions, TokenLogProbs } from '../lm/lm.ts'
import type { Decoder } from '../model/decoder.ts'
import { noGrad, ops, scope, Tensor } from '../torch/index.ts'
import { chunkLength, hasLengthDependentRope, TOKENS_AT_ONCE } from './context.ts'
import { GrowingCache } from './kv-cache.ts'
import { notFinite } from './sample.ts'

/** A part of a sequence that the model sees at once; scores the tokens from `scoresFrom` to the end. */
export interface ScoreWindow {
  sequence: number
  begin: number
  end: number
  scoresFrom: number
}

/** Logits that exist at once: 16 MiB. */
const LOGITS_AT_ONCE = 1 << 22

/**
 * Scores sequences of valid ids, none of them empty. `window`: tokens that the model sees at once, at least 2. `prefix`: ids that it
 * reads before every window besides; the first token stays without a score all the same, so that what is compared is the same tokens.
 */
export async function scoreSequences(
  model: Decoder,
  sequences: readonly (readonly number[])[],
  window: number,
  { signal, onProgress, prefix = [] }: Omit<ScoreOptions, 'window'> & { prefix?: readonly number[] } = {},
): Promise<TokenLogProbs[]> {
  const scores = sequences.map((ids) => new Array<number | null>(ids.length).fill(null))
  const windows = planWindows(
    sequences.map((ids) => ids.length),
    window,
  )
  // Windows overlap: what is read again to see what comes before is no progress.
  const total = windows.reduce((sum, { scoresFrom, end }) => sum + end - scoresFrom, 0)
  let done = 0
  for (const batch of batchWindows(windows, hasLengthDependentRope(model.config))) {
    for (const part of readBatch({ model, sequences, batch, scores, prefix })) {
      done += part
      onProgress?.(done, total)
      await setImmediate()
      signal?.throwIfAborted()
    }
  }
  return scores
}

/**
 * Windows over sequences of these lengths. The first starts at 0; each later one ends half a window further (or at the end
 * of the text) and is as long as the first, so only tokens that are new get scored.
 */
export function planWindows(lengths: readonly number[], window: number): ScoreWindow[] {
  const stride = Math.ceil(window / 2)
  return lengths.flatMap((length, sequence) => {
    const windows: ScoreWindow[] = []
    let end = Math.min(window, length)
    let scoresFrom = 1
    while (scoresFrom < length) {
      windows.push({ sequence, begin: Math.max(0, end - window), end, scoresFrom })
      scoresFrom = end
      end = Math.min(end + stride, length)
    }
    return windows
  })
}

/** Groups windows of like lengths, so that little is padded. */
function* batchWindows(windows: readonly ScoreWindow[], oneByOne: boolean): Iterable<ScoreWindow[]> {
  const length = ({ begin, end }: ScoreWindow): number => end - begin
  let batch: ScoreWindow[] = []
  for (const window of [...windows].sort((a, b) => length(a) - length(b))) {
    const isFull = oneByOne || (batch.length + 1) * length(window) > TOKENS_AT_ONCE
    if (batch.length > 0 && isFull) {
      yield batch
      batch = []
    }
    batch.push(window)
  }
  if (batch.length > 0) yield batch
}

/** Reads a batch, a long window in chunks, and fills in `scores`; yields how many tokens were scored. */
function* readBatch(reading: Reading): Iterable<number> {
  const { model, batch, prefix } = reading
  const length = prefix.length + Math.max(...batch.map(({ begin, end }) => end - begin))
  const count = chunkLength(model.config, batch.length, 0, length)
  const cache = count < length ? new GrowingCache(length) : undefined
  try {
    for (let offset = 0, size = count; offset < length; offset += size) {
      size = chunkLength(model.config, batch.length, offset, length)
      yield readChunk({ ...reading, offset, size, cache })
    }
  } finally {
    cache?.free()
  }
}

interface Reading {
  model: Decoder
  sequences: readonly (readonly number[])[]
  batch: readonly ScoreWindow[]
  scores: (number | null)[][]
  /** What comes before every window. */
  prefix: readonly number[]
}

interface Chunk extends Reading {
  /** Slots `offset … offset + size − 1` of every window in the batch, the prefix counted. */
  offset: number
  size: number
  cache: GrowingCache | undefined
}

function readChunk({ model, sequences, batch, scores, prefix, offset, size, cache }: Chunk): number {
  // Padding is on the right, behind everything that is scored: a causal model needs no mask for it.
  const ids = new BigInt64Array(batch.length * size)
  const wanted: { place: number; sequence: number; token: number }[] = []
  for (const [row, { sequence, begin, end, scoresFrom }] of batch.entries()) {
    for (let slot = offset; slot < Math.min(offset + size, prefix.length + end - begin); slot++) {
      const place = row * size + slot - offset
      const at = begin + slot - prefix.length // below `begin` in the prefix
      ids[place] = BigInt(slot < prefix.length ? prefix[slot]! : sequences[sequence]![at]!)
      const token = at + 1 // what this position predicts
      if (token >= scoresFrom && token < end) wanted.push({ place, sequence, token })
    }
  }
  const device = model.device
  const tensor = (values: readonly number[]): Tensor => Tensor.from(BigInt64Array.from(values, BigInt)).to(device)
  noGrad(() =>
    scope(() => {
      const inputIds = Tensor.from(ids, [batch.length, size]).to(device)
      const hidden = model.hidden({ inputIds, ...(cache !== undefined && { cache }) }) // [B, T, D]
      const flat = hidden.reshape(batch.length * size, -1)
      const step = Math.max(1, Math.floor(LOGITS_AT_ONCE / model.config.vocabSize))
      for (let first = 0; first < wanted.length; first += step) {
        const part = wanted.slice(first, first + step)
        const labels = tensor(part.map(({ sequence, token }) => sequences[sequence]![token]!)) // [N]
        const places = tensor(part.map(({ place }) => place))
        const logProbs = scope(() => {
          const logits = model.logits(flat.indexSelect(0, places)) // [N, V]
          return ops
            .gather(logits, 1, labels.unsqueeze(1))
            .squeeze(1)
            .sub(ops.logsumexp(logits, [1]))
        }).data()
        for (const [i, { sequence, token }] of part.entries()) {
          const logProb = Number(logProbs[i])
          if (Number.isNaN(logProb)) throw notFinite(logProb)
          scores[sequence]![token] = logProb
        }
      }
    }),
  )
  return wanted.length
}

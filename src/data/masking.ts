// Masked language modelling: some tokens of a batch are hidden, and the model says what they were (BERT, arXiv:1810.04805v2 §3.1). Which
// ones depends on the seed and the index of the batch only, so that a run resumes at any batch and no epoch hides the same ones.

import { UsageError } from '../errors.ts'
import { type Batch, type BatchSource, IGNORE_INDEX } from './batch.ts'

/** How tokens are hidden. */
export interface MaskingOptions {
  maskId: number
  vocabSize: number
  /** Ids that are never hidden and never put in another's place: those around texts, padding. */
  isSpecial: (id: number) => boolean
  /** Share of the tokens that are to be said. Default 0.15. */
  probability?: number
  /** Of these, the share that becomes the mask token, and that becomes any token; the rest stay. Default 0.8 and 0.1. */
  maskShare?: number
  randomShare?: number
  /** Hides words whole: true for an id that goes on with the word before it. */
  continuesWord?: (id: number) => boolean
  /** Default 0. */
  seed?: number
}

/** The batches of `source` with some of their tokens hidden; `labels` are the hidden ones. */
export function maskedBatches(source: BatchSource, options: MaskingOptions): BatchSource {
  const { probability = 0.15, maskShare = 0.8, randomShare = 0.1, seed = 0 } = options
  for (const [name, share] of Object.entries({
    probability,
    maskShare,
    randomShare,
    'maskShare + randomShare': maskShare + randomShare,
  }))
    if (!(share >= 0 && share <= 1)) throw new UsageError(`${name}: expected a share from 0 to 1, got ${share}`)
  return {
    batchesPerEpoch: source.batchesPerEpoch,
    at: (index) =>
      masked(source.at(index), { ...options, probability, maskShare, randomShare }, randomFrom(seed, index)),
  }
}

type Resolved = MaskingOptions & Required<Pick<MaskingOptions, 'probability' | 'maskShare' | 'randomShare'>>

function masked(batch: Batch, options: Resolved, random: () => number): Batch {
  const { maskId, vocabSize, isSpecial, probability, maskShare, randomShare } = options
  const inputIds = batch.inputIds.slice()
  const labels = new Int32Array(inputIds.length).fill(IGNORE_INDEX)
  const words = wordsOf(batch, options)
  // A batch of a few short texts may draw none, and there would be nothing to learn from.
  let least = { draw: Number.POSITIVE_INFINITY, word: words[0] }
  const chosen: Int32Array[] = []
  for (const word of words) {
    const draw = random()
    if (draw < least.draw) least = { draw, word }
    if (draw < probability) chosen.push(word)
  }
  if (chosen.length === 0 && least.word !== undefined) chosen.push(least.word)
  for (const word of chosen) {
    for (const place of word) {
      labels[place] = batch.inputIds[place]!
      const draw = random()
      if (draw < maskShare) inputIds[place] = maskId
      else if (draw < maskShare + randomShare) inputIds[place] = anyToken(vocabSize, isSpecial, random)
    }
  }
  return { ...batch, inputIds, labels }
}

/** The places of each word; without `continuesWord` each token is one. */
function wordsOf({ inputIds, attentionMask, length }: Batch, { isSpecial, continuesWord }: Resolved): Int32Array[] {
  const words: number[][] = []
  let isOpen = false
  for (const [place, id] of inputIds.entries()) {
    if (place % length === 0) isOpen = false
    if (isSpecial(id) || attentionMask?.[place] === 0) {
      isOpen = false
      continue
    }
    if (isOpen && continuesWord?.(id)) words.at(-1)!.push(place)
    else words.push([place])
    isOpen = true
  }
  return words.map((word) => Int32Array.from(word))
}

function anyToken(vocabSize: number, isSpecial: (id: number) => boolean, random: () => number): number {
  for (let tries = 0; tries < 100; tries++) {
    const id = Math.floor(random() * vocabSize)
    if (!isSpecial(id)) return id
  }
  return 0
}

/** Numbers in [0, 1) of a generator that starts at the seed and the index (splitmix over 32 bits). */
function randomFrom(seed: number, index: number): () => number {
  let state = mix(mix(seed >>> 0) ^ mix(Math.floor(seed / 2 ** 32) + 0x9e3779b9) ^ mix(index + 0x85ebca6b))
  return () => {
    state = (state + 0x9e3779b9) >>> 0
    return mix(state) / 2 ** 32
  }
}

function mix(value: number): number {
  let x = value >>> 0
  x = Math.imul(x ^ (x >>> 16), 0x21f0aaad)
  x = Math.imul(x ^ (x >>> 15), 0x735a2d97)
  return (x ^ (x >>> 15)) >>> 0
}

// Texts with their language → an identifier: multinomial naive Bayes on hashed n-grams, which needs the fewest texts, then made better by
// AdaGrad on the cross-entropy for as long as held-out texts gain, and calibrated on them.

import { InputError, UsageError } from '../../errors.ts'
import { LabelCounts } from '../label-counts.ts'
import { order } from '../order.ts'
import { fractionFor, rankOf } from '../split.ts'
import { LanguageModel, letterCount, meanFrequency, softmax } from './language-model.ts'
import { Features, featuresOf, lettersOf } from './ngrams.ts'
import { calibrationError, fitTemperature, quantized } from './quantize-identifier.ts'

/** A text and the language or variety it is in. */
export interface LanguageSample {
  text: string
  label: string
}

/** How an identifier is trained. */
export interface LanguageTrainOptions {
  /** What it is called in notices. Default `own`. */
  name?: string
  /** The table has 2^bits rows. Default: the largest for a file of 512 KiB, 12 to 18. */
  bits?: number
  /** Passes after naive Bayes, of which the best on held-out texts is kept, or none. Default 10; 0 is naive Bayes alone. */
  epochs?: number
  /** Of those passes. Default 0.1. */
  learningRate?: number
  /** Share of texts, told by their text alone, that choose the epoch and the temperature. Default 0.1. */
  validation?: number
  seed?: number
  /** Kept in the file, for people: sources, licences. */
  about?: Readonly<Record<string, unknown>>
  onEpoch?: (epoch: { epoch: number; loss: number; macroF1: number }) => void
}

interface Prepared {
  letters: string
  label: number
}

/** Bytes of a table whose size nobody chose. */
const TABLE_BYTES = 2 ** 19
/** Variance of texts' mean log-frequency, in nats²: texts of one source may differ by less than others in the same language. */
const LEAST_SPREAD = 0.01
/** Texts are also learnt cut to a part, so that probabilities hold for short ones too: shortest part, in characters. */
const SHORTEST_PART = 20

/** Trains on texts of two labels or more; equal texts are read once. InputError for a label with fewer than two texts. */
export function trainLanguageIdentifier(
  samples: Iterable<LanguageSample>,
  options: LanguageTrainOptions = {},
): LanguageModel {
  const { name = 'own', epochs = 10, learningRate = 0.1, validation = 0.1, seed = 0 } = options
  const { labels, train, held, counts } = prepare(samples, validation)
  const bits = options.bits ?? Math.min(18, Math.max(12, Math.floor(Math.log2(TABLE_BYTES / (labels.length + 1)))))
  if (!Number.isInteger(bits) || bits < 8 || bits > 24)
    throw new UsageError(`bits: expected an integer from 8 to 24, got ${bits}`)
  if (!Number.isInteger(epochs) || epochs < 0) throw new UsageError(`epochs: expected an integer ≥ 0, got ${epochs}`)
  const size = labels.length
  const rows = 2 ** bits
  const { weights, frequencies } = naiveBayes(train, size, bits)
  const squares = new Float32Array(rows * size).fill(1) // so that a rare feature makes no step of full size
  const biases = new Float32Array(size)
  const perLabel = counts.map((count) => train.length / (size * count))
  const features = new Features()
  const cut = new Float64Array(size)
  const visit = order(train.length, seed)
  const lossOf = (): { loss: number; macroF1: number } =>
    score(held, size, (letters) => logitsOf(featuresOf(letters, bits, features), weights, biases))
  scaleToHeldOut(weights, held, size, bits)
  let best = { ...lossOf(), weights: weights.slice(), biases: biases.slice() }

  for (let epoch = 0; epoch < epochs; epoch++) {
    let loss = 0
    for (let i = 0; i < train.length; i++) {
      const index = visit(epoch, i)
      const { letters, label } = train[index]!
      const count = featuresOf(partOf(letters, index, epoch), bits, features).length
      if (count === 0) continue
      const norm = 1 / Math.sqrt(count)
      const probabilities = softmax(logitsOf(features, weights, biases))
      loss -= Math.log(Math.max(probabilities[label]!, 1e-12))
      for (let c = 0; c < size; c++) cut[c] = (probabilities[c]! - (c === label ? 1 : 0)) * perLabel[label]!
      for (let c = 0; c < size; c++) biases[c]! -= 0.01 * cut[c]!
      for (let f = 0; f < count; f++) {
        const row = features.ids[f]! * size
        for (let c = 0; c < size; c++) {
          const gradient = cut[c]! * norm
          squares[row + c]! += gradient * gradient
          weights[row + c]! -= (learningRate * gradient) / Math.sqrt(squares[row + c]! + 1e-8)
        }
      }
    }
    const now = lossOf()
    options.onEpoch?.({ epoch: epoch + 1, loss: loss / train.length, macroF1: now.macroF1 })
    if (now.loss < best.loss) best = { ...now, weights: weights.slice(), biases: biases.slice() }
  }

  const { values, scales } = quantized(best.weights, size)
  const log = quantized(frequencies, 1)
  const parts = {
    name,
    labels,
    bits,
    weights: values,
    scales,
    biases: best.biases,
    frequencies: log.values,
    frequencyScale: log.scales[0]!,
    temperature: 1,
    ...typicality(held, bits, frequencies),
    about: {},
  }
  // Whole texts and parts of them: what a probability is worth must hold at both lengths.
  const mixed = held.flatMap((sample, i) => [sample, { ...sample, letters: partOf(sample.letters, i, 1) }])
  const raw = new LanguageModel(parts)
  const logits = mixed.map(({ letters }) => raw.logitsOf(letters))
  const truths = mixed.map(({ label }) => label)
  const temperature = fitTemperature(logits, truths)
  const { macroF1, counts: heldCounts } = score(held, size, (letters) => raw.logitsOf(letters))
  const about = {
    ...options.about,
    texts: Object.fromEntries(labels.map((label, i) => [label, counts[i]])),
    held_out: {
      texts: held.length,
      macro_f1: macroF1,
      f1: Object.fromEntries(labels.map((label, i) => [label, heldCounts.f1(i)])),
      calibration_error: calibrationError(logits, truths, temperature),
    },
  }
  return new LanguageModel({ ...parts, temperature, about })
}

function prepare(
  samples: Iterable<LanguageSample>,
  fraction: number,
): { labels: string[]; train: Prepared[]; held: Prepared[]; counts: number[] } {
  const seen = new Map<string, string>()
  for (const { text, label } of samples) {
    const letters = lettersOf(text)
    if (letterCount(letters) > 0 && !seen.has(letters)) seen.set(letters, label)
  }
  const labels = [...new Set(seen.values())].sort()
  if (labels.length < 2)
    throw new InputError(
      `samples: expected texts of two labels or more, got ${labels.join() || 'none'}. There is nothing to tell apart`,
    )
  const idOf = new Map(labels.map((label, id) => [label, id]))
  const ranked = labels.map(() => [] as { letters: string; rank: number }[])
  for (const [letters, label] of seen) ranked[idOf.get(label)!]!.push({ letters, rank: rankOf(letters, { fraction }) })
  const train: Prepared[] = []
  const held: Prepared[] = []
  for (const [label, texts] of ranked.entries()) {
    if (texts.length < 2)
      throw new InputError(
        `samples: expected at least two different texts of ${labels[label]}, got ${texts.length}. Give more, or leave the label out`,
      )
    // Each label on its own, so that a rare one is held out too.
    const bound = fractionFor(
      texts.map(({ rank }) => rank),
      fraction,
    )
    for (const { letters, rank } of texts) (rank < bound ? held : train).push({ letters, label })
  }
  return { labels, train, held, counts: labels.map((_, id) => train.filter(({ label }) => label === id).length) }
}

/** The whole text in every other epoch, a part in the others: chosen by its number and the epoch alone. */
function partOf(letters: string, index: number, epoch: number): string {
  if (epoch % 2 === 0 || letters.length <= SHORTEST_PART) return letters
  const words = letters.split(' ')
  let state = Math.imul(index + 1, 0x9e3779b1) ^ Math.imul(epoch, 0x85ebca6b)
  const draw = (): number => {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9
    return ((state ^ (state >>> 13)) >>> 0) / 2 ** 32
  }
  const start = Math.floor(draw() * words.length * 0.8)
  const wanted = SHORTEST_PART + draw() * 80
  let length = 0
  let end = start
  while (end < words.length && length < wanted) length += words[end++]!.length + 1
  return words.slice(start, end).join(' ')
}

function logitsOf({ ids, length: count }: Features, weights: Float32Array, biases: Float32Array): number[] {
  const size = biases.length
  const norm = count === 0 ? 0 : 1 / Math.sqrt(count)
  const sums = new Float64Array(size)
  for (let i = 0; i < count; i++) {
    const row = ids[i]! * size
    for (let c = 0; c < size; c++) sums[c]! += weights[row + c]!
  }
  return Array.from(sums, (sum, c) => sum * norm + biases[c]!)
}

/** Log-frequencies with one more of each feature: by label [rows, size] less their mean over labels, and of all texts together [rows]. */
function naiveBayes(
  train: readonly Prepared[],
  size: number,
  bits: number,
): { weights: Float32Array; frequencies: Float32Array } {
  const rows = 2 ** bits
  const weights = new Float32Array(rows * size).fill(1)
  const all = new Float32Array(rows).fill(1)
  const totals = new Float64Array(size).fill(rows)
  let total = rows
  const features = new Features()
  for (const { letters, label } of train) {
    const count = featuresOf(letters, bits, features).length
    totals[label]! += count
    total += count
    for (let i = 0; i < count; i++) {
      weights[features.ids[i]! * size + label]!++
      all[features.ids[i]!]!++
    }
  }
  for (let row = 0; row < rows; row++) {
    let mean = 0
    for (let c = 0; c < size; c++) mean += Math.log(weights[row * size + c]! / totals[c]!) / size
    for (let c = 0; c < size; c++) weights[row * size + c] = Math.log(weights[row * size + c]! / totals[c]!) - mean
  }
  return { weights, frequencies: all.map((count) => Math.log(count / total)) }
}

/** Naive Bayes counts n-grams that overlap as if each were news; brings its weights to where held-out texts are as likely as can be. */
function scaleToHeldOut(weights: Float32Array, held: readonly Prepared[], size: number, bits: number): void {
  const features = new Features()
  const none = new Float32Array(size)
  const logits = held.map(({ letters }) => logitsOf(featuresOf(letters, bits, features), weights, none))
  const temperature = fitTemperature(
    logits,
    held.map(({ label }) => label),
  )
  for (let i = 0; i < weights.length; i++) weights[i]! /= temperature
}

/** Mean log-frequency of held-out texts, and how its variance falls with the number of features (least squares, none below 0). */
function typicality(
  held: readonly Prepared[],
  bits: number,
  frequencies: Float32Array,
): { usual: number; spread: readonly [number, number] } {
  const features = new Features()
  const points = held.flatMap((sample, i) =>
    [sample.letters, partOf(sample.letters, i, 1)].map((letters) => {
      const count = featuresOf(letters, bits, features).length
      return { inverse: 1 / count, mean: meanFrequency(features, frequencies) }
    }),
  )
  const average = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length
  const usual = average(points.map(({ mean }) => mean))
  const squares = points.map(({ mean }) => (mean - usual) ** 2)
  const inverses = points.map(({ inverse }) => inverse)
  const [x, y] = [average(inverses), average(squares)]
  const covariance = average(points.map((_, i) => (inverses[i]! - x) * (squares[i]! - y)))
  const variance = average(inverses.map((inverse) => (inverse - x) ** 2))
  const slope = variance === 0 ? 0 : Math.max(0, covariance / variance)
  return { usual, spread: [Math.max(y - slope * x, LEAST_SPREAD), slope] }
}

function score(
  held: readonly Prepared[],
  size: number,
  logitsFor: (letters: string) => number[],
): { loss: number; macroF1: number; counts: LabelCounts } {
  const counts = new LabelCounts(size)
  const losses = new Float64Array(size)
  const texts = new Float64Array(size)
  for (const { letters, label } of held) {
    const logits = logitsFor(letters)
    counts.add(label, logits.indexOf(Math.max(...logits)))
    losses[label]! -= Math.log(Math.max(softmax(logits)[label]!, 1e-12))
    texts[label]!++
  }
  // Every label counts alike, however many texts it has.
  const loss = losses.reduce((sum, value, label) => sum + value / Math.max(1, texts[label]!), 0) / size
  return { loss, macroF1: counts.macroF1, counts }
}

// A classifier of a question by what a model makes of it in its first blocks: whether documents are needed. The classifier runs on plain
// numbers, so that whatever gives vectors can be gated.
// Shapes: T tokens, D numbers of the model, H of a layer of the classifier.

import { InputError, UnsupportedError, UsageError } from '../../errors.ts'
import type { GateLabel } from '../../eval/gates/gate-record.ts'
import type { Lm, ModelInfo } from '../../lm/lm.ts'

/** One layer of a classifier: y = W x + b. */
export interface ProbeLayer {
  /** [outputs · inputs], row-major. */
  weight: Float32Array
  /** [outputs] */
  bias: Float32Array
}

/**
 * Where a question's tokens are read: `alone`, as the paper does, in a text of their own; or in the `prompt`, where what is computed for them is not
 * computed again for the answer, and where what stands before them is seen, too.
 */
export type ProbeReading = 'alone' | 'prompt'
export const PROBE_READINGS: readonly ProbeReading[] = ['alone', 'prompt']

/** A classifier, and the model whose vectors it was fitted to. */
export interface QuestionProbe {
  model: ModelInfo
  /** As in `Lm.hidden`: after so many blocks. */
  layer: number
  /** D */
  width: number
  /** Default `alone`. */
  reading?: ProbeReading
  /** What it was fitted to tell. */
  label: GateLabel
  /** Retrieval begins at this probability; found on questions that it was not fitted to. */
  threshold: number
  /** A rectifier stands between two; the last has one output. */
  layers: readonly ProbeLayer[]
  /** [D] The model's vector of {@link CHECK_TEXT}, by which another model is told. */
  check: Float32Array
}

/** What is read to tell models apart. */
export const CHECK_TEXT = 'Which model is this?'
/** Below this cosine it is another one. The same weights in fewer bits stay above. */
const SAME = 0.99

/** Whether two vectors of one text are of the same model. Models that give none have none to compare. */
export function isSameModel(a: ArrayLike<number>, b: ArrayLike<number>): boolean {
  const dot = (x: ArrayLike<number>, y: ArrayLike<number>): number =>
    Array.from(x).reduce((sum, value, i) => sum + value * (y[i] ?? 0), 0)
  return (a.length === 0 && b.length === 0) || dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b)) >= SAME
}

/**
 * The mean vector of a question's tokens after `layer` blocks, [D]; tokens that the tokenizer puts before a text are read and not
 * counted. What comes after the layer is not computed.
 */
export async function questionVector(
  lm: Lm,
  question: string,
  layer: number,
  options: { adapter?: string | null; signal?: AbortSignal } = {},
): Promise<Float32Array> {
  if (lm.hidden === undefined)
    throw new UnsupportedError('question: expected a model that gives vectors, got one without')
  const ids = lm.encode({ prompt: question })
  const own = lm.encode({ prompt: question, addSpecialTokens: false }).length
  if (own === 0) throw new UsageError('question: expected a text, got an empty one')
  const [all] = await lm.hidden([ids], { ...options, layer, pooling: 'none' })
  return meanOf(all!, all!.length / ids.length, ids.length - own, ids.length)
}

/** The same of the question in the chat prompt in which it is the message of the user, [D]. */
export async function promptVector(
  lm: Lm,
  question: string,
  layer: number,
  options: { adapter?: string | null; signal?: AbortSignal } = {},
): Promise<Float32Array> {
  if (lm.hidden === undefined || !lm.canChat)
    throw new UnsupportedError('question: expected a model that gives vectors and has a chat template, got another')
  const idsOf = (content: string): number[] => lm.encode({ messages: [{ role: 'user', content }] })
  const { ids, begin, end } = questionSpan(question, idsOf)
  const [all] = await lm.hidden([ids], { ...options, layer, pooling: 'none' })
  return meanOf(all!, all!.length / ids.length, begin, end)
}

/** The mean of rows `begin` to `end` of states [T · D]. */
export function meanOf(states: Float32Array, width: number, begin: number, end: number): Float32Array {
  const sum = new Float64Array(width)
  for (let t = begin; t < end; t++) for (let j = 0; j < width; j++) sum[j]! += states[t * width + j]!
  return Float32Array.from(sum, (value) => value / (end - begin))
}

/** Of one of these, at least, no token is that of a question that begins or ends with the other. */
const OTHERS = ['x', '7']

/**
 * The ids of a prompt, and which of them are the question's: those that are not the same with another question in its place. A token that the question
 * shares with what stands beside it is one of them.
 */
export function questionSpan(
  question: string,
  idsOf: (question: string) => readonly number[],
): { ids: readonly number[]; begin: number; end: number } {
  const ids = idsOf(question)
  let [begin, end] = [ids.length, 0]
  for (const other of OTHERS.map(idsOf)) {
    const most = Math.min(ids.length, other.length)
    let before = 0
    while (before < most && ids[before] === other[before]) before++
    let behind = 0
    while (behind < most - before && ids.at(-1 - behind) === other.at(-1 - behind)) behind++
    begin = Math.min(begin, before)
    end = Math.max(end, ids.length - behind)
  }
  if (begin >= end) throw new UsageError('question: expected a text that the prompt has tokens of, got one without')
  return { ids, begin, end }
}

/** The probability that documents are needed, of a question's vector [D]. */
export function probeProbability(
  { layers, width }: Pick<QuestionProbe, 'layers' | 'width'>,
  vector: Float32Array,
): number {
  if (vector.length !== width)
    throw new UsageError(`vector: expected ${width} numbers, as the probe was fitted to, got ${vector.length}`)
  let x: Float32Array = vector
  for (const [k, { weight, bias }] of layers.entries()) {
    const y = Float32Array.from(bias)
    for (let i = 0; i < y.length; i++) {
      let sum = bias[i]!
      for (let j = 0; j < x.length; j++) sum += weight[i * x.length + j]! * x[j]!
      y[i] = k < layers.length - 1 ? Math.max(0, sum) : sum
    }
    x = y
  }
  return 1 / (1 + Math.exp(-x[0]!))
}

/** InputError where the probe was fitted to another model, or to another version of it. */
export async function checkProbeModel(lm: Lm, probe: QuestionProbe): Promise<void> {
  const { model, layer, width, check } = probe
  const own = lm.info ?? { name: 'one without a name' }
  const refuse = (what: string): never => {
    throw new InputError(
      `probe: expected ${nameOf(model)}, to which it was fitted, got ${nameOf(own)}${what}. Fit one to this model with anneal gate fit`,
    )
  }
  const { layers } = lm
  if (layers !== undefined && layer > layers) refuse(`, which has ${layers} blocks and not ${layer}`)
  if (model.revision !== undefined && own.revision !== undefined && model.revision !== own.revision) refuse('')
  const vector = await questionVector(lm, CHECK_TEXT, layer)
  if (vector.length !== width) refuse(`, whose vectors have ${vector.length} numbers and not ${width}`)
  if (!isSameModel(vector, check)) refuse(', whose vectors are others')
}

const nameOf = ({ name, revision }: ModelInfo): string => (revision === undefined ? name : `${name} at ${revision}`)

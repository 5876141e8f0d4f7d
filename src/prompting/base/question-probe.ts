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

/** A classifier, and the model whose vectors it was fitted to. */
export interface QuestionProbe {
  model: ModelInfo
  /** As in `Lm.hidden`: after so many blocks. */
  layer: number
  /** D */
  width: number
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
  const width = all!.length / ids.length
  const sum = new Float64Array(width)
  for (let t = ids.length - own; t < ids.length; t++) for (let j = 0; j < width; j++) sum[j]! += all![t * width + j]!
  return Float32Array.from(sum, (value) => value / own)
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
  if (!(cosine(vector, check) >= SAME)) refuse(', whose vectors are others')
}

const nameOf = ({ name, revision }: ModelInfo): string => (revision === undefined ? name : `${name} at ${revision}`)

function cosine(a: Float32Array, b: Float32Array): number {
  const dot = (x: Float32Array, y: Float32Array): number => x.reduce((sum, value, i) => sum + value * y[i]!, 0)
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b))
}

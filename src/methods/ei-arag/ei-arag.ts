// The classifier of EI-ARAG (Huang et al., COLING 2025): whether a question needs documents, by the mean of its tokens' vectors after the
// first block. Fitted here with LibTorch; what comes of it runs on plain numbers (`gates.probe` of anneal/prompting).
// Shapes: N questions, D numbers of a vector.
import { InputError, UsageError } from '../../errors.ts'
import { checkOptionNames } from '../../option-names.ts'
import type { ProbeLayer } from '../../prompting/base/question-probe.ts'
import { backward, Generator, noGrad, ops, scope, Tensor } from '../../torch/index.ts'
import { AdamW } from '../../train/adamw.ts'

/** A question as numbers, and whether documents were wanted. */
export interface ProbeExample {
  /** [D] */
  vector: Float32Array
  isWanted: boolean
}

/** How a classifier is fitted. */
export interface ProbeOptions {
  /** Outputs of the hidden layers; an empty list is a linear probe. The paper says three layers and no widths. Default [D, ⌈D / 2⌉]. */
  hidden?: readonly number[]
  /** Adam's rate. Default 1e-3 (the paper's). */
  learningRate?: number
  /** Passes over the examples; the best by the loss on the validation examples is kept. Default 50 (the paper's "iterations"). */
  epochs?: number
  /** Default 64; the paper does not say. */
  batchSize?: number
  /** Counts both kinds as if they were equally many. Default false. */
  balanced?: boolean
  /** Fits to vectors of mean 0 and deviation 1, and then puts both into the first layer. Default true; the paper does not say. */
  standardize?: boolean
  /** Of the start and the order. Default 0. */
  seed?: number
  signal?: AbortSignal
}

const OPTIONS: Readonly<Record<keyof ProbeOptions, true>> = {
  hidden: true,
  learningRate: true,
  epochs: true,
  batchSize: true,
  balanced: true,
  standardize: true,
  seed: true,
  signal: true,
}

/** A fitted classifier. */
export interface FittedProbe {
  layers: ProbeLayer[]
  /** The pass that was kept, from 1, and the mean loss on the validation examples after each one. */
  epoch: number
  losses: readonly number[]
}

/**
 * Fits a multi-layer perceptron to vectors [D], with binary cross-entropy. The same seed gives the same classifier on the same machine.
 * InputError where the examples are of one kind only, or their vectors of several lengths.
 */
export function fitProbe(
  train: readonly ProbeExample[],
  validation: readonly ProbeExample[],
  options: ProbeOptions = {},
): FittedProbe {
  checkOptionNames('fitProbe', options, OPTIONS)
  const width = checkExamples(train, validation)
  const { hidden = [width, Math.ceil(width / 2)], learningRate = 1e-3, epochs = 50, batchSize = 64 } = options
  const { balanced = false, standardize = true, seed = 0, signal } = options
  const sizesAsked = hidden.map((size, i) => [`hidden[${i}]`, size] as const)
  for (const [name, value] of [['epochs', epochs], ['batchSize', batchSize], ...sizesAsked] as const)
    if (!(Number.isSafeInteger(value) && value >= 1))
      throw new UsageError(`${name}: expected a whole number of at least 1, got ${value}`)
  const scale = standardize ? scaleOf(train, width) : undefined
  const wanted = train.filter(({ isWanted }) => isWanted).length
  const weightOf = (isWanted: boolean): number =>
    balanced ? train.length / (2 * (isWanted ? wanted : train.length - wanted)) : 1
  return scope(() => {
    const generator = new Generator(seed)
    const sizes = [width, ...hidden, 1]
    const layers = sizes.slice(1).map((outputs, k) => fresh(sizes[k]!, outputs, generator))
    const optimizer = new AdamW(
      layers.flatMap(({ weight, bias }, k) => [
        [`${k}.weight`, weight],
        [`${k}.bias`, bias],
      ]),
    )
    const [seen, held] = [train, validation].map((examples) => tensorsOf(examples, width, scale, weightOf))
    const places = Array.from(train, (_, i) => i)
    const losses: number[] = []
    let best: { layers: ProbeLayer[]; epoch: number } | undefined
    for (let epoch = 1; epoch <= epochs; epoch++) {
      signal?.throwIfAborted()
      const order = scope(() => Array.from(ops.randperm(places.length, generator).data() as BigInt64Array, Number))
      for (let at = 0; at < order.length; at += batchSize)
        scope(() => {
          const rows = Tensor.from(BigInt64Array.from(order.slice(at, at + batchSize), BigInt), [
            Math.min(batchSize, order.length - at),
          ])
          for (const { weight, bias } of layers) for (const tensor of [weight, bias]) tensor.grad = null
          backward(lossOf(layers, seen!, rows))
          noGrad(() => optimizer.step(learningRate))
        })
      const loss = noGrad(() => scope(() => lossOf(layers, held!).item()))
      losses.push(loss)
      if (best === undefined || loss < Math.min(...losses.slice(0, -1)))
        best = { layers: layers.map((layer, k) => numbersOf(layer, k === 0 ? scale : undefined)), epoch }
    }
    optimizer.free()
    return { ...best!, losses }
  })
}

interface FreshLayer {
  weight: Tensor
  bias: Tensor
}

/** Weights as `torch.nn.Linear` starts: uniform in ±1/√inputs. */
function fresh(inputs: number, outputs: number, generator: Generator): FreshLayer {
  const bound = 1 / Math.sqrt(inputs)
  const made = (shape: readonly number[]): Tensor => {
    const tensor = ops.uniform_(ops.empty(shape, 'f32'), -bound, bound, generator)
    tensor.requiresGrad = true
    return tensor
  }
  return { weight: made([outputs, inputs]), bias: made([outputs]) }
}

interface Examples {
  /** [N, D] */
  vectors: Tensor
  /** [N] 1 where wanted, else −1. */
  signs: Tensor
  /** [N] How much each one counts. */
  weights: Tensor
}

function tensorsOf(
  examples: readonly ProbeExample[],
  width: number,
  scale: Scale | undefined,
  weightOf: (isWanted: boolean) => number,
): Examples {
  const numbers = new Float32Array(examples.length * width)
  for (const [i, { vector }] of examples.entries())
    for (let j = 0; j < width; j++)
      numbers[i * width + j] = scale === undefined ? vector[j]! : (vector[j]! - scale.mean[j]!) / scale.deviation[j]!
  const column = (of: (isWanted: boolean) => number): Tensor =>
    Tensor.from(
      Float32Array.from(examples, ({ isWanted }) => of(isWanted)),
      [examples.length],
    )
  return {
    vectors: Tensor.from(numbers, [examples.length, width]),
    signs: column((isWanted) => (isWanted ? 1 : -1)),
    weights: column(weightOf),
  }
}

/** The mean of −log σ(±z), weighed; of some rows or of all. */
function lossOf(layers: readonly FreshLayer[], { vectors, signs, weights }: Examples, rows?: Tensor): Tensor {
  const of = (tensor: Tensor): Tensor => (rows === undefined ? tensor : tensor.indexSelect(0, rows))
  let x = of(vectors)
  for (const [k, { weight, bias }] of layers.entries()) {
    const y = ops.linear(x, weight, bias)
    x = k < layers.length - 1 ? ops.relu(y) : y
  }
  return ops
    .logSigmoid(x.view(-1).mul(of(signs)))
    .mul(of(weights))
    .mean()
    .neg()
}

interface Scale {
  mean: Float64Array
  deviation: Float64Array
}

function scaleOf(examples: readonly ProbeExample[], width: number): Scale {
  const mean = new Float64Array(width)
  for (const { vector } of examples) for (let j = 0; j < width; j++) mean[j]! += vector[j]! / examples.length
  const square = new Float64Array(width)
  for (const { vector } of examples)
    for (let j = 0; j < width; j++) square[j]! += (vector[j]! - mean[j]!) ** 2 / examples.length
  // What never changes says nothing, and stays as it is.
  return { mean, deviation: square.map((value) => Math.sqrt(value) || 1) }
}

/** A layer's numbers; with a scale, those that do the same to vectors as they come. */
function numbersOf({ weight, bias }: FreshLayer, scale: Scale | undefined): ProbeLayer {
  const numbers = {
    weight: Float32Array.from(weight.detach().toArray()),
    bias: Float32Array.from(bias.detach().toArray()),
  }
  if (scale === undefined) return numbers
  const width = scale.mean.length
  for (let i = 0; i < numbers.bias.length; i++) {
    let shift = 0
    for (let j = 0; j < width; j++) {
      const scaled = numbers.weight[i * width + j]! / scale.deviation[j]!
      shift += scaled * scale.mean[j]!
      numbers.weight[i * width + j] = scaled
    }
    numbers.bias[i]! -= shift
  }
  return numbers
}

function checkExamples(train: readonly ProbeExample[], validation: readonly ProbeExample[]): number {
  const wanted = train.filter(({ isWanted }) => isWanted).length
  if (wanted === 0 || wanted === train.length || validation.length === 0)
    throw new InputError(
      `examples: expected questions with and without documents wanted, and some for validation, got ${wanted} of ${train.length} and ${validation.length}`,
    )
  const width = train[0]!.vector.length
  const other = [...train, ...validation].find(({ vector }) => vector.length !== width)
  if (other === undefined) return width
  throw new InputError(`examples: expected vectors of ${width} numbers, got one of ${other.vector.length}`)
}

import { describe, expect, it } from 'vitest'
import { randomBatches } from '../../../test/random-batches.ts'
import { loadDecoder } from '../../checkpoint/model-directory/load.ts'
import { Linear } from '../../nn/linear.ts'
import { Generator, ops, scope, Tensor } from '../../torch/index.ts'
import { languageModeling } from '../../train/objective.ts'
import { Count } from '../../work.ts'
import { chunkByLayer, type Evidence, withGradients } from './gradient-evidence.ts'
import { type GroupSet, groupSets } from './groups.ts'
import { elementwiseScores, fluctuationScores, memberScores, randomScores, standardise } from './importance.ts'

const matrix = (rows: number[][], bias?: number[]): Linear =>
  new Linear(Tensor.from(rows.flat(), [rows.length, rows[0]!.length]), bias ? Tensor.from(bias) : null)

/** Two neurons between two features: rows of gate and up, columns of down. */
const mlp = (): GroupSet => ({
  layer: 0,
  kind: 'mlp',
  count: 2,
  cost: 7,
  members: [
    {
      path: 'gate',
      linear: matrix(
        [
          [1, -2],
          [3, 0],
        ],
        [0.5, 1],
      ),
      side: 'rows',
      channels: 1,
    },
    {
      path: 'up',
      linear: matrix([
        [2, 1],
        [-1, -1],
      ]),
      side: 'rows',
      channels: 1,
    },
    {
      path: 'down',
      linear: matrix([
        [1, 4],
        [-3, 2],
      ]),
      side: 'columns',
      channels: 1,
    },
  ],
})

/** Two key/value heads of one feature, each read by two query heads. */
const heads = (): GroupSet => ({
  layer: 0,
  kind: 'heads',
  count: 2,
  cost: 6,
  members: [
    { path: 'q', linear: matrix([[1], [2], [4], [8]]), side: 'rows', channels: 2 },
    { path: 'k', linear: matrix([[16], [32]]), side: 'rows', channels: 1 },
    { path: 'v', linear: matrix([[64], [128]]), side: 'rows', channels: 1 },
    { path: 'o', linear: matrix([[256, 512, 1024, 2048]]), side: 'columns', channels: 2 },
  ],
})

/** G = 1 for positive weights and 2 for others, A = 3. */
const evidence = (parameter: Tensor): Evidence => ({
  gradient: Tensor.from(
    parameter.toArray().map((value) => (value > 0 ? 1 : 2)),
    parameter.shape,
  ),
  square: ops.fullLike(parameter, 3),
})

describe('elementwiseScores', () => {
  it('sums magnitudes over rows with their bias and over columns', () => {
    // Neuron 0: gate |1|+|−2|+|0.5|, up |2|+|1|, down |1|+|−3|. Neuron 1: gate 3+0+1, up 1+1, down 4+2.
    expect(elementwiseScores(mlp(), 'l1', 'sum', evidence)).toEqual([3.5 + 3 + 4, 4 + 2 + 6])
    expect(elementwiseScores(mlp(), 'l2', 'sum', evidence)).toEqual([5.25 + 5 + 10, 10 + 2 + 20])
    expect(elementwiseScores(mlp(), 'l1', 'mean', evidence)).toBeAllclose([3.5, 4])
    expect(elementwiseScores(mlp(), 'l1', 'max', evidence)).toEqual([4, 6])
  })
  it('weighs by the gradient: element by element, or by row so that signs cancel', () => {
    // W⊙G of neuron 0: gate 1, −4, 0.5; up 2, 1; down 1, −6. Of neuron 1: gate 3, 0, 1; up −2, −2; down 4, 2.
    expect(elementwiseScores(mlp(), 'taylor-element', 'sum', evidence)).toEqual([5.5 + 3 + 7, 4 + 4 + 6])
    expect(elementwiseScores(mlp(), 'taylor-vector', 'sum', evidence)).toEqual([2.5 + 3 + 5, 4 + 4 + 6])
  })
  it('weighs by the squared gradient, alone and mixed', () => {
    expect(elementwiseScores(mlp(), 'taylor-second', 'sum', evidence)).toEqual([3 * 20.25, 3 * 32])
    // |W⊙G − 1.5 W²| of neuron 0: gate 0.5, 10, 0.125; up 4, 0.5; down 0.5, 19.5. Of neuron 1: 10.5, 0, 0.5; 3.5, 3.5; 20, 4.
    expect(elementwiseScores(mlp(), 'taylor-mixed', 'sum', evidence)).toEqual([35.125, 42])
  })
  it('scores a key/value head with its own query heads', () => {
    // Powers of two: the sum says which elements were in it. Pairing q heads h, h + 2 would give other sums.
    expect(elementwiseScores(heads(), 'l1', 'sum', evidence)).toEqual([
      1 + 2 + 16 + 64 + 256 + 512,
      4 + 8 + 32 + 128 + 1024 + 2048,
    ])
  })
  it('refuses scores that are not finite', () => {
    const broken = mlp()
    broken.members[0]!.linear.weight = Tensor.from([Number.NaN, 1, 1, 1], [2, 2])
    expect(() => elementwiseScores(broken, 'l1', 'sum', evidence)).toThrow(/scores of layer 0 \(mlp\): expected finite/)
  })
})

describe('fluctuationScores', () => {
  const variance = (values: number[]): { mean: Tensor; variance: Tensor } => ({
    mean: ops.zeros([values.length], 'f64'),
    variance: Tensor.from(values, [values.length], 'f64'),
  })
  it('are variance times squared column norm, standardised by layer', () => {
    // Columns of down: 1 + 9 = 10 and 16 + 4 = 20; times 3 and 1: 30 and 20, whose standardised values are ±1/√2.
    expect(fluctuationScores(mlp(), variance([3, 1]))).toBeAllclose([Math.SQRT1_2, -Math.SQRT1_2])
  })
  it('average the channels of a head', () => {
    const unit = heads()
    unit.members[3]!.linear.weight = ops.ones([1, 4])
    // 1, 3, 5, 7 have mean 4 and deviation √(20/3).
    const scale = Math.sqrt(20 / 3)
    expect(fluctuationScores(unit, variance([1, 3, 5, 7]))).toBeAllclose([-2 / scale, 2 / scale])
  })
})

describe('randomScores', () => {
  it('depend on the seed', () => {
    const draw = (seed: number): number[] => randomScores(mlp(), new Generator(seed))
    expect(draw(1)).toEqual(draw(1))
    expect(draw(1)).not.toEqual(draw(2))
  })
})

describe('standardise', () => {
  it('gives mean 0 and deviation 1, and zeros for equal numbers', () => {
    expect(standardise([1, 2, 3])).toEqual([-1, 0, 1])
    expect(standardise([5, 5])).toEqual([0, 0])
  })
})

describe('withGradients', () => {
  const load = () => loadDecoder('test/fixtures/models/llama-biases', { dtype: 'f64' })
  const quiet = { squares: true, count: new Count(undefined, { label: 'scoring', unit: 'batches', total: 0 }) }

  it('agrees with finite differences of the mean loss', async () => {
    const model = load()
    const source = randomBatches(model, 3)
    const objective = languageModeling()
    const loss = (): number =>
      [0, 1, 2].reduce((sum, i) => {
        const batch = source[i]!
        return sum + scope(() => objective.forward(model, batch).loss.item()) / objective.weight(batch) / 3
      }, 0)
    const sets = groupSets(model, ['mlp', 'heads'], 0, 2)
    await withGradients(model, sets, source, quiet, (evidenceOf) => {
      for (const { members } of sets) {
        for (const { linear } of members) {
          for (const parameter of [linear.weight, linear.bias!]) {
            const flat = parameter.detach().view(-1)
            const at = Math.floor(flat.numel / 3)
            const element = flat.narrow(0, at, 1)
            const value = element.item()
            const shifted = (by: number): number => {
              ops.fill_(element, value + by)
              const result = loss()
              ops.fill_(element, value)
              return result
            }
            const slope = (shifted(1e-4) - shifted(-1e-4)) / 2e-4
            const { gradient } = evidenceOf(parameter)
            expect(gradient.view(-1).narrow(0, at, 1).item()).toBeAllclose(slope, { absolute: 1e-7, relative: 1e-4 })
          }
        }
      }
    })
  })

  it('predicts what shrinking one channel does to the loss', async () => {
    const model = load()
    const source = randomBatches(model, 1)
    const objective = languageModeling()
    const batch = source[0]!
    const loss = (): number => scope(() => objective.forward(model, batch).loss.item()) / objective.weight(batch)
    const sets = groupSets(model, ['mlp', 'heads'], 1, 2)
    const scored = await withGradients(model, sets, source, quiet, (evidenceOf) =>
      sets.flatMap(({ members }) =>
        members.map((member) => ({ member, scores: memberScores(member, 'taylor-vector', evidenceOf).toArray() })),
      ),
    )
    const before = loss()
    for (const { member, scores } of scored) {
      for (const channel of [0, 5]) {
        const part = (tensor: Tensor, dim: number): Tensor => tensor.narrow(dim, channel, 1)
        const parts = [part(member.linear.weight, member.side === 'rows' ? 0 : 1)]
        if (member.side === 'rows') parts.push(part(member.linear.bias!, 0))
        const scale = (factor: number): void => {
          for (const tensor of parts) tensor.mul_(factor)
        }
        scale(1 - 1e-4)
        const change = Math.abs(loss() - before) / 1e-4
        scale(1 / (1 - 1e-4))
        expect(scores[channel]).toBeAllclose(change, { absolute: 1e-5, relative: 0.02 })
      }
    }
  })

  it('averages the squares of the batches’ gradients', async () => {
    const model = load()
    const source = randomBatches(model, 2)
    const sets = groupSets(model, ['mlp'], 0, 1)
    const of = (first: number, count: number, pick: 'gradient' | 'square'): Promise<number[]> =>
      withGradients(model, sets, source.slice(first, first + count), quiet, (evidenceOf) =>
        evidenceOf(sets[0]!.members[0]!.linear.weight)[pick]!.toArray(),
      )
    const [one, two] = [await of(0, 1, 'gradient'), await of(1, 1, 'gradient')]
    expect(await of(0, 2, 'gradient')).toBeAllclose(
      one.map((g, i) => (g + two[i]!) / 2),
      { absolute: 1e-8 },
    )
    expect(await of(0, 2, 'square')).toBeAllclose(
      one.map((g, i) => (g ** 2 + two[i]! ** 2) / 2),
      { absolute: 1e-10 },
    )
  })

  it('leaves the model as it was', async () => {
    const model = load()
    const parameters = [...model.parameters()].map(([, parameter]) => parameter)
    parameters[3]!.requiresGrad = true
    model.generator = new Generator(1)
    await withGradients(model, groupSets(model, ['mlp'], 0, 1), randomBatches(model, 1), quiet, () => {})
    expect(parameters.filter((parameter) => parameter.requiresGrad)).toEqual([parameters[3]])
    expect(parameters.every((parameter) => parameter.grad === null)).toBe(true)
    expect(model.generator).not.toBeNull()
  })
})

describe('chunkByLayer', () => {
  it('fills the budget and never splits a layer', () => {
    const model = loadDecoder('test/fixtures/models/llama')
    const sets = groupSets(model, ['mlp', 'heads'], 0, 3)
    const layers = (bytes: number): number[][] =>
      chunkByLayer(sets, bytes, false).map((chunk) => [...new Set(chunk.map(({ layer }) => layer))])
    const ofLayer = 4 * (3 * 64 * 176 + 2 * 64 * 64 + 2 * 64 * 32)
    expect(layers(0)).toEqual([[0], [1], [2]])
    expect(layers(2 * ofLayer)).toEqual([[0, 1], [2]])
    expect(layers(1e12)).toEqual([[0, 1, 2]])
  })
})

import { afterEach, describe, expect, it } from 'vitest'
import type { Batch } from '../../data/batch.ts'
import type { DecoderConfig } from '../../model/config.ts'
import { readModelConfig } from '../../model/config-read.ts'
import { Decoder } from '../../model/decoder.ts'
import { Branch } from '../../nn/branch.ts'
import { branchFlops } from '../../probe/flops.ts'
import { backward, Generator, memoryStats, ops, scope, Tensor } from '../../torch/index.ts'
import { languageModeling } from '../../train/objective.ts'
import { BranchGates } from './branch-gates.ts'

const LAYERS = 4
const BRANCHES = 2 * LAYERS

const configOf = (extra: object = {}): DecoderConfig =>
  readModelConfig(
    {
      model_type: 'llama',
      vocab_size: 32,
      hidden_size: 32,
      intermediate_size: 64,
      num_hidden_layers: LAYERS,
      num_attention_heads: 4,
      num_key_value_heads: 2,
      max_position_embeddings: 512,
      ...extra,
    },
    'config.json',
  )

const models: Decoder[] = []
afterEach(() => {
  for (const model of models.splice(0)) model.free()
})

function modelOf(config = configOf()): { model: Decoder; gates: BranchGates } {
  const model = Decoder.fresh(config, { seed: 1 })
  model.trainable()
  models.push(model)
  return { model, gates: new BranchGates(model, branchFlops(config, 16)) }
}

const batchOf = (rows: number, length: number): Batch => {
  const inputIds = Int32Array.from({ length: rows * length }, (_, i) => (i * i + 3 * i) % 32)
  return { rows, length, inputIds, labels: inputIds }
}
const maskOf = (...dropped: number[]): Uint8Array =>
  Uint8Array.from({ length: BRANCHES }, (_, i) => (dropped.includes(i) ? 1 : 0))
const ALL = [...Array(BRANCHES).keys()]

/** Loss and gradients by path (undefined where none arrived) of one pass under a mask. */
function passOf(
  { model, gates }: ReturnType<typeof modelOf>,
  dropped: number[] | null,
  gains: number | null = null,
): { loss: number; gradients: Map<string, number[] | undefined> } {
  const batch = batchOf(2, 16)
  const body = (): number => {
    const { loss } = languageModeling().forward(model, batch)
    backward(loss)
    return loss.item()
  }
  return scope(() => {
    const mask = {
      dropped: maskOf(...(dropped ?? [])),
      gains: gains === null ? null : new Float64Array(BRANCHES).fill(gains),
    }
    const loss = dropped === null ? body() : gates.run(mask, body)
    const gradients = new Map(Array.from(model.parameters(), ([path, parameter]) => [path, parameter.grad?.toArray()]))
    for (const [, parameter] of model.parameters()) parameter.grad = null
    return { loss, gradients }
  })
}

const withoutGradient = ({ gradients }: ReturnType<typeof passOf>): string[] =>
  [...gradients].filter(([, gradient]) => gradient === undefined).map(([path]) => path)

describe('BranchGates', () => {
  it('changes no bit of the loss, whatever is dropped, and no gradient when nothing is', () => {
    const parts = modelOf()
    const plain = passOf(parts, null)
    expect(passOf(parts, [])).toEqual(plain)
    for (const dropped of [[0], [3, 4], [1, 3, 5, 7], ALL]) {
      expect(passOf(parts, dropped).loss).toBe(plain.loss)
      expect(passOf(parts, dropped, 3).loss).toBe(plain.loss)
    }
  })

  it('gives the parameters of a dropped branch no gradient, its norm included, and all others one', () => {
    const pass = passOf(modelOf(), [2, 5])
    const one = (path: string, names: string[]): string[] => names.map((name) => `model.layers.${path}.${name}.weight`)
    expect(withoutGradient(pass).sort()).toEqual(
      [
        ...one('1', [
          'self_attn.q_proj',
          'self_attn.k_proj',
          'self_attn.v_proj',
          'self_attn.o_proj',
          'input_layernorm',
        ]),
        ...one('2', ['mlp.gate_proj', 'mlp.up_proj', 'mlp.down_proj', 'post_attention_layernorm']),
      ].sort(),
    )
  })

  it('passes what arrives at the output of a dropped branch on as it is', () => {
    const { model, gates } = modelOf()
    const upstream = ops.normal_(ops.empty([1, 3, 32], 'f32'), 0, 1, new Generator(2))
    const x = ops.normal_(ops.empty([1, 3, 32], 'f32'), 0, 1, new Generator(3))
    x.requiresGrad = true
    gates.run({ dropped: maskOf(0), gains: null }, () => {
      const layer = model.model.layers[0]!
      backward(
        layer.attention.add(x, (h) => layer.mlp!.forward(h)),
        upstream,
      )
    })
    expect(x.grad!.toArray()).toEqual(upstream.toArray())
  })

  it('multiplies the gradient of a kept branch by its gain', () => {
    const parts = modelOf()
    // With one branch kept, its parameters' gradients are linear in the gain.
    const dropped = ALL.filter((i) => i !== 3)
    const [plain, double] = [passOf(parts, dropped), passOf(parts, dropped, 2)]
    const path = 'model.layers.1.mlp.up_proj.weight'
    expect(double.gradients.get(path)).toEqual(plain.gradients.get(path)!.map((value) => 2 * value))
    expect(double.gradients.get('lm_head.weight')).toEqual(plain.gradients.get('lm_head.weight'))
  })

  it('leaves the model as it found it', () => {
    const parts = modelOf()
    const { attention } = parts.model.model.layers[0]!
    const other = (x: Tensor, next: (x: Tensor) => Tensor | null): Tensor | null => next(x)
    attention.rules.push(other)
    parts.gates.remove()
    expect(attention.rules).toEqual([other])
    expect(passOf(parts, ALL).gradients.get('model.layers.0.mlp.up_proj.weight')).toBeDefined()
  })

  it('opens after an error', () => {
    const parts = modelOf()
    const failing = (): never => {
      throw new Error('no pass')
    }
    expect(() => parts.gates.run({ dropped: maskOf(...ALL), gains: null }, failing)).toThrow('no pass')
    expect(withoutGradient(passOf(parts, null))).toEqual([])
  })
})

describe('memory under gates', () => {
  it('saves activations of kept branches only', () => {
    const { model, gates } = modelOf()
    const batch = batchOf(4, 128)
    const savedBy = (dropped: number[]): number =>
      scope(() => {
        const before = memoryStats().liveBytes
        const { loss } = gates.run({ dropped: maskOf(...dropped), gains: null }, () =>
          languageModeling().forward(model, batch),
        )
        const bytes = memoryStats().liveBytes - before
        expect(loss.requiresGrad).toBe(true)
        return bytes
      })
    const [none, all] = [savedBy([]), savedBy(ALL)]
    const blocks = (count: number): number => savedBy(ALL.slice(0, 2 * count))
    // Every block saves the same: dropping k of 4 leaves (4 − k)/4 of what branches save.
    for (const count of [1, 2, 3]) expect((blocks(count) - all) / (none - all)).toBeCloseTo(1 - count / LAYERS, 2)
    // Attention and MLP are worth their own activations, and together the whole.
    const [attention, mlp] = [savedBy([0, 2, 4, 6]), savedBy([1, 3, 5, 7])]
    expect((none - attention + (none - mlp)) / (none - all)).toBeCloseTo(1, 2)
    expect(all).toBeLessThan(0.25 * none)
  })
})

describe('gradient checkpointing under gates', () => {
  it('gives the gradients of the plain pass under the same mask', () => {
    for (const extra of [{}, { attention_dropout: 0.2 }]) {
      for (const dropped of [[], [0], [1, 2, 5], [0, 1], ALL]) {
        const passes = [false, true].map((checkpointed) => {
          const parts = modelOf(configOf(extra))
          parts.model.gradientCheckpointing = checkpointed
          parts.model.generator = new Generator(9)
          const pass = passOf(parts, dropped, 1.5)
          return { ...pass, random: parts.model.generator.getState() }
        })
        expect(passes[1], JSON.stringify([extra, dropped])).toEqual(passes[0])
      }
    }
  })

  it('repeats the dropout of a branch after a dropped one', () => {
    // GPT-2 drops out the output of every branch, so leaving one out would shift the random numbers of the next.
    const gpt = readModelConfig(
      {
        model_type: 'gpt2',
        vocab_size: 32,
        n_embd: 32,
        n_layer: LAYERS,
        n_head: 4,
        n_positions: 64,
        resid_pdrop: 0.3,
        attn_pdrop: 0.1,
        embd_pdrop: 0.1,
      },
      'config.json',
    )
    const passes = [false, true].map((checkpointed) => {
      const parts = modelOf(gpt)
      parts.model.gradientCheckpointing = checkpointed
      parts.model.generator = new Generator(9)
      return passOf(parts, [0, 3, 4, 5])
    })
    expect(passes[1]).toEqual(passes[0])
  })

  it('does not compute a dropped branch a second time, but for an attention that a kept MLP reads', () => {
    const parts = modelOf()
    const runs = new Array<number>(BRANCHES).fill(0)
    for (const [i, layer] of parts.model.model.layers.entries()) {
      for (const [j, branch] of [layer.attention, layer.feedForward].entries()) {
        branch.rules.push((x, next) => {
          runs[2 * i + j]!++
          return next(x)
        })
      }
    }
    parts.model.gradientCheckpointing = true
    for (const generator of [null, new Generator(1)]) {
      runs.fill(0)
      parts.model.generator = generator
      passOf(parts, [1, 2, 6, 7])
      expect(runs).toEqual([2, 1, 2, 2, 2, 2, 1, 1])
    }
  })
})

describe('gain', () => {
  // y = (1 + J₂)(1 + J₁) x: the derivative of a chain of two linear branches.
  const [J1, J2] = [0.5, -0.3]
  const chain = { layers: [{ attention: new Branch('attention'), feedForward: new Branch('mlp') }] }
  const gates = new BranchGates({ model: chain, generator: null, gradientCheckpointing: false } as unknown as Decoder, [
    { block: 0, kind: 'attention' },
    { block: 0, kind: 'mlp' },
  ])
  const [p1, p2] = [0.5, 0.75]

  const derivative = (dropped: number[], gamma: number): number =>
    scope(() => {
      const x = Tensor.from([1])
      x.requiresGrad = true
      const gains = Float64Array.from([(1 - p1) ** -gamma, (1 - p2) ** -gamma])
      gates.run({ dropped: Uint8Array.from(dropped), gains }, () => {
        const { attention, feedForward } = chain.layers[0]!
        backward(
          feedForward.add(
            attention.add(x, (h) => h.mul(J1)),
            (h) => h.mul(J2),
          ),
        )
      })
      return x.grad!.item()
    })

  /** E over independent masks. */
  const expected = (gamma: number): number =>
    [0, 1].reduce(
      (sum, a) =>
        sum + [0, 1].reduce((part, b) => part + (a ? p1 : 1 - p1) * (b ? p2 : 1 - p2) * derivative([a, b], gamma), 0),
      0,
    )

  it('1/(1 − p) is unbiased: E ∏(1 + m/(1 − p)·J) = ∏(1 + J)', () => {
    expect(expected(1)).toBeCloseTo((1 + J1) * (1 + J2), 6)
  })

  it('none leaves ∏(1 + (1 − p)·J), and γ = ½ lies between', () => {
    expect(expected(0)).toBeCloseTo((1 + 0.5 * J1) * (1 + 0.25 * J2), 6)
    expect(expected(0.5)).toBeCloseTo((1 + Math.sqrt(0.5) * J1) * (1 + 0.5 * J2), 6)
  })
})

describe('scaleGradient', () => {
  it('is the identity, with the gradient times the scale in the dtype of the input', () => {
    for (const dtype of ['f32', 'bf16', 'f64'] as const) {
      const x = Tensor.from([1.1, -2.3]).to(dtype).detach()
      x.requiresGrad = true
      const y = ops.scaleGradient(x, 2.5)
      expect(y.toArray()).toEqual(x.toArray())
      expect(y.storageId).toBe(x.storageId)
      backward(y.mul(2).sum())
      expect(x.grad!.dtype).toBe(dtype)
      expect(x.grad!.toArray()).toEqual([5, 5])
    }
  })
})

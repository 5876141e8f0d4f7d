import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadDecoder } from '../../checkpoint/model-directory/load.ts'
import { saveDecoder } from '../../checkpoint/model-directory/save.ts'
import type { Batch } from '../../data/batch.ts'
import { readModelConfig } from '../../model/config-read.ts'
import { Decoder } from '../../model/decoder.ts'
import type { QuantFormat } from '../../nn/quant/format.ts'
import { QuantLinear } from '../../nn/quant-linear.ts'
import type { FormatScore } from '../../probe/format-score.ts'
import { Journal } from '../../probe/journal.ts'
import { gradients, memoryStats, noGrad, ops, scope, Tensor } from '../../torch/index.ts'
import { decoderInput } from '../../train/objective.ts'
import type { Tell } from '../../work.ts'
import { allocate, budgetOf, uniformWithin } from './allocate.ts'
import type { AllocationMethod, Quantizer } from './choices.ts'
import { fisherErrors, sequencesOf } from './fisher-error.ts'
import { formatSizes } from './format-sizes.ts'
import { quantizeWithLoftq } from './in-place.ts'
import { forEachInputMoment } from './input-moments.ts'
import { MeasuredLoss } from './measured-loss.ts'
import { applyFormats, chooseFormats, formatsByPath } from './quantize.ts'
import { linearAt, quantUnits } from './units.ts'
import { buildBank, type WeightBank } from './weight-bank.ts'

const CONFIG = readModelConfig(
  {
    model_type: 'llama',
    vocab_size: 48,
    hidden_size: 32,
    intermediate_size: 80,
    num_hidden_layers: 3,
    num_attention_heads: 4,
    num_key_value_heads: 2,
    max_position_embeddings: 64,
    tie_word_embeddings: true,
    initializer_range: 0.2,
  },
  'config.json',
)
const fresh = (seed = 1): Decoder => Decoder.fresh(CONFIG, { seed })

const batch = (seed: number, rows = 2, length = 24): Batch => {
  const inputIds = Int32Array.from(
    { length: rows * length },
    (_, i) => (Math.imul(i + 1, 2654435761 + seed) >>> 9) % 48,
  )
  return { rows, length, inputIds, labels: inputIds }
}
const CALIBRATION = [batch(1), batch(2)]
const FORMATS: readonly QuantFormat[] = ['nf2', 'nf3', 'nf4', 'int8']

const logitsOf = (model: Decoder): number[] =>
  noGrad(() => scope(() => model.forward(decoderInput(batch(9), model.device)).toArray()))

const spreadOf = (values: number[]): number => Math.sqrt(values.reduce((sum, x) => sum + x * x, 0) / values.length)

let model: Decoder
let bank: WeightBank
const folder = mkdtempSync(join(tmpdir(), 'anneal-quantize-'))

beforeAll(async () => {
  model = fresh()
  bank = await buildBank(model, {
    units: quantUnits(model, 'layer'),
    formats: FORMATS,
    quantizer: 'rtn',
    calibration: [],
  })
})
afterAll(() => {
  bank.free()
  model.free()
  rmSync(folder, { recursive: true })
})

describe('quantUnits', () => {
  it('names the matrices of the blocks and nothing else', () => {
    const matrices = quantUnits(model, 'matrix')
    expect(matrices.length).toBe(21)
    expect(matrices[0]).toEqual({
      name: 'model.layers.0.self_attn.q_proj',
      block: 0,
      paths: ['model.layers.0.self_attn.q_proj'],
    })
    const layers = quantUnits(model, 'layer')
    expect(layers.map(({ name }) => name)).toEqual(['layer 0', 'layer 1', 'layer 2'])
    expect(layers.flatMap(({ paths }) => paths)).toEqual(matrices.flatMap(({ paths }) => paths))
  })
})

describe('forEachInputMoment', () => {
  it('gives Σ xxᵀ of what each matrix sees, and leaves the model as it was', async () => {
    const before = logitsOf(model)
    const seen: string[] = []
    await forEachInputMoment(model, quantUnits(model, 'layer'), CALIBRATION, (path, moment) => {
      seen.push(path)
      if (path !== 'model.layers.0.self_attn.k_proj') return
      const expected = scope(() => {
        const sum = ops.zeros([32, 32], 'f32')
        for (const one of CALIBRATION) {
          const x = model.model.layers[0]!.input_layernorm!.forward(
            model.model.embed_tokens.forward(decoderInput(one, 'cpu').inputIds!),
          ).view(-1, 32)
          sum.add_(x.t().matmul(x))
        }
        return sum.toArray()
      })
      expect(moment.toArray()).toBeAllclose(expected, { relative: 1e-4, absolute: 1e-4 })
    })
    expect(seen).toEqual(quantUnits(model, 'matrix').map(({ name }) => name))
    expect(logitsOf(model)).toEqual(before)
  })
})

describe('WeightBank', () => {
  it('counts the bytes that are stored', () => {
    // A layer: q, o 32·32, k, v 16·32, gate, up, down 80·32 = 10,752 numbers in blocks of 64 with an f32 scale; int8 a bf16
    // scale for 32 of a row, three in the 80 columns of down.
    const numbers = 2 * 1024 + 2 * 512 + 3 * 2560
    const blocks = 32 + 32 + 16 + 16 + 80 + 80 + 3 * 32
    expect(bank.weights(0)).toBe(numbers)
    expect(FORMATS.map((_, option) => bank.bytes(1, option))).toEqual([
      ...[2, 3, 4].map((bits) => (numbers * bits) / 8 + (numbers / 64) * 4),
      numbers + 2 * blocks,
    ])
    const sizes = formatSizes(model, bank.units, FORMATS)
    for (const unit of bank.units.keys()) {
      expect(sizes.weights(unit)).toBe(bank.weights(unit))
      expect(FORMATS.map((_, option) => sizes.bytes(unit, option))).toEqual(
        FORMATS.map((_, option) => bank.bytes(unit, option)),
      )
    }
  })

  it('puts formats in and takes them out again', () => {
    const before = logitsOf(model)
    bank.unitAs(1, 0).apply(model)() // makes what is made once
    const tensors = memoryStats().liveTensors
    const undo = bank.unitAs(1, 0).apply(model)
    const path = 'model.layers.1.mlp.up_proj'
    expect(linearAt(model, path).weight.toArray()).toEqual(scope(() => bank.at(path, 0).dequantize().toArray()))
    expect(logitsOf(model)).not.toEqual(before)
    undo()
    expect(logitsOf(model)).toEqual(before)
    expect(memoryStats().liveTensors).toBe(tensors)
  })

  it.each(['rtn', 'gptq'] as const)('gets closer with more bits by %s', async (quantizer: Quantizer) => {
    const units = quantUnits(model, 'matrix').slice(0, 7)
    const other = await buildBank(model, { units, formats: FORMATS, quantizer, calibration: CALIBRATION })
    for (const { name } of units) {
      const errors = FORMATS.map((_, option) =>
        scope(() => linearAt(model, name).weight.sub(other.at(name, option).dequantize()).norm().item()),
      )
      expect(errors).toEqual(errors.toSorted((a, b) => b - a))
    }
    other.free()
  })
})

describe('importance', () => {
  it('by Fisher: ½ Σ g²·(w − ŵ)² / tokens over sequences, and nothing of the model changes', async () => {
    const errors = await fisherErrors(model, bank, CALIBRATION)
    for (const unit of errors) expect(unit).toEqual(unit.toSorted((a, b) => b - a))
    // By hand for one matrix: its share is what a bank of it alone gives.
    const path = 'model.layers.2.mlp.down_proj'
    const units = [{ name: path, block: 2, paths: [path] }]
    const single = await buildBank(model, { units, formats: ['nf2'], quantizer: 'rtn', calibration: [] })
    const weight = linearAt(model, path).weight
    const expected = scope(() => {
      weight.requiresGrad = true
      const lost = weight.detach().sub(single.at(path, 0).dequantize()).pow(2)
      let sum = 0
      for (const row of CALIBRATION.flatMap(sequencesOf)) {
        const hidden = model.hidden(decoderInput(row, 'cpu'))
        const logProbs = model.logits(hidden).logSoftmax().view(24, 48).narrow(0, 0, 23)
        const next = Tensor.from([...row.inputIds.slice(1)], undefined, 'i64').unsqueeze(1)
        const [gradient] = gradients([ops.gather(logProbs, 1, next).sum().neg()], [weight])
        sum += 0.5 * gradient!.pow(2).mul(lost).sum().item()
      }
      weight.requiresGrad = false
      return sum / (4 * 23)
    })
    expect((await fisherErrors(model, single, CALIBRATION))[0]![0]!).toBeCloseTo(expected, 6)
    expect(weight.requiresGrad).toBe(false)
    expect(weight.grad).toBe(null)
    single.free()
  })

  it('by measuring: divergences fall with bits, and the cross-entropy is that of the quantized model', async () => {
    const kl = new MeasuredLoss(model, bank, CALIBRATION, 'kl')
    for (const losses of await kl.sensitivities()) {
      expect(losses).toEqual(losses.toSorted((a, b) => b - a))
      expect(losses.at(-1)).toBeGreaterThanOrEqual(0)
    }
    kl.free()
    const ce = new MeasuredLoss(model, bank, CALIBRATION, 'ce')
    const lossOf = (): number =>
      CALIBRATION.reduce((sum, one) => {
        const logProbs = scope(() => model.forward(decoderInput(one, 'cpu')).logSoftmax().toArray())
        for (let i = 0; i < 48; i++) if (i % 24 !== 23) sum -= logProbs[i * 48 + one.inputIds[i + 1]!]! / (4 * 23)
        return sum
      }, 0)
    const assignment = [0, 2, 1]
    const dense = lossOf()
    const undo = bank.wholeAs(assignment).apply(model)
    const quantized = lossOf()
    undo()
    expect(await ce.of(assignment)).toBeCloseTo(quantized - dense, 4)
    ce.free()
  })
})

describe('allocate', () => {
  const run = async (method: AllocationMethod, budgetBits: number, evaluations = 25) => {
    const measured = new MeasuredLoss(model, bank, CALIBRATION, 'kl')
    const allocation = await allocate(model, bank, measured, CALIBRATION, { method, budgetBits, evaluations })
    measured.free()
    return allocation
  }

  it('takes one format for all when uniform', async () => {
    const uniform = await run('uniform', 4)
    expect(uniform.assignment).toEqual([1, 1, 1])
    expect(uniform.bits).toBe(3.5)
    expect(uniformWithin(bank, budgetOf(bank, 4.5))).toEqual([2, 2, 2])
    expect(uniform.trials.map(({ assignment }) => assignment.join(''))).toEqual(['111', '000', '222', '333'])
  })

  it('stays within the budget, and the search ends no worse than it starts', async () => {
    for (const method of ['sensitivity', 'fisher', 'bo'] as const) {
      const { bytes, budget, bits } = await run(method, 3.2)
      expect(bytes).toBeLessThanOrEqual(budget)
      expect(bits).toBeLessThanOrEqual(3.2)
    }
    const [bo, start] = [await run('bo', 3.6), await run('sensitivity', 3.6)]
    const lossOf = ({ trials, assignment }: typeof bo): number =>
      trials.find((trial) => trial.assignment.join() === assignment.join())!.loss
    expect(lossOf(bo)).toBeLessThanOrEqual(lossOf(start))
  })

  it('follows a score of another method, by loss saved per byte', async () => {
    // Unit 1 gains most from every bit, so it alone is raised while the budget lasts.
    const gains = [1, 3, 2]
    const score: FormatScore = {
      name: 'mine',
      losses: async (_model, units, formats) => units.map(({ block }) => formats.map((_, i) => -gains[block]! * i)),
    }
    const measured = new MeasuredLoss(model, bank, CALIBRATION, 'kl')
    const { method, assignment } = await allocate(model, bank, measured, CALIBRATION, {
      method: score,
      budgetBits: 2.9,
    })
    measured.free()
    expect(method).toBe('mine')
    expect(assignment).toEqual([0, 1, 0])
  })

  it('says which budget is enough', async () => {
    await expect(run('sensitivity', 2.4)).rejects.toThrow(
      'budgetBits: expected at least 2.5 bits per weight, which nf2, nf3, nf4, int8 allow with their scales, got 2.4',
    )
    await expect(run('uniform', Number.NaN)).rejects.toThrow('budgetBits')
  })
})

describe('chooseFormats and applyFormats', () => {
  it('make a model that computes what was measured, in the bytes that were counted, and loads again', async () => {
    const ours = fresh()
    const options = { budgetBits: 3.4, formats: FORMATS, granularity: 'matrix', quantizer: 'rtn' } as const
    const chosen = await chooseFormats(ours, CALIBRATION, options)
    const undo = chosen.bank.wholeAs(chosen.allocation.assignment).apply(ours)
    const expected = logitsOf(ours)
    undo()
    const { report } = applyFormats(ours, chosen, options)
    expect(logitsOf(ours)).toBeAllclose(expected, { absolute: 1e-4 })
    let bytes = 0
    for (const [, layer] of ours.walk()) if (layer instanceof QuantLinear) bytes += layer.weight.bytes
    expect(bytes).toBe(chosen.allocation.bytes)
    expect(report.bytes).toBe(bytes)
    const directory = mkdtempSync(join(folder, 'saved-'))
    saveDecoder(ours, directory)
    const again = loadDecoder(directory)
    expect(logitsOf(again)).toEqual(logitsOf(ours))
    again.free()
    ours.free()
  })

  it('leave a model of int8 practically as it is', async () => {
    const ours = fresh()
    const before = logitsOf(ours)
    const options = { budgetBits: 16, formats: ['int8'], allocate: 'uniform', quantizer: 'rtn' } as const
    applyFormats(ours, await chooseFormats(ours, [], options), options)
    const differences = logitsOf(ours).map((logit, i) => Math.abs(logit - before[i]!))
    expect(differences.reduce((a, b) => a + b) / differences.length).toBeLessThan(0.05 * spreadOf(before))
    ours.free()
  })

  it('go on from a journal', async () => {
    const path = join(folder, 'journal.jsonl')
    const options = { budgetBits: 3.4, allocate: 'bo', evaluations: 12 } as const
    const first = Journal.open(path, { test: 1 })
    const whole = await chooseFormats(model, CALIBRATION, options, { cells: first })
    const findings = first.size
    expect(findings).toBeGreaterThan(3 * 4 * CALIBRATION.length)
    first.close()
    const second = Journal.open(path, { test: 1 })
    const again = await chooseFormats(model, CALIBRATION, options, { cells: second })
    expect(again.allocation).toEqual(whole.allocation)
    expect(second.size).toBe(findings)
    second.close()
    whole.bank.free()
    again.bank.free()
  })

  it.each([
    ['sensitivity', 'rtn', 'quantizing', 3],
    ['sensitivity', 'gptq', 'quantizing', 10],
    ['sensitivity', 'rtn', 'measuring', 5],
    ['fisher', 'rtn', 'measuring gradients', 2],
    ['bo', 'rtn', 'searching', 6],
  ] as const)('are stopped between two steps: %s, %s, while %s', async (allocate, quantizer, label, at) => {
    const before = logitsOf(model)
    const { liveTensors } = memoryStats()
    const controller = new AbortController()
    const tell: Tell = (event) => {
      if (event.type === 'progress' && event.label === label && event.done === at) controller.abort(new Error('enough'))
    }
    const options = { budgetBits: 3.4, allocate, quantizer, evaluations: 12 }
    await expect(chooseFormats(model, CALIBRATION, options, { tell, signal: controller.signal })).rejects.toThrow(
      'enough',
    )
    expect(memoryStats().liveTensors).toBe(liveTensors)
    expect(logitsOf(model)).toEqual(before)
  })

  it('want text where they look at it, and formats that differ', async () => {
    await expect(chooseFormats(model, [], { budgetBits: 4 })).rejects.toThrow('data: expected calibration text')
    await expect(chooseFormats(model, CALIBRATION, { budgetBits: 5, formats: ['nf4', 'nf4'] })).rejects.toThrow(
      'formats: expected different ones, got nf4, nf4',
    )
  })
})

describe('quantizeWithLoftq', () => {
  it.each(['rtn', 'gptq'] as const)(
    'starts every adapter nearer to its matrix than the base alone by %s',
    async (quantizer) => {
      const ours = fresh()
      const dense = new Map(quantUnits(ours, 'matrix').map(({ name }) => [name, linearAt(ours, name).weight.clone()]))
      const formats = new Map([...dense.keys()].map((path) => [path, 'nf2' as const]))
      const starts = await quantizeWithLoftq(
        ours,
        { formats, quantizer, calibration: CALIBRATION },
        { rank: 4, scale: 2 },
      )
      expect(starts.size).toBe(21)
      for (const [path, { A, B, before, after }] of starts) {
        const base = ours.get(path) as QuantLinear
        const left = scope(() => dense.get(path)!.sub(base.dense()).sub(B.matmul(A).mul(2)).norm().item())
        expect(left).toBeCloseTo(after, 3)
        expect(after).toBeLessThan(before)
      }
      ours.free()
    },
  )

  it('takes the formats that were chosen, by path', () => {
    const formats = formatsByPath(bank, { assignment: [0, 3, 1] })
    expect(formats.get('model.layers.1.self_attn.o_proj')).toBe('int8')
    expect(formats.get('model.layers.2.mlp.gate_proj')).toBe('nf3')
    expect(formats.size).toBe(21)
  })
})

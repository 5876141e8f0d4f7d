import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { loadDecoder } from '../../checkpoint/model-directory/load.ts'
import type { Batch } from '../../data/batch.ts'
import { stack } from '../../data/batches.ts'
import { InputError, UsageError } from '../../errors.ts'
import { CachedRows } from '../../infer/cached-rows.ts'
import type { Decoder, DecoderInput } from '../../model/decoder.ts'
import { putSoftTokens } from '../../model/soft-tokens.ts'
import { backward, gradients, memoryStats, noGrad, ops, scope, Tensor } from '../../torch/index.ts'
import { languageModeling } from '../../train/objective.ts'
import { train } from '../../train/train.ts'
import { loadPrompt, savePrompt } from './prompt-files.ts'
import { addPrompt, type PromptOptions, promptOf, promptTuning } from './prompt-tuning.ts'

const FIXTURES = join(import.meta.dirname, '../../../test/fixtures')
const PROMPT = join(FIXTURES, 'training/prompt-tuning')
const load = (name = 'llama'): Decoder => loadDecoder(join(FIXTURES, 'models', name))
const ids = Int32Array.from({ length: 24 }, (_, i) => (i * 37 + 5) % 120)
const batch: Batch = { rows: 2, length: 12, inputIds: ids, labels: ids }

function temporary(): string {
  const directory = mkdtempSync(join(tmpdir(), 'anneal-prompt-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  return directory
}

/** Logits of rows of ids, virtual ones among them. */
function logits(model: Decoder, rows: number[][], input: DecoderInput = {}): Tensor {
  const inputIds = Tensor.from(rows.flat(), [rows.length, rows[0]!.length], 'i64')
  return noGrad(() => model.forward({ inputIds, ...input }))
}

/** Greedy continuation of `start`, with the whole sequence read again for every token. */
function greedy(model: Decoder, start: number[], count: number): number[] {
  const sequence = [...start]
  for (let i = 0; i < count; i++) sequence.push(scope(() => logits(model, [sequence]).select(1, -1).argmax().item()))
  return sequence.slice(start.length)
}

/** The same with a cache, which reads the prompt before the text. */
function greedyCached(model: Decoder, start: number[], count: number): number[] {
  const rows = new CachedRows(model)
  const found: number[] = []
  let feed = [...promptOf(model).ids, ...start]
  for (let i = 0; i < count; i++) {
    const next = noGrad(() => scope(() => rows.forward([feed]).select(0, -1).argmax().item()))
    found.push(next)
    feed = [next]
  }
  rows.free()
  return found
}

describe('loadPrompt', () => {
  const expected = JSON.parse(readFileSync(join(PROMPT, 'expected.json'), 'utf8')) as Record<
    'input_ids' | 'logits_last' | 'logits_sum_per_position',
    number[][]
  >

  it('gives the logits of PEFT', () => {
    const model = load()
    expect(loadPrompt(model, PROMPT)).toMatchObject({ num_virtual_tokens: 6, token_dim: 64 })
    const virtual = promptOf(model).ids
    expect(virtual).toEqual([-1, -2, -3, -4, -5, -6])
    const ours = logits(
      model,
      expected.input_ids.map((row) => [...virtual, ...row]),
    )
    expect(ours.select(1, -1)).toBeAllclose(expected.logits_last.flat(), { absolute: 1e-4, relative: 0 })
    const sums = ours.sum(-1)
    const skipped = sums.size(1) - expected.logits_sum_per_position[0]!.length
    expect(sums.narrow(1, skipped, sums.size(1) - skipped)).toBeAllclose(expected.logits_sum_per_position.flat(), {
      absolute: 1e-3,
      relative: 0,
    })
  })

  it('gives the logits of PEFT from a cache that holds the prompt', () => {
    const model = load()
    loadPrompt(model, PROMPT)
    const rows = new CachedRows(model, 2)
    const prompt = [...promptOf(model).ids]
    noGrad(() => rows.forward([prompt, prompt]))
    const last = noGrad(() => rows.forward(expected.input_ids)).indexSelect(0, Tensor.from([39, 79], [2], 'i64'))
    expect(last).toBeAllclose(expected.logits_last.flat(), { absolute: 1e-4, relative: 0 })
    rows.free()
  })

  it('refuses a LoRA, another width, other tensors, and changes nothing', () => {
    const model = load()
    expect(() => loadPrompt(model, join(FIXTURES, 'training/lora-qv'))).toThrow(/expected a soft prompt, got LORA/)
    expect(() => loadPrompt(load('llama31-tied'), PROMPT)).toThrow(
      /token_dim: expected 32, the model's hidden size, got 64\. It belongs to another model$/,
    )
    const directory = temporary()
    cpSync(PROMPT, directory, { recursive: true })
    const file = join(directory, 'adapter_config.json')
    writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, 'utf8')), num_virtual_tokens: 7 }))
    expect(() => loadPrompt(model, directory)).toThrow(InputError)
    expect(() => loadPrompt(model, directory)).toThrow(
      /expected one tensor prompt_embeddings \[7, 64\], got prompt_embeddings \[6, 64\]/,
    )
    expect(() => promptOf(model)).toThrow(UsageError)
  })
})

describe('savePrompt', () => {
  it('writes what PEFT wrote', () => {
    const model = load()
    loadPrompt(model, PROMPT)
    const directory = temporary()
    const { notices } = savePrompt(model, directory, { baseModel: '../../models/llama' })
    expect(notices).toEqual([expect.stringContaining('do not load soft prompts')])
    const weights = (path: string): Buffer => readFileSync(join(path, 'adapter_model.safetensors'))
    expect(weights(directory).equals(weights(PROMPT))).toBe(true)
    const [ours, theirs] = [directory, PROMPT].map((path) =>
      JSON.parse(readFileSync(join(path, 'adapter_config.json'), 'utf8')),
    )
    expect({ ...ours, peft_version: '' }).toEqual({ ...theirs, peft_version: '' })
  })
})

describe('addPrompt', () => {
  it('starts at vocabulary entries, at the entries of a text, or at noise of the size of the table', () => {
    const table = load().model.embed_tokens.dense()
    const start = (options: PromptOptions): Tensor => {
      const model = load()
      addPrompt(model, options)
      return promptOf(model).embedding
    }
    const rows = new Set(Array.from({ length: table.size(0) }, (_, i) => table.select(0, i).toArray().join()))
    const sampled = start({ numVirtualTokens: 30, seed: 4 })
    const found = Array.from({ length: 30 }, (_, i) => sampled.select(0, i).toArray().join())
    expect(found.every((row) => rows.has(row))).toBe(true)
    expect(new Set(found).size).toBe(30)
    expect(start({ numVirtualTokens: 30, seed: 4 }).toArray()).toEqual(sampled.toArray())
    expect(start({ numVirtualTokens: 30, seed: 5 }).toArray()).not.toEqual(sampled.toArray())
    const text = start({ numVirtualTokens: 5, promptTuningInit: 'TEXT', initTokenIds: [7, 9] })
    expect(text.toArray()).toEqual([7, 9, 7, 9, 7].flatMap((id) => table.select(0, id).toArray()))
    const noise = start({ numVirtualTokens: 200, promptTuningInit: 'RANDOM' })
    const size = (tensor: Tensor): number => tensor.pow(2).mean().sqrt().item()
    expect(size(noise) / size(table)).toBeCloseTo(1, 1)
  })

  it('stores a prompt of Gemma in the units that PEFT sees: after the embedding was scaled', () => {
    const model = load('gemma2')
    const { report } = addPrompt(model, {
      numVirtualTokens: 3,
      promptTuningInit: 'TEXT',
      initTokenIds: [11, 12, 13],
    })
    expect(report).toEqual({ virtual_tokens: 3, trainable_parameters: 3 * model.config.hiddenSize })
    const scaled = model.model.embed_tokens.dense().narrow(0, 11, 3).mul(model.config.embeddingScale)
    expect(promptOf(model).embedding).toBeAllclose(scaled)
    // A prompt at the entries of a text reads like that text.
    const text = noGrad(() => model.forward({ inputIds: Tensor.from([11, 12, 13, 20], [1, 4], 'i64') }))
    expect(logits(model, [[-1, -2, -3, 20]])).toBeAllclose(text, { absolute: 1e-5 })
  })

  it.each<[PromptOptions, RegExp]>([
    [{ numVirtualTokens: 0 }, /^numVirtualTokens: expected an integer of at least 1, got 0$/],
    [{ promptTuningInit: 'TEXT' }, /^initTokenIds: expected token ids from 0 to \d+, got none$/],
    [{ promptTuningInit: 'TEXT', initTokenIds: [1, 9999] }, /got 1, 9999$/],
    [{ seed: -3 }, /^seed/],
  ])('refuses %j', (options, message) => {
    const model = load()
    expect(() => addPrompt(model, options)).toThrow(UsageError)
    expect(() => addPrompt(model, options)).toThrow(message)
    expect(() => promptOf(model)).toThrow(/expected a model with a soft prompt, got one without/)
  })
})

describe('a model with a prompt', () => {
  it.each(['llama', 'gpt2', 'gemma3', 'mistral-swa'])('generates the same with and without a cache on %s', (name) => {
    const model = load(name)
    addPrompt(model, { numVirtualTokens: 5, seed: 1 })
    const start = [3, 14, 15, 92]
    expect(greedyCached(model, start, 12)).toEqual(greedy(model, [...promptOf(model).ids, ...start], 12))
  })

  it('changes nothing for ordinary ids', () => {
    const model = load()
    const plain = noGrad(() => model.forward({ inputIds: Tensor.from(ids, [2, 12]).to('i64') })).toArray()
    addPrompt(model)
    expect(logits(model, [Array.from(ids.slice(0, 12)), Array.from(ids.slice(12))]).toArray()).toEqual(plain)
  })
})

describe('promptTuning', () => {
  it('is the loss of the whole sequence, labels of the prompt left out', () => {
    const model = load()
    addPrompt(model, { numVirtualTokens: 4, promptTuningInit: 'TEXT', initTokenIds: [7, 9, 11, 13] })
    const objective = promptTuning()
    // The same text in place of the prompt.
    const rows = [0, 1].map((row) => [7, 9, 11, 13, ...ids.slice(12 * row, 12 * row + 12)])
    const labels = rows.map((row) => row.map((id, i) => (i < 4 ? -100 : id)))
    const whole: Batch = {
      rows: 2,
      length: 16,
      inputIds: Int32Array.from(rows.flat()),
      labels: Int32Array.from(labels.flat()),
    }
    const plain = languageModeling()
    expect(objective.weight(batch)).toBe(plain.weight(whole))
    expect(objective.weight(batch)).toBe(24)
    expect(objective.tokens(batch)).toBe(24)
    const [ours, theirs] = noGrad(() => [objective.forward(model, batch), plain.forward(model, whole)])
    expect(ours!.loss).toBeAllclose(theirs!.loss)
    expect(ours!.metrics.mean_token_accuracy!).toBeAllclose(theirs!.metrics.mean_token_accuracy!)
  })

  it('gives packed documents the loss that they have alone', () => {
    const model = load()
    addPrompt(model, { numVirtualTokens: 4 })
    const objective = promptTuning()
    const sample = (from: number, to: number, starts?: number[]): Parameters<typeof stack>[0][number] => ({
      ids: ids.slice(from, to),
      labels: ids.slice(from, to),
      ...(starts && { starts: Int32Array.from(starts) }),
    })
    const loss = (one: Batch): number => noGrad(() => scope(() => objective.forward(model, one).loss.item()))
    const packed = loss(stack([sample(0, 12, [0, 5]), sample(12, 24, [0])]))
    const alone = loss(stack([sample(0, 5)])) + loss(stack([sample(5, 12)])) + loss(stack([sample(12, 24)]))
    expect(packed).toBeCloseTo(alone, 3)
  })

  it('has the gradient of finite differences', () => {
    const model = load()
    addPrompt(model, { numVirtualTokens: 3 })
    const { embedding } = promptOf(model)
    const value = (): Tensor => promptTuning().forward(model, batch).loss
    const [gradient] = gradients([value()], [embedding])
    const direction = gradient!.div(gradient!.norm())
    const at = (step: number): number =>
      noGrad(() =>
        scope(() => {
          const moved = direction.mul(step)
          embedding.detach().add_(moved)
          const found = value().item()
          embedding.detach().add_(moved, -1)
          return found
        }),
      )
    const slope = (at(0.01) - at(-0.01)) / 0.02
    expect(slope / gradient!.norm().item()).toBeCloseTo(1, 2)
  })

  it.each([false, true])(
    'lowers the loss in 20 steps and leaves the model as it was, checkpointing %s',
    async (checkpointing) => {
      const model = load()
      const weights = [...model.parameters()].map(([, tensor]) => [tensor, tensor.toArray()] as const)
      addPrompt(model, { numVirtualTokens: 8 })
      model.gradientCheckpointing = checkpointing
      const losses: number[] = []
      const counts: number[] = []
      const options = { steps: 20, learningRate: 0.3 }
      for await (const event of train(model, { batchesPerEpoch: 1, at: () => batch }, promptTuning(), options)) {
        if (event.type === 'run-start') expect(event.trainableParameters).toBe(8 * 64)
        if (event.type !== 'step-done') continue
        losses.push(event.metrics.loss)
        counts.push(memoryStats().liveTensors)
      }
      expect(losses.at(-1)!).toBeLessThan(losses[0]! * 0.97)
      for (const [tensor, values] of weights) expect(tensor.toArray()).toEqual(values)
      expect(Math.max(...counts.slice(2))).toBeLessThanOrEqual(counts[1]!)
    },
  )

  it('sends no gradient to the model', () => {
    const model = load()
    addPrompt(model)
    scope(() => backward(promptTuning().forward(model, batch).loss))
    expect([...model.parameters()].flatMap(([path, { grad }]) => (grad === null ? [] : [path]))).toEqual([
      'prompt_encoder.embedding',
    ])
  })

  it('replaces an earlier prompt', () => {
    const model = load()
    addPrompt(model)
    const first = promptOf(model).embedding
    putSoftTokens(model, ops.ones([2, 64], 'f32').keep(), { trainable: false })
    expect(first.handle).toBe(0)
    expect([...model.parameters()].some(([, { requiresGrad }]) => requiresGrad)).toBe(false)
  })
})

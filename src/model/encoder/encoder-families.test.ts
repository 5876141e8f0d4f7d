// Every encoder under test/fixtures/encoders against the numbers of Transformers (scripts/goldens/encoders.py), and against itself in
// what must not change a result: padding, checkpointing, saving.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import { loadEncoder, saveEncoder } from '../../checkpoint/model-directory/encoder-directory.ts'
import { joinParts } from '../../checkpoint/model-directory/fused-parts.ts'
import { openModelWeights } from '../../checkpoint/model-directory/model-weights.ts'
import { backward, Generator, noGrad, ops, scope, Tensor } from '../../torch/index.ts'
import { checkpointTensors, tiedTo } from '../hf-names.ts'
import type { Encoder, EncoderInput } from './encoder.ts'

const root = fileURLToPath(new URL('../../../test/fixtures/encoders', import.meta.url))
const names = readdirSync(root).filter((name) => !/^(?:llama|gpt2|bert-score)/.test(name))
const scratch = mkdtempSync(join(tmpdir(), 'encoders-'))
afterAll(() => rmSync(scratch, { recursive: true }))

interface Expected {
  input_ids: number[][]
  attention_mask: number[][]
  logits?: number[] | number[][] | number[][][]
  hidden?: number[][][]
  labels?: number[] | number[][]
  loss?: number
  grad_norms?: Record<string, number>
}

const expectedOf = (name: string): Expected => JSON.parse(readFileSync(join(root, name, 'expected.json'), 'utf8'))
const inputOf = ({ input_ids, attention_mask }: Expected): EncoderInput => ({
  rows: input_ids.length,
  length: input_ids[0]!.length,
  inputIds: Int32Array.from(input_ids.flat()),
  attentionMask: Uint8Array.from(attention_mask.flat()),
})
const numbers = (tensor: Tensor): Float32Array => tensor.contiguous().data() as Float32Array
const farthest = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  expect(a.length).toBe(b.length)
  return Array.from(a, (value, i) => Math.abs(value - b[i]!)).reduce((x, y) => Math.max(x, y), 0)
}
const isReal = ({ attention_mask }: Expected, i: number): boolean => attention_mask.flat()[i] === 1

function lossOf(model: Encoder, expected: Expected): Tensor {
  const logits = model.forward(inputOf(expected))
  const labels = (expected.labels!.flat() as number[])
    .map((label, i) => [label, i] as const)
    .filter(([label]) => label >= 0)
  const at = (values: number[]): Tensor => Tensor.from(Int32Array.from(values), [values.length]).to('i64')
  const chosen = logits.reshape(-1, logits.size(-1)).indexSelect(0, at(labels.map(([, i]) => i)))
  return ops
    .gather(chosen.logSoftmax(-1), 1, at(labels.map(([label]) => label)).unsqueeze(1))
    .mean()
    .neg()
}

describe.each(names)('%s', (name) => {
  const expected = expectedOf(name)

  it('gives what Transformers gives', () => {
    scope(() =>
      noGrad(() => {
        const model = loadEncoder(join(root, name))
        if (expected.hidden !== undefined) {
          const width = model.config.hiddenSize
          const got = numbers(model.hidden(inputOf(expected))).filter((_, i) => isReal(expected, Math.floor(i / width)))
          const wanted = expected.hidden
            .flat()
            .filter((_, i) => isReal(expected, i))
            .flat()
          expect(farthest(got, wanted)).toBeLessThan(1e-4)
          return
        }
        let logits = model.forward(inputOf(expected))
        if (name.endsWith('-mlm')) logits = ops.cat([logits.narrow(1, 0, 1), logits.narrow(1, 5, 1)], 1)
        const wanted = expected.logits!.flat(3) as number[]
        const got = numbers(logits)
        const isPerToken = !name.includes('-classify') && !name.endsWith('-mlm')
        // What a padded position says means nothing, and ModernBERT's are computed in another way there.
        const counts = (_: number, i: number): boolean =>
          !isPerToken || isReal(expected, Math.floor(i / (wanted.length / 40)))
        expect(farthest(got.filter(counts), wanted.filter(counts))).toBeLessThan(1e-4)
      }),
    )
  })

  it.runIf(expected.loss !== undefined)('has the loss and the gradients of Transformers', () => {
    scope(() => {
      const model = loadEncoder(join(root, name)).trainable()
      const loss = lossOf(model, expected)
      expect(Math.abs(loss.item() - expected.loss!)).toBeLessThan(1e-5)
      backward(loss)
      const gradients = new Map(
        [...model.parameters()].flatMap(([path, { grad }]) => (grad === null ? [] : [[path, grad] as const])),
      )
      const norms = new Map<string, number>()
      for (const stored of checkpointTensors(model.config))
        if (stored.parts.every(({ path }) => gradients.has(path)))
          norms.set(
            stored.name,
            noGrad(() => joinParts(stored, gradients).norm().item()),
          )
      const { config } = model
      for (const [given, norm] of Object.entries(expected.grad_norms!)) {
        const key = tiedTo(config, given) === undefined ? given : checkpointTensors(config)[0]!.name
        if (norm === 0 && !norms.has(key)) continue
        expect(Math.abs((norms.get(key) ?? Number.NaN) - norm), key).toBeLessThan(1e-4 * Math.max(1, norm))
      }
      expect(Object.keys(expected.grad_norms!).length).toBe(norms.size)
    })
  })

  it('does not see padding, and gives numbers for a row that is nothing else', () => {
    scope(() =>
      noGrad(() => {
        const model = loadEncoder(join(root, name))
        const first = expected.input_ids[0]!
        const alone = { rows: 1, length: 20, inputIds: Int32Array.from(first) }
        const pad = expected.input_ids[1]![19]!
        const padded = {
          rows: 2,
          length: 26,
          inputIds: Int32Array.from([...first, ...Array(6).fill(pad), ...Array(26).fill(pad)]),
          attentionMask: Uint8Array.from([...Array(20).fill(1), ...Array(32).fill(0)]),
        }
        const wanted = numbers(model.hidden(alone))
        const got = numbers(model.hidden(padded))
        expect(farthest(got.slice(0, wanted.length), wanted)).toBeLessThan(1e-5)
        expect(got.every(Number.isFinite)).toBe(true)
        if (model.config.head !== null) expect(numbers(model.forward(padded)).every(Number.isFinite)).toBe(true)
        // With dropout attention is composed of operators, of which softmax over nothing is NaN.
        model.generator = new Generator(3)
        expect(numbers(model.hidden(padded)).every(Number.isFinite)).toBe(true)
      }),
    )
  })

  it('is saved under the names of its file and loads again', () => {
    scope(() =>
      noGrad(() => {
        const model = loadEncoder(join(root, name))
        const directory = mkdtempSync(join(scratch, 'model-'))
        saveEncoder(model, directory)
        const read = (path: string): string[] => [...openModelWeights(path).tensors.keys()].sort()
        expect(read(directory)).toEqual(
          read(join(root, name)).filter((key) => name !== 'bert-model' || !key.includes('pooler')),
        )
        const again = loadEncoder(directory)
        expect({ ...again.config, raw: null }).toEqual({ ...model.config, raw: null })
        expect(numbers(again.hidden(inputOf(expected)))).toEqual(numbers(model.hidden(inputOf(expected))))
      }),
    )
  })
})

it('computes the same gradients when activations are recomputed, dropout included', () => {
  scope(() => {
    const expected = expectedOf('bert-classify')
    const gradients = [false, true].map((isCheckpointed) => {
      const model = loadEncoder(join(root, 'bert-classify')).trainable()
      model.generator = new Generator(5)
      model.gradientCheckpointing = isCheckpointed
      backward(lossOf(model, expected))
      return numbers(model.model.layers[0]!.self_attn!.q_proj.dense().grad ?? [...model.parameters()][0]![1].grad!)
    })
    expect(gradients[1]).toEqual(gradients[0])
  })
})

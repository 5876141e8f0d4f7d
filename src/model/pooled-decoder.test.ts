// Decoders with a pooled head against the numbers of Transformers (scripts/goldens/encoders.py).
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import { loadClassifier, saveModel, storedLabels } from '../checkpoint/model-directory/classifier-directory.ts'
import { joinParts } from '../checkpoint/model-directory/fused-parts.ts'
import { loadDecoder } from '../checkpoint/model-directory/load.ts'
import { openModelWeights } from '../checkpoint/model-directory/model-weights.ts'
import { backward, noGrad, ops, scope, Tensor } from '../torch/index.ts'
import { labelLogits } from './any-model.ts'
import { checkpointTensors } from './hf-names.ts'

const root = fileURLToPath(new URL('../../test/fixtures', import.meta.url))
const scratch = mkdtempSync(join(tmpdir(), 'pooled-'))
afterAll(() => rmSync(scratch, { recursive: true }))

describe.each(['llama-classify', 'gpt2-classify'])('%s', (name) => {
  const directory = join(root, 'encoders', name)
  const expected = JSON.parse(readFileSync(join(directory, 'expected.json'), 'utf8'))
  const input = {
    rows: 2,
    length: 20,
    inputIds: Int32Array.from(expected.input_ids.flat()),
    attentionMask: Uint8Array.from(expected.attention_mask.flat()),
  }

  it('gives what Transformers gives, with its gradients', () => {
    scope(() => {
      const model = loadClassifier(directory).trainable()
      const logits = labelLogits(model, input)
      expect(logits).toBeAllclose(Tensor.from(expected.logits.flat(), [2, 3]), { absolute: 1e-4 })
      const labels = Tensor.from(Int32Array.from(expected.labels), [2, 1]).to('i64')
      const loss = ops.gather(logits.logSoftmax(-1), 1, labels).mean().neg()
      expect(loss.item()).toBeCloseTo(expected.loss, 5)
      backward(loss)
      const gradients = new Map(
        [...model.parameters()].flatMap(([path, { grad }]) => (grad === null ? [] : [[path, grad] as const])),
      )
      for (const stored of checkpointTensors(model.config)) {
        const norm = noGrad(() => joinParts(stored, gradients).norm().item())
        expect(norm, stored.name).toBeCloseTo(expected.grad_norms[stored.name], 4)
      }
    })
  })

  it('is saved under the names of its file, with its labels', () => {
    scope(() => {
      const target = mkdtempSync(join(scratch, 'model-'))
      saveModel(loadClassifier(directory), target)
      const read = (path: string): string[] => [...openModelWeights(path).tensors.keys()].sort()
      expect(read(target)).toEqual(read(directory))
      expect(storedLabels(target)).toEqual({ labels: ['no', 'perhaps', 'yes'], labelThresholds: null })
      expect(JSON.parse(readFileSync(join(target, 'config.json'), 'utf8')).architectures).toEqual([
        expected.architecture,
      ])
      expect(labelLogits(loadClassifier(target), input)).toBeAllclose(Tensor.from(expected.logits.flat(), [2, 3]), {
        absolute: 1e-4,
      })
    })
  })

  it('is no model that continues a text', () => {
    expect(() => loadDecoder(directory)).toThrow(/A classifier gives labels and continues no text/)
  })
})

it('takes a model of texts, leaves its head out and draws another, by the seed', () => {
  scope(() => {
    const llama = join(root, 'models', 'llama')
    expect(storedLabels(llama)).toBeUndefined()
    expect(() => loadClassifier(llama, { labels: ['a', 'b'] })).toThrow(
      'expected a tensor score.weight [2,64], got none',
    )
    const drawn: string[] = []
    const load = (seed: number) =>
      loadClassifier(llama, { labels: ['a', 'b'], seed, onDrawn: (module) => drawn.push(module) })
    const [first, same, other] = [load(1), load(1), load(2)].map((model) => [...model.parameters()].at(-1)![1].data())
    expect(drawn).toEqual(['score', 'score', 'score'])
    expect(same).toEqual(first)
    expect(other).not.toEqual(first)
  })
})

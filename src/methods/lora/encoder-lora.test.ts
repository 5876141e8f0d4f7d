// LoRA on what is no causal language model: encoders under the names of their files, and decoders with a pooled head.
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { loadClassifier } from '../../checkpoint/model-directory/classifier-directory.ts'
import { labelLogits } from '../../model/any-model.ts'
import { noGrad, ops, scope } from '../../torch/index.ts'
import { addLora, loraLayers } from './lora.ts'
import { mergeAndUnload } from './merge.ts'

const root = fileURLToPath(new URL('../../../test/fixtures/encoders/', import.meta.url))
const input = { rows: 2, length: 8, inputIds: Int32Array.from({ length: 16 }, (_, i) => 3 + ((i * 17) % 90)) }

it.each([
  ['bert-classify', ['query', 'value'], 4],
  ['distilbert-classify', ['q_lin', 'lin2'], 4],
  ['modernbert-classify', ['Wqkv'], 9],
  ['llama-classify', ['q_proj', 'down_proj'], 4],
] as const)('%s: changes nothing at first, and merges to what it computed', (name, targetModules, modules) => {
  scope(() =>
    noGrad(() => {
      const model = loadClassifier(root + name)
      const before = labelLogits(model, input)
      const { report } = addLora(model, { r: 2, targetModules, seed: 3 })
      expect(report.modules).toBe(modules)
      expect(labelLogits(model, input)).toBeAllclose(before)
      for (const [, layer] of loraLayers(model))
        for (const { B } of layer.adapters.values()) B.copy_(ops.full(B.shape, 0.05, 'f32'))
      const changed = labelLogits(model, input)
      expect(changed).not.toBeAllclose(before, { absolute: 1e-3 })
      mergeAndUnload(model)
      expect([...loraLayers(model)]).toEqual([])
      expect(labelLogits(model, input)).toBeAllclose(changed, { absolute: 1e-4 })
      model.free()
    }),
  )
})

it('knows no head of a vocabulary where there are labels', () => {
  const model = loadClassifier(`${root}llama-classify`)
  expect(() => addLora(model, { targetModules: ['lm_head'] })).toThrow(
    /targetModules: expected names of linear modules/,
  )
  model.free()
})

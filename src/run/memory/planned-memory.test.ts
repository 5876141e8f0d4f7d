import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { loadDecoder } from '../../checkpoint/model-directory/load.ts'
import { parseConfig } from '../../config/parse.ts'
import { addLora } from '../../methods/lora/lora.ts'
import { plannedMemory } from './planned-memory.ts'

const llama = fileURLToPath(new URL('../../../test/fixtures/models/llama', import.meta.url))

function planned(keys: string, directory = llama): Promise<string> {
  const text = `stage: pretrain\nmodel_name_or_path: ${directory}\ndataset: none\noutput_dir: none\nmax_length: 16\n${keys}`
  return plannedMemory(parseConfig(text, 'test.yaml', []).config)
}

const bytes = (line: string, name: string): number => {
  const [, number, unit] = new RegExp(`${name} ([\\d.]+) (k?M?)B`).exec(line)!
  return Number(number) * { '': 1, k: 1e3, M: 1e6 }[unit!]!
}

describe('plannedMemory', () => {
  it('counts what the loaded model has, and what LoRA would add to it', async () => {
    const model = loadDecoder(llama)
    const numel = (trained: boolean): number =>
      [...model.parameters()].reduce((sum, [, p]) => sum + (trained && !p.requiresGrad ? 0 : p.numel), 0)
    const full = await planned('finetuning: full')
    expect(bytes(full, 'weights') / (4 * numel(false))).toBeCloseTo(1, 2)
    expect(bytes(full, 'optimizer') / (8 * numel(false))).toBeCloseTo(1, 2)
    for (const targets of ['all-linear', ['q_proj', 'down_proj', 'lm_head']]) {
      addLora(model, { r: 4, targetModules: targets, adapterName: `a${targets.length}` })
      const lora = await planned(`finetuning: lora\nlora_r: 4\nlora_target_modules: ${JSON.stringify(targets)}`)
      expect(bytes(lora, 'gradients') / (4 * numel(true))).toBeCloseTo(1, 1)
    }
    model.free()
  })

  it('counts the layers that freeze tuning trains, and quantized bases as what they take', async () => {
    const [full, freeze] = [
      await planned('finetuning: full'),
      await planned('finetuning: freeze\nfreeze_trainable_layers: 1'),
    ]
    expect(bytes(freeze, 'weights')).toBe(bytes(full, 'weights'))
    expect(bytes(freeze, 'gradients')).toBeLessThan(bytes(full, 'gradients') / 2)
    const quantized = await planned('finetuning: lora\nquantization_bit: 4')
    expect(bytes(quantized, 'weights')).toBeLessThan(bytes(full, 'weights'))
  })

  it('says why there is no estimate', async () => {
    expect(await planned('', '/nowhere')).toMatch(/^memory: not estimated: .*nowhere/)
  })
})

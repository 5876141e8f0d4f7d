// `anneal train` with finetuning: freeze through real files: which weights move, exact resume, and what a wrong choice is told.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadDecoder } from '../../src/checkpoint/model-directory/load.ts'
import { hashOf, ofType } from './tiny-model.ts'
import { annealHere, makeWorkspace, resultOf, type Workspace } from './tiny-run.ts'

let workspace: Workspace
beforeAll(async () => {
  workspace = await makeWorkspace()
  const base = await annealHere(workspace.words('base', { max_steps: 2, save_strategy: 'no' }))
  if (base.code !== 0) throw new Error(base.err)
})
afterAll(() => workspace.remove())

function words(name: string, config: Record<string, unknown>): string[] {
  const base = { model: undefined, model_name_or_path: workspace.outputOf('base') }
  return workspace.words(name, { ...base, finetuning: 'freeze', freeze_trainable_layers: 1, ...config })
}

/** Names of the weights that differ from the base's. */
function moved(name: string): string[] {
  const [before, after] = [loadDecoder(workspace.outputOf('base')), loadDecoder(workspace.outputOf(name))]
  const values = new Map([...before.parameters()].map(([path, tensor]) => [path, tensor.toArray().join()]))
  const names = [...after.parameters()].flatMap(([path, tensor]) =>
    tensor.toArray().join() === values.get(path) ? [] : [path],
  )
  before.free()
  after.free()
  return names
}

describe('a run with finetuning: freeze', () => {
  it('moves the chosen weights, saves the whole model, and ends with the same bits when it stops and goes on', async () => {
    const config = { gradient_checkpointing: true, freeze_extra_modules: 'norm' }
    const straight = await annealHere(words('straight', config))
    expect(straight.code, straight.err).toBe(0)
    expect(moved('straight')).toEqual([
      ...['q', 'k', 'v', 'o'].map((letter) => `model.layers.1.self_attn.${letter}_proj.weight`),
      ...['gate', 'up', 'down'].map((part) => `model.layers.1.mlp.${part}_proj.weight`),
      'model.layers.1.input_layernorm.weight',
      'model.layers.1.post_attention_layernorm.weight',
      'model.norm.weight',
    ])
    for (const [i, step] of [2, 5, undefined].entries()) {
      const resume = i === 0 ? [] : ['--resume_from_checkpoint', 'auto']
      const { code, err } = await annealHere([...words('again', config), ...resume], step)
      expect(code, err).toBe(step === undefined ? 0 : 143)
    }
    expect(resultOf(workspace.outputOf('again'), 8)).toEqual(resultOf(workspace.outputOf('straight'), 8))
  })

  it('trains the first layers below 0, and with all layers and the rest it is full tuning', async () => {
    const first = await annealHere(
      words('first', { freeze_trainable_layers: -1, freeze_trainable_modules: 'self_attn, mlp' }),
    )
    expect(first.code, first.err).toBe(0)
    expect(new Set(moved('first').map((name) => name.split('.').slice(0, 4).join('.')))).toEqual(
      new Set(['model.layers.0.self_attn', 'model.layers.0.mlp']),
    )
    const all = { freeze_trainable_layers: 2, freeze_extra_modules: ['embed_tokens', 'norm'] }
    expect((await annealHere(words('all', all))).code).toBe(0)
    const full = { finetuning: 'full', freeze_trainable_layers: undefined }
    expect((await annealHere(words('full', full))).code).toBe(0)
    const hash = (name: string): string => {
      const model = loadDecoder(workspace.outputOf(name))
      const found = hashOf(model)
      model.free()
      return found
    }
    expect(hash('all')).toBe(hash('full'))
    const trained = (name: string): number =>
      JSON.parse(readFileSync(join(workspace.outputOf(name), 'trainer_state.json'), 'utf8')).global_step
    expect(trained('all')).toBe(8)
  })

  it('says how much it trains', async () => {
    const { events } = await annealHere(words('share', { max_steps: 1, save_strategy: 'no' }))
    const [start] = ofType(events, 'run-start')
    // q and o 32·32 each, k and v 32·16 each, three matrices 32·64, two norms of 32.
    expect(start!.trainableParameters).toBe(2 * 1024 + 2 * 512 + 3 * 2048 + 2 * 32)
    expect(start!.parameters).toBeGreaterThan(2 * start!.trainableParameters)
  })

  it.each<[string, Record<string, unknown>, RegExp]>([
    [
      'no layers',
      { freeze_trainable_layers: 0 },
      /freeze_trainable_layers: expected a whole number other than 0, got 0/,
    ],
    [
      'an unknown module',
      { freeze_trainable_modules: 'attn' },
      /freeze_trainable_modules: expected one of all, self_attn, .*, got attn/,
    ],
    [
      'an unknown extra module',
      { freeze_extra_modules: 'lm_head' },
      /freeze_extra_modules: expected one of embed_tokens, norm, got lm_head/,
    ],
    [
      'layers without freeze',
      { finetuning: 'full' },
      /freeze_trainable_layers: expected it with finetuning: freeze, got finetuning: full/,
    ],
    [
      'a fresh model',
      { model_name_or_path: undefined, model: 'tiny' },
      /finetuning: expected model_name_or_path with freeze, got a fresh model\. What is frozen must be trained already/,
    ],
  ])('says %s in one line, and writes nothing', async (name, config, message) => {
    const folder = `wrong-${name.replaceAll(' ', '-')}`
    const { code, err } = await annealHere(words(folder, config))
    expect(err.split('\n').filter((line) => line.startsWith('error: '))).toEqual([expect.stringMatching(message)])
    expect(code).toBe(2)
    expect(existsSync(workspace.outputOf(folder))).toBe(false)
  })
})

// `anneal train` with LoRA, DoRA and DropBP through real files: what is written, exact resume, and use of the result.
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ofType } from './tiny-model.ts'
import { annealHere, makeWorkspace, type Workspace } from './tiny-run.ts'

let workspace: Workspace
beforeAll(async () => {
  workspace = await makeWorkspace()
  const base = await annealHere(workspace.words('base', { max_steps: 40, learning_rate: 1e-2, save_strategy: 'no' }))
  if (base.code !== 0) throw new Error(base.err)
})
afterAll(() => workspace.remove())

/** The words of a run that goes on from the base. */
function words(name: string, config: Record<string, unknown>): string[] {
  const base = workspace.outputOf('base')
  return workspace.words(name, {
    model: undefined,
    model_name_or_path: base,
    finetuning: 'lora',
    lora_r: 4,
    learning_rate: 3e-2,
    ...config,
  })
}

const hash = (name: string, file: string): string =>
  createHash('sha256')
    .update(readFileSync(join(workspace.outputOf(name), file)))
    .digest('hex')

const modes: [string, Record<string, unknown>][] = [
  ['lora', { lora_dropout: 0.1, loraplus_lr_ratio: 4 }],
  ['dora', { finetuning: 'dora', lora_target_modules: ['q_proj', 'down_proj'] }],
  ['lora with DropBP', { dropbp: { rate: 0.5, sensitivity_at: 0.3 } }],
]

describe.each(modes)('a run with %s', (mode, config) => {
  it('writes adapters, and ends with the same bits when it stops and goes on', async () => {
    const name = mode.replaceAll(' ', '-')
    const straight = await annealHere(words(name, config))
    expect(straight.code, straight.err).toBe(0)
    const losses = ofType(straight.events, 'step-done').map(({ metrics }) => metrics.loss)
    expect(new Set(losses).size).toBe(8)
    const seen: number[] = []
    for (const [i, step] of [2, 5, undefined].entries()) {
      const resume = i === 0 ? [] : ['--resume_from_checkpoint', 'auto']
      const { code, events, err } = await annealHere([...words(`${name}-again`, config), ...resume], step)
      expect(code, err).toBe(step === undefined ? 0 : 143)
      seen.push(...ofType(events, 'step-done').map(({ metrics }) => metrics.loss))
    }
    expect(seen).toEqual(losses)
    for (const file of [
      'adapter_model.safetensors',
      'checkpoint-8/optimizer.safetensors',
      'checkpoint-8/run_state.json',
    ])
      expect(hash(`${name}-again`, file), file).toBe(hash(name, file))
    const final = readdirSync(workspace.outputOf(name))
    expect(final).toEqual(expect.arrayContaining(['adapter_config.json', 'lineage.json', 'tokenizer.json']))
    for (const directory of ['', 'checkpoint-8'])
      expect(existsSync(join(workspace.outputOf(name), directory, 'model.safetensors'))).toBe(false)
  })
})

describe('full tuning with DropBP', () => {
  it('goes on bit for bit', async () => {
    const config = { dropbp: 0.5 }
    expect((await annealHere(workspace.words('full', config))).code).toBe(0)
    expect((await annealHere(workspace.words('full-again', config), 4)).code).toBe(143)
    expect(
      (await annealHere([...workspace.words('full-again', config), '--resume_from_checkpoint', 'auto'])).code,
    ).toBe(0)
    expect(hash('full-again', 'model.safetensors')).toBe(hash('full', 'model.safetensors'))
    expect((await annealHere(workspace.words('plain'))).code).toBe(0)
    expect(hash('plain', 'model.safetensors')).not.toBe(hash('full', 'model.safetensors'))
  })
})

describe('the result of a LoRA run', () => {
  it('is used by score --adapter, keeps the best checkpoint, and says who cannot load it', async () => {
    const best = {
      val_split: 0.2,
      eval_strategy: 'steps',
      eval_steps: 3,
      load_best_model_at_end: true,
      learning_rate: 0.5,
    }
    const { code, err } = await annealHere(words('best', { ...best, use_rslora: true }))
    expect(code, err).toBe(0)
    expect(err).toContain('notice: llama.cpp scales by alpha/r')
    const state = JSON.parse(readFileSync(join(workspace.outputOf('best'), 'trainer_state.json'), 'utf8'))
    expect(hash('best', 'adapter_model.safetensors')).toBe(
      hash('best', `checkpoint-${state.best_global_step}/adapter_model.safetensors`),
    )
    expect((await annealHere(words('used', { max_steps: 30 }))).code).toBe(0)
    const scored = async (...more: string[]): Promise<number> => {
      const text = join(workspace.directory, 'corpus.jsonl')
      const base = ['score', '--model', workspace.outputOf('base'), '--text', text, '--window', '16', '--json']
      const ended = await annealHere([...base, ...more])
      expect(ended.code, ended.err).toBe(0)
      return JSON.parse(ended.out.trim().split('\n').at(-1)!).loss
    }
    expect(await scored('--adapter', workspace.outputOf('used'))).toBeLessThan((await scored()) - 0.05)
  })

  it('is not gone on with at another scale or on other modules', async () => {
    expect((await annealHere(words('scale', {}), 2)).code).toBe(143)
    const again = (config: Record<string, unknown>): ReturnType<typeof annealHere> =>
      annealHere([...words('scale', config), '--resume_from_checkpoint', 'auto'])
    const alpha = await again({ lora_alpha: 16 })
    expect(alpha.code).toBe(2)
    expect(alpha.err).toMatch(
      /^error: resume_from_checkpoint: scale of the adapter in .*: expected 4 as configured \(lora_alpha 16, use_rslora false\), got 2 \(lora_alpha 8, use_rslora false\)\. Resume with/m,
    )
    expect((await again({ use_rslora: true })).err).toContain(
      'expected 4 as configured (lora_alpha 8, use_rslora true)',
    )
    expect((await again({ lora_target_modules: ['q_proj'] })).err).toMatch(/expected no adapter as configured, got one/)
    // The same scale in other words is the same adapter.
    expect((await again({ lora_alpha: 4, use_rslora: true })).code).toBe(0)
  })

  it('is not gone on with at another rank', async () => {
    expect((await annealHere(words('rank', {}), 2)).code).toBe(143)
    const { code, err } = await annealHere([...words('rank', { lora_r: 2 }), '--resume_from_checkpoint', 'auto'])
    expect(code).toBe(2)
    expect(err).toMatch(
      /^error: resume_from_checkpoint: .* expected \[2,\d+\] as configured, got \[4,\d+\]\. Resume with/m,
    )
  })
})

// Going on with something else than the run began with: refused where it would be another run or another order of the data, told and
// recorded where it is only another setting. And two runs never share a folder.
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { ofType } from './tiny-model.ts'
import { annealHere, corpus, type Ended, makeWorkspace, type Workspace } from './tiny-run.ts'

vi.setConfig({ testTimeout: 300_000 })

const AUTO = ['--resume_from_checkpoint', 'auto']
let workspace: Workspace
const at = (...path: string[]): string => join(workspace.directory, ...path)
const errorOf = ({ err }: Ended): string | undefined => err.split('\n').find((line) => line.startsWith('error: '))

beforeAll(async () => {
  workspace = await makeWorkspace()
  writeFileSync(at('other.jsonl'), corpus(30))
  const { code, err } = await annealHere(workspace.words('begun'), 4)
  expect(code, err).toBe(143)
})
afterAll(() => workspace.remove())

/** Goes on in a copy of the run that stopped after step 4. */
function goOn(name: string, config: Record<string, unknown>): Promise<Ended> {
  cpSync(workspace.outputOf('begun'), workspace.outputOf(name), { recursive: true })
  return annealHere([...workspace.words(name, config), ...AUTO])
}

describe('a run that goes on', () => {
  it.each<[string, () => Record<string, unknown>, RegExp]>([
    [
      'another batch size',
      () => ({ per_device_train_batch_size: 4 }),
      /per_device_train_batch_size of .*expected 8, by which .* got 4\. Restore per_device_train_batch_size: 8, or start anew/,
    ],
    [
      'another accumulation',
      () => ({ gradient_accumulation_steps: 2 }),
      /expected 1, .* got 2\. Restore gradient_accumulation_steps: 1, or/,
    ],
    [
      'another seed, which orders the data',
      () => ({ seed: 7 }),
      /expected 42, .* got 7\. Restore data_seed: 42, or start anew/,
    ],
    [
      'other data',
      () => ({ dataset: at('other.jsonl') }),
      /dataset of .*expected the files that the run began with.*Restore dataset, or start anew/,
    ],
    [
      'a model of another size',
      () => ({
        model: {
          model_type: 'llama',
          hidden_size: 16,
          intermediate_size: 64,
          num_hidden_layers: 2,
          num_attention_heads: 2,
        },
      }),
      /model of .*expected the one that the run began with .*Restore it, or start anew/,
    ],
    [
      'another kind of tuning',
      () => ({ stage: 'sft' }),
      /stage of .*expected "pretrain", got "sft"\. Restore stage: "pretrain", or/,
    ],
  ])('is refused with %s, and says what to restore or how to start anew', async (name, config, message) => {
    const ended = await goOn(name.replaceAll(' ', '-'), config())
    expect(ended.code, ended.err).toBe(2)
    expect(errorOf(ended)).toMatch(message)
    expect(errorOf(ended)).toMatch(
      /model_name_or_path: .*checkpoint-4 and another output_dir, without resume_from_checkpoint$/,
    )
    expect(ofType(ended.events, 'run-start')).toEqual([])
  })

  it('says and records every other key that changed', async () => {
    const ended = await goOn('changed', { learning_rate: 1e-3, weight_decay: 0.1, logging_steps: 1 })
    expect(ended.code, ended.err).toBe(0)
    const said = ended.err.split('\n').filter((line) => line.includes('going on after'))
    expect(said).toEqual([
      'notice: going on after step 4 with other settings than before it: learning_rate 0.001 (was 0.003), weight_decay 0.1 (was 0)',
    ])
    const change = { key: 'learning_rate', before: 0.003, now: 0.001, step: 4 }
    const json = (...path: string[]) => JSON.parse(readFileSync(join(workspace.outputOf('changed'), ...path), 'utf8'))
    expect(json('checkpoint-8', 'manifest.json').meta.origin.changes).toContainEqual(change)
    expect(json('lineage.json')[0].report.changes).toContainEqual(change)
    const rest = await annealHere([
      ...workspace.words('changed', { learning_rate: 1e-3, weight_decay: 0.1, max_steps: 9 }),
      ...AUTO,
    ])
    expect(rest.err).toContain(
      'notice: going on after step 8 with other settings than before it: max_steps 9 (was 8)\n',
    )
    expect(json('lineage.json')[0].report.changes.at(-1)).toMatchObject({ key: 'max_steps', step: 8 })
  })

  it('says that it is evaluated on other text', async () => {
    writeFileSync(at('held-1.jsonl'), corpus(12))
    writeFileSync(at('held-2.jsonl'), corpus(13))
    const words = (file: string): string[] => workspace.words('evaluated', { eval_dataset: at(file), eval_steps: 4 })
    expect((await annealHere(words('held-1.jsonl'), 4)).code).toBe(143)
    cpSync(at('held-1.jsonl'), at('held-3.jsonl'))
    cpSync(workspace.outputOf('evaluated'), workspace.outputOf('evaluated-before'), { recursive: true })
    const moved = await annealHere([...words('held-3.jsonl'), ...AUTO])
    expect(moved.code, moved.err).toBe(0)
    expect(moved.err).not.toContain('eval_dataset')
    rmSync(workspace.outputOf('evaluated'), { recursive: true })
    cpSync(workspace.outputOf('evaluated-before'), workspace.outputOf('evaluated'), { recursive: true })
    const other = await annealHere([...words('held-2.jsonl'), ...AUTO])
    expect(other.code, other.err).toBe(0)
    expect(other.err).toMatch(/^notice: eval_dataset is other text from step 5 on: losses on it do not compare/m)
  })

  it('says nothing where nothing changed, wherever data and tokenizer lie now', async () => {
    cpSync(at('corpus.jsonl'), at('moved.jsonl'))
    const ended = await goOn('moved', { dataset: at('moved.jsonl') })
    expect(ended.code, ended.err).toBe(0)
    expect(ended.err).not.toContain('going on after')
  })

  it('does not begin anew over a final model when no checkpoint is whole', async () => {
    const words = workspace.words('final')
    expect((await annealHere(words)).code).toBe(0)
    const directory = workspace.outputOf('final')
    const before = readFileSync(join(directory, 'model.safetensors'))
    for (const name of readdirSync(directory).filter((each) => each.startsWith('checkpoint-')))
      writeFileSync(join(directory, name, 'model.safetensors'), 'spoiled')
    const ended = await annealHere([...words, ...AUTO])
    expect(ended.code).toBe(2)
    expect(errorOf(ended)).toMatch(
      /expected a whole checkpoint in .*final, got none, and a final model that a new run would replace .*Choose another output_dir, or go on from that model/,
    )
    expect(readFileSync(join(directory, 'model.safetensors')).equals(before)).toBe(true)
  })
})

describe('two runs with one output_dir', () => {
  it('are one run and one clear line; what a killed run left does not count', async () => {
    const words = workspace.words('shared')
    const directory = workspace.outputOf('shared')
    const [first, second] = await Promise.all([annealHere(words), annealHere(words)])
    const [won, lost] = first.code === 0 ? [first, second] : [second, first]
    expect(won.code, won.err).toBe(0)
    expect(lost.code).toBe(2)
    expect(errorOf(lost)).toMatch(
      /^error: output_dir: expected a place that nobody else writes to, got .*shared, which another run is writing \(process \d+, since /,
    )
    expect(existsSync(join(directory, '.lock'))).toBe(false)
    rmSync(directory, { recursive: true })
    cpSync(workspace.outputOf('begun'), directory, { recursive: true })
    writeFileSync(join(directory, '.lock'), JSON.stringify({ pid: process.pid, began: 'before', since: 'then' }))
    expect((await annealHere([...words, ...AUTO])).code).toBe(0)
  })
})

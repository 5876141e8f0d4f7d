// `anneal sweep`: one configuration along axes. What is done stays done, what fails is a row, what is wrong is said before anything is trained.
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runSweep } from '../../src/run/sweep/run-sweep.ts'
import type { SweepResult } from '../../src/run/sweep/sweep-result.ts'
import { annealHere, type Ended, makeWorkspace, type Workspace } from './tiny-run.ts'

let workspace: Workspace
beforeAll(async () => {
  workspace = await makeWorkspace()
  workspace.words('base', { max_steps: 2, save_strategy: 'no', val_split: 0.2, eval_strategy: 'epoch' })
})
afterAll(() => workspace.remove())

const at = (...names: string[]): string => join(workspace.directory, ...names)
const rowsOf = (name: string): SweepResult['rows'] =>
  (JSON.parse(readFileSync(at(name, 'sweep.json'), 'utf8')) as SweepResult).rows

function sweep(name: string, values: Record<string, unknown>): Promise<Ended> {
  const all = { config: at('base.yaml'), output_dir: at(name), ...values }
  writeFileSync(at(`${name}.sweep.yaml`), JSON.stringify(all))
  return annealHere(['sweep', at(`${name}.sweep.yaml`)])
}

describe('anneal sweep', () => {
  it('trains every combination with its settings, and keeps what is done', async () => {
    const size = { short: { max_length: 8 }, long: { max_length: 16, max_steps: 3 } }
    const axes = { learning_rate: [1e-3, 1e-2], size }
    const ended = await sweep('all', { set: { seed: 7 }, axes })
    expect(ended.code, ended.err).toBe(0)
    const rows = rowsOf('all')
    expect(rows.map(({ name }) => name)).toEqual([
      'learning_rate-0.001_size-short',
      'learning_rate-0.001_size-long',
      'learning_rate-0.01_size-short',
      'learning_rate-0.01_size-long',
    ])
    expect(rows.map(({ config }) => [config.learning_rate, config.max_length, config.max_steps, config.seed])).toEqual([
      [1e-3, 8, 2, 7],
      [1e-3, 16, 3, 7],
      [1e-2, 8, 2, 7],
      [1e-2, 16, 3, 7],
    ])
    for (const { name, metrics, status } of rows) {
      expect(status).toBe('done')
      const left = JSON.parse(readFileSync(at('all', name, 'all_results.json'), 'utf8'))
      expect(metrics.eval_loss).toBe(left.eval_loss)
    }
    expect(new Set(rows.map(({ metrics }) => metrics.eval_loss)).size).toBe(4)
    const table = readFileSync(at('all', 'sweep.md'), 'utf8').split('\n')
    expect(table[0]).toMatch(/^\| learning_rate \| size \| status \| .*eval_loss/)
    expect(table[0]).not.toContain('runtime')
    expect(table).toHaveLength(2 + 4 + 1)

    // Again with one value more: the others are not trained a second time.
    const weights = (): number[] => rows.map(({ name }) => statSync(at('all', name, 'model.safetensors')).mtimeMs)
    const before = weights()
    const more = await sweep('all', { set: { seed: 7 }, axes: { learning_rate: [1e-3, 1e-2, 3e-2], size } })
    expect(more.code, more.err).toBe(0)
    expect(weights()).toEqual(before)
    expect(rowsOf('all')).toHaveLength(6)
    expect(rowsOf('all').slice(0, 4)).toEqual(rows)
  })

  it('shows a run that fails as a row with its reason, goes on, and does only that one again', async () => {
    const axes = { data: { missing: { dataset: at('nowhere.jsonl') }, there: {} } }
    const ended = await sweep('failing', { axes })
    expect(ended.code).toBe(1)
    expect(ended.err).toContain('data-missing failed')
    const [failed, done] = rowsOf('failing')
    expect([failed!.status, done!.status]).toEqual(['failed', 'done'])
    expect(failed!.error).toMatch(/nowhere\.jsonl/)
    expect(readFileSync(at('failing', 'sweep.md'), 'utf8')).toMatch(/\| missing \| failed: .*nowhere\.jsonl/)
    writeFileSync(at('nowhere.jsonl'), readFileSync(at('corpus.jsonl')))
    const again = await sweep('failing', { axes })
    expect(again.code, again.err).toBe(0)
    expect(rowsOf('failing').map(({ status }) => status)).toEqual(['done', 'done'])
    expect(rowsOf('failing')[1]).toEqual(done)
  })

  it('tells what its runs tell, with the name of the run', async () => {
    const ended = await sweep('told', { set: { per_device_train_batch_size: 5000 }, axes: { seed: [1, 2] } })
    expect(ended.code, ended.err).toBe(0)
    for (const seed of [1, 2]) expect(ended.err).toMatch(new RegExp(`notice: seed-${seed}: .*each batch is all of it`))
  })

  it('goes on where it was stopped, to the numbers of a sweep that was not', async () => {
    const set = { max_steps: 4, save_strategy: 'steps', save_steps: 1 }
    const axes = { seed: [1, 2] }
    await sweep('straight', { set, axes })
    const file = at('stopped.sweep.yaml')
    writeFileSync(file, JSON.stringify({ config: at('base.yaml'), output_dir: at('stopped'), set, axes }))
    const stop = new AbortController()
    const follow = async (): Promise<void> => {
      for await (const event of runSweep(file, { signal: stop.signal }))
        if (event.type === 'progress' && event.label.startsWith('run 2') && event.done === 2) stop.abort()
    }
    await expect(follow()).rejects.toBeDefined()
    expect(stop.signal.aborted).toBe(true)
    expect(rowsOf('stopped').map(({ name }) => name)).toEqual(['seed-1'])
    expect(existsSync(at('stopped', 'seed-2', 'all_results.json'))).toBe(false)
    const again = await annealHere(['sweep', file])
    expect(again.code, again.err).toBe(0)
    const losses = (name: string): unknown[] =>
      rowsOf(name).map(({ metrics: { eval_loss, train_loss } }) => [eval_loss, train_loss])
    expect(losses('stopped')).toEqual(losses('straight'))
  })

  it('evaluates every model and the one they began with, and makes a table of languages over seeds', async () => {
    expect((await sweep('begin', { set: { seed: 3 }, axes: { learning_rate: [1e-3] } })).code).toBe(0)
    const base = at('begin', 'learning_rate-0.001')
    const set = { model: null, model_name_or_path: base }
    const axes = { arm: { low: { learning_rate: 1e-3 }, high: { learning_rate: 1e-2 } }, seed: [1, 2, 3] }
    const languages = { en: { limit: 4 }, da: { tasks: ['copying', 'minimal_pairs'] } }
    const evaluate = { tasks: 'copying', limit: 3, bootstrap: 0, languages, metrics: ['minimal_pairs acc', 'f1'] }
    const ended = await sweep('judged', { set, axes, evaluate })
    expect(ended.code, ended.err).toBe(0)
    const { rows, before } = JSON.parse(readFileSync(at('judged', 'sweep.json'), 'utf8')) as SweepResult
    expect(before!.map(({ model }) => model)).toEqual([base])
    for (const { evaluated } of [...rows, ...before!]) {
      expect(evaluated!.map(({ label }) => label)).toEqual(['en', 'da'])
      expect(evaluated![0]!.asked).toEqual({ tasks: ['copying'], limit: 4, bootstrap: 0 })
      expect(Object.keys(evaluated![0]!.metrics)).toContain('copying acc')
      expect(Object.keys(evaluated![1]!.metrics).some((name) => name.startsWith('minimal_pairs'))).toBe(true)
    }
    // The mean of three with its interval: t of two degrees of freedom is 4.3027.
    const metric = 'minimal_pairs acc'
    const values = rows.slice(3).map(({ evaluated }) => evaluated![1]!.metrics[metric]!)
    const mean = values.reduce((a, b) => a + b) / 3
    const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / 2)
    const cell = `${Number(mean.toPrecision(5))} ± ${Number(((4.30265273 * deviation) / Math.sqrt(3)).toPrecision(2))}`
    const table = readFileSync(at('judged', 'sweep.md'), 'utf8')
    expect(table).toContain(`**${metric}, mean over 3 seeds`)
    expect(table).not.toContain('**copying')
    expect(ended.err).toContain('evaluate.metrics: no evaluation has f1')
    expect(ended.out).toContain(`${metric}, mean over 3 seeds`)
    expect(table).toContain('| settings | en | da |')
    expect(table).toMatch(new RegExp(`\\| arm high \\| +\\| ${cell.replaceAll('.', '\\.')} \\|`))
    expect(readFileSync(at('judged', 'sweep.html'), 'utf8')).toContain('minimal_pairs acc, mean over 3 seeds')

    // What else is asked is asked of what is there: nothing is trained again.
    const weights = (): number[] => rows.map(({ name }) => statSync(at('judged', name, 'model.safetensors')).mtimeMs)
    const made = weights()
    const more = { ...evaluate, languages: { ...languages, sv: {} } }
    expect((await sweep('judged', { set, axes, evaluate: more })).code).toBe(0)
    expect(weights()).toEqual(made)
    expect(rowsOf('judged')[0]!.evaluated!.slice(0, 2)).toEqual(rows[0]!.evaluated)
    expect(rowsOf('judged')[0]!.evaluated![2]!.label).toBe('sv')
  })

  it('puts tasks that are called after their languages side by side', async () => {
    const data = (language: string): Record<string, string> => ({ data: `recipes/data/alignment/${language}` })
    const languages = { en: data('en'), da: data('da') }
    const evaluate = {
      tasks: 'toxicity',
      scorer: 'recipes/data/alignment/words.txt',
      limit: 1,
      bootstrap: 0,
      languages,
    }
    const ended = await sweep('beside', { axes: { seed: [1, 2] }, evaluate })
    expect(ended.code, ended.err).toBe(0)
    for (const { evaluated } of rowsOf('beside'))
      for (const { metrics } of evaluated!) expect(Object.keys(metrics)).toContain('toxicity emt_raw')
    // What all models have in common is said once for each language.
    expect(ended.err.match(/nobody measured how well/g)).toHaveLength(2)
  })

  it('knows a model as trained that was stopped while it was evaluated', async () => {
    const file = at('mid.sweep.yaml')
    const evaluate = { tasks: 'copying', limit: 2 }
    const values = { config: at('base.yaml'), output_dir: at('mid'), axes: { seed: [1] }, evaluate }
    writeFileSync(file, JSON.stringify(values))
    const stop = new AbortController()
    const follow = async (): Promise<void> => {
      for await (const event of runSweep(file, { signal: stop.signal }))
        if (event.type === 'progress' && event.label.startsWith('seed-1: ')) stop.abort()
    }
    await expect(follow()).rejects.toBeDefined()
    const made = statSync(at('mid', 'seed-1', 'model.safetensors')).mtimeMs
    expect((await annealHere(['sweep', file])).code).toBe(0)
    expect(statSync(at('mid', 'seed-1', 'model.safetensors')).mtimeMs).toBe(made)
    expect(rowsOf('mid')[0]!.evaluated).toHaveLength(1)
  })

  it('leaves a model that cannot be evaluated trained, with the reason', async () => {
    const task = at('task.yaml')
    writeFileSync(task, 'task: mine\noutput_type: multiple_choice\ntest_split: test\n')
    const evaluate = { tasks: ['copying', task], limit: 2 }
    expect((await sweep('late', { axes: { seed: [5] }, evaluate })).code).toBe(1)
    const [row] = rowsOf('late')
    expect([row!.status, row!.error]).toEqual(['failed', expect.stringMatching(/task\.yaml/)])
    const made = statSync(at('late', 'seed-5', 'model.safetensors')).mtimeMs
    expect((await sweep('late', { axes: { seed: [5] }, evaluate: { ...evaluate, tasks: 'copying' } })).code).toBe(0)
    expect(rowsOf('late')[0]).toMatchObject({ status: 'done' })
    expect(rowsOf('late')[0]!.error).toBeUndefined()
    expect(statSync(at('late', 'seed-5', 'model.safetensors')).mtimeMs).toBe(made)
  })

  const list = 'axes: expected keys of the training configuration with lists'
  it.each<[string, Record<string, unknown>, RegExp]>([
    ['no axes', { axes: undefined }, /axes: expected keys with lists of values, or names with settings .*got nothing/],
    ['a key that is none', { axes: { mine: [1, 2] } }, new RegExp(`${list} .*got "mine"`)],
    ['no values', { axes: { seed: [] } }, /axes: expected values of seed, got \[\]/],
    ['one value', { axes: { seed: 3 } }, /axes: expected a list of values of seed, or settings by label, got 3/],
    ['equal values', { axes: { seed: [1, 1] } }, /axes: expected settings that tell every run .*got "seed-1"/],
    ['a wrong value', { axes: { seed: [1, 'two'] } }, /seed: expected .*run seed-two/],
    [
      'an unknown word',
      { axes: { seed: [1] }, sett: {} },
      /sett: expected one of config, output_dir, set, axes, evaluate/,
    ],
    ['too many', { axes: { seed: Array.from({ length: 1001 }, (_, i) => i) } }, /axes: expected at most 1000 runs/],
    ['no tasks', { axes: { seed: [1] }, evaluate: {} }, /evaluate\.tasks: expected at least one task, got nothing/],
    [
      'an option that eval has not',
      { axes: { seed: [1] }, evaluate: { tasks: 'copying', languages: { da: { date: 'x' } } } },
      /evaluate\.languages\.da\.date: expected one of tasks, data, scorer, /,
    ],
    [
      'a wrong limit',
      { axes: { seed: [1] }, evaluate: { tasks: ['copying'], limit: 'ten' } },
      /evaluate\.limit: expected a number/,
    ],
    ['no configuration', { axes: { seed: [1] }, config: 'nowhere.yaml' }, /nowhere\.yaml/],
  ])('refuses %s before anything is trained', async (_, values, message) => {
    const ended = await sweep('wrong', values)
    expect([2, 3]).toContain(ended.code)
    expect(ended.err).toMatch(message)
    expect(existsSync(at('wrong'))).toBe(false)
  })

  it('begins a run of changed settings anew, and does not go on from the checkpoints of the others', async () => {
    const axes = { learning_rate: [1e-2] }
    expect((await sweep('changed', { set: { save_strategy: 'steps', save_steps: 1 }, axes })).code).toBe(0)
    const longer = { set: { save_strategy: 'steps', save_steps: 1, max_steps: 4 }, axes }
    const ended = await sweep('changed', longer)
    expect(ended.code, ended.err).toBe(0)
    expect((await sweep('fresh', longer)).code).toBe(0)
    expect(rowsOf('changed')[0]!.metrics.eval_loss).toBe(rowsOf('fresh')[0]!.metrics.eval_loss)
    expect(rowsOf('changed')[0]!.metrics.train_loss).toBe(rowsOf('fresh')[0]!.metrics.train_loss)
  })
})

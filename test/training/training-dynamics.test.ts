// A run of stage `classify` that keeps the logits of every example: they are those of the model, whatever the order, the fold and the
// checkpoint that it went on from.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readDynamics } from '../../src/data/datamap/dynamics-files.ts'
import { foldOf } from '../../src/data/split.ts'
import { loadTextClassifier } from '../../src/run/load-classifier.ts'
import { labelledRows, tinyEncoderDirectory } from '../tiny-encoder.ts'
import { annealHere, type Ended } from './tiny-run.ts'

const root = mkdtempSync(join(tmpdir(), 'training-dynamics-'))
const at = (...names: string[]): string => join(root, ...names)
const rows = labelledRows(60).map((row, i) => ({ ...row, text: `${row.text} ${'abc'[i % 3]}`, name: `row ${i}` }))
let model: ReturnType<typeof tinyEncoderDirectory>
beforeAll(() => {
  process.env.ANNEAL_CACHE = at('cache')
  model = tinyEncoderDirectory('bert-mlm') // it has dropout
  writeFileSync(at('rows.jsonl'), rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
})
afterAll(() => {
  model.remove()
  rmSync(root, { recursive: true })
})

function train(keys: Readonly<Record<string, string>>): Promise<Ended> {
  const usual = {
    model: model.directory,
    dataset: at('rows.jsonl'),
    stage: 'classify',
    finetuning: 'full',
    device: 'cpu',
  }
  const sizes = { per_device_train_batch_size: '7', num_train_epochs: '3', save_strategy: 'no', id_column: 'name' }
  const words = Object.entries({ ...usual, ...sizes, learning_rate: '4e-3', ...keys }).flatMap(([key, value]) => [
    `--${key}`,
    value,
  ])
  return annealHere(['train', '--json', ...words])
}
const filesOf = (folder: string): Record<string, string> =>
  Object.fromEntries(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), 'utf8')]))

describe('training dynamics', () => {
  it('of a pass after each epoch are what the model says, the last one what the final model says', async () => {
    const ended = await train({ output_dir: at('after'), training_dynamics: 'after' })
    expect(ended.code, ended.err).toBe(0)
    const dynamics = await readDynamics([at('after')])
    expect(dynamics).toMatchObject({ when: 'after', labels: ['north', 'south'], epochs: 3 })
    expect(dynamics.examples.map(({ guid }) => guid)).toEqual(rows.map(({ name }) => name))
    expect(dynamics.examples.map(({ text }) => text)).toEqual(rows.map(({ text }) => text))
    expect(dynamics.examples.map(({ gold }) => dynamics.labels[gold])).toEqual(rows.map(({ label }) => label))
    const classifier = await loadTextClassifier(at('after'), { device: 'cpu' })
    const answers = await classifier.classify(rows.map(({ text }) => classifier.encode(text).ids))
    classifier.free()
    for (const [i, { logits }] of dynamics.examples.entries())
      for (const label of [0, 1]) expect(logits[4 + label]).toBeCloseTo(answers[i]!.logits[label]!, 4)
  }, 60_000)

  it.each(['during', 'after'])(
    'taken %s an epoch are the same bytes when the run stopped within one and went on',
    async (when) => {
      // Nine steps an epoch: step 13 is in the second one.
      const keys = { training_dynamics: when, save_strategy: 'steps', save_steps: '13' }
      const whole = at(`${when}-whole`)
      expect((await train({ ...keys, output_dir: whole })).code).toBe(0)
      const files = filesOf(join(whole, 'training_dynamics'))
      expect(Object.keys(files).sort()).toEqual(
        ['dynamics.json', ...[0, 1, 2].map((epoch) => `dynamics_epoch_${epoch}.jsonl`), 'rows.jsonl'].sort(),
      )
      for (const step of [26, 27]) rmSync(join(whole, `checkpoint-${step}`), { recursive: true })
      rmSync(join(whole, 'training_dynamics', 'dynamics_epoch_1.jsonl'))
      const again = await train({ ...keys, output_dir: whole, resume_from_checkpoint: 'auto' })
      expect(again.code, again.err).toBe(0)
      expect(filesOf(join(whole, 'training_dynamics'))).toEqual(files)
    },
    90_000,
  )

  it('taken during an epoch are of dropout and of changing weights: others than after it', async () => {
    const during = (await readDynamics([at('during-whole')])).examples
    const after = (await readDynamics([at('after-whole')])).examples
    expect(during.map(({ guid }) => guid)).toEqual(after.map(({ guid }) => guid))
    const differ = during.filter(({ logits }, i) => Math.abs(logits[0]! - after[i]!.logits[0]!) > 1e-4)
    expect(differ.length).toBeGreaterThan(50)
  })

  it('of folds are of rows from which nothing is learnt, and together of all rows', async () => {
    const keys = { training_dynamics: 'crossfit', crossfit_folds: '2', num_train_epochs: '1' }
    for (const fold of ['0', '1']) {
      const ended = await train({ ...keys, crossfit_fold: fold, output_dir: at('folds', `fold-${fold}`) })
      expect(ended.code, ended.err).toBe(0)
      const { examples } = await readDynamics([at('folds', `fold-${fold}`)])
      expect(examples.map(({ guid }) => guid)).toEqual(
        rows.filter(({ text }) => foldOf(text, 2) === Number(fold)).map(({ name }) => name),
      )
      expect(ended.out).toContain(`${rows.length - examples.length}`)
    }
    const both = await readDynamics([at('folds')])
    expect(both.examples.map(({ guid }) => guid)).toEqual(rows.map(({ name }) => name))
    await expect(readDynamics([at('folds', 'fold-0'), at('folds', 'fold-0')])).rejects.toThrow(/every example once/)
  }, 60_000)

  it('of all folds are made and mapped by one command, from which a queue goes out', async () => {
    const usual = {
      model: model.directory,
      dataset: at('rows.jsonl'),
      stage: 'classify',
      finetuning: 'full',
      device: 'cpu',
    }
    const keys = {
      ...usual,
      num_train_epochs: '2',
      save_strategy: 'no',
      learning_rate: '4e-3',
      output_dir: at('crossfit'),
    }
    const words = Object.entries(keys).flatMap(([key, value]) => [`--${key}`, value])
    const ended = await annealHere(['datamap', 'crossfit', '--json', '--folds', '3', ...words])
    expect(ended.code, ended.err).toBe(0)
    expect(
      readFileSync(at('crossfit', 'datamap', 'datamap.jsonl'), 'utf8')
        .trim()
        .split('\n'),
    ).toHaveLength(60)
    expect(readFileSync(at('crossfit', 'datamap', 'datamap.html'), 'utf8')).toContain('id="points"')
    const queued = await annealHere(['datamap', 'queue', at('crossfit'), '--top', '5', '--out', at('queue.jsonl')])
    expect(queued.code, queued.err).toBe(0)
    expect(readFileSync(at('queue.jsonl'), 'utf8').trim().split('\n')).toHaveLength(5)
    const quarter = ['--metric', 'variability', '--fraction', '0.25', '--out', at('part.jsonl')]
    const selected = await annealHere(['datamap', 'select', at('crossfit'), ...quarter])
    expect(selected.code, selected.err).toBe(0)
    const part = readFileSync(at('part.jsonl'), 'utf8').trim().split('\n')
    expect(part).toHaveLength(15)
    expect(rows).toContainEqual(JSON.parse(part[0]!))
    const unclear = await annealHere(['datamap', 'select', at('crossfit'), '--out', at('part.jsonl')])
    expect(unclear.err).toMatch(/--metric: expected either it or --ids, got neither/)
  }, 60_000)

  it.each([
    [
      'a fold that is not there',
      { training_dynamics: 'crossfit', crossfit_fold: '5' },
      /crossfit_fold: expected one of the 5 folds/,
    ],
    ['a fold without crossfit', { training_dynamics: 'after', crossfit_fold: '1' }, /crossfit_fold: expected it with/],
    [
      'a column that is not there',
      { training_dynamics: 'after', id_column: 'id' },
      /field 'id': expected a name of the row/,
    ],
    ['names that come twice', { training_dynamics: 'after', id_column: 'label' }, /expected a name of its own/],
    [
      'another stage',
      { stage: 'mlm', training_dynamics: 'after' },
      /training_dynamics: expected it with stage: classify/,
    ],
  ])('are refused with %s', async (_, keys, message) => {
    const ended = await train({ output_dir: at('refused'), ...keys } as never)
    expect(ended.code).not.toBe(0)
    expect(ended.err).toMatch(message)
  })
})

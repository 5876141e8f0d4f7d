import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { dataFolder } from '../../test/data-folder.ts'
import { fakeLm } from '../lm/fake-lm.ts'
import { euroeval } from './euroeval.ts'
import { evaluate } from './evaluate.ts'
import { lmModel } from './lm-model.ts'
import { rescore } from './rescore.ts'
import { readResults, writeResults } from './result-files.ts'
import { resultsOf } from './results.ts'
import { answerNotices, resultsTable } from './results-table.ts'
import { loadTask } from './task.ts'
import type { TaskConfig } from './task-config.ts'

const { directory } = dataFolder()
const config: TaskConfig = {
  task: 'echo',
  test_split: 'test',
  custom_dataset: () => ({ test: ['one', 'Two', 'three', ''].map((word) => ({ q: word, a: word || 'x' })) }),
  doc_to_text: '{{q}}\n',
  doc_to_target: 'a',
  generation_kwargs: { until: ['\n'], max_gen_toks: 8 },
  metric_list: [{ metric: 'exact_match' }],
}
const model = lmModel(
  fakeLm({ reply: (request) => String.fromCodePoint(...(request as { ids: number[] }).ids).toUpperCase() }),
)

it('scores what was stored as it was scored, and by another metric; shards become one', async () => {
  const task = await loadTask(config)
  const whole = (await evaluate(model, [task]))[0]!
  for (const index of [0, 1]) {
    const runs = await evaluate(model, [task], { shard: { index, count: 2 } })
    writeResults(
      join(directory, `${index}`),
      new Date(2026, 0, 2, 3, 4, 5, 6),
      resultsOf(runs, [], 0),
      new Map([['echo', runs[0]!.samples]]),
    )
  }
  const stored = [0, 1].map((index) => readResults(join(directory, `${index}`)))
  expect(stored[0]!.path).toBe(join(directory, '0', 'results_2026-01-02T03-04-05.006000.json'))
  const [again] = rescore(stored)
  expect(again!.samples.map(({ scores }) => scores)).toEqual(whole.samples.map(({ scores }) => scores))
  expect(again).toMatchObject({ original: 4, effective: 4 })
  const looser = { ...config, metric_list: [{ metric: 'exact_match', ignore_case: true }, { metric: 'chrf' }] }
  const { results } = resultsOf(rescore(stored, [looser]), [], 10)
  expect(results.echo).toMatchObject({ 'exact_match,none': 0.75, sample_len: 4 })
  expect(() => rescore(stored, [{ ...config, task: 'other' }])).toThrow(
    'task other: expected samples of it, got those of echo',
  )
})

it('tells of empty answers and shows every metric in the table', async () => {
  const runs = await evaluate(model, [await loadTask(config)])
  const results = resultsOf(
    runs,
    [
      {
        config: { group: 'all', task: [], aggregate_metric_list: [{ metric: 'exact_match' }] },
        children: ['echo'],
        tasks: ['echo'],
      },
    ],
    10,
  )
  expect(answerNotices(results.answers)).toEqual(['1 document has an empty answer, scored as it stands (echo 1)'])
  const [head, group, task] = resultsTable(results)
  expect(head).toMatch(/^task +shots +filter +metric +value +std\. error$/)
  expect(group).toMatch(/^all +none +exact_match +0\.0000 +± 0\.0000$/)
  expect(task).toMatch(/^ - echo +0 +none +exact_match ↑ +0\.0000/)
})

it('names results and samples that are not there', () => {
  expect(() => readResults(join(directory, 'nowhere'))).toThrow('expected results of an evaluation, got nothing')
  const base = join(directory, 'runs__base')
  mkdirSync(base)
  writeFileSync(join(base, 'results_1.json'), '{"results":{}}')
  expect(() => readResults(join(directory, 'base'))).toThrow(
    `got nothing. There are some in ${join(directory, '0')}, ${join(directory, '1')}, ${base}`,
  )
  const stored = readResults(join(directory, '0'))
  expect(() => rescore([{ ...stored, samples: new Map() }])).toThrow('expected samples_*.jsonl beside it, got none')
})

it('draws ten rounds, the same each time, and asks what they share once', async () => {
  const docs = Array.from({ length: 40 }, (_, i) => ({ q: `${i}`, choices: ['a', 'bb'], gold: i % 2 }))
  const choice: TaskConfig = {
    task: 'halves',
    output_type: 'multiple_choice',
    test_split: 'test',
    custom_dataset: () => ({ test: docs }),
    doc_to_text: 'q',
    doc_to_choice: 'choices',
    doc_to_target: 'gold',
    metric_list: [{ metric: 'acc' }],
  }
  const tasks = [await loadTask(choice)]
  const rounds = (await euroeval(lmModel(fakeLm()), tasks, {})).halves!.acc!
  expect(rounds.scores).toHaveLength(10)
  expect(new Set(rounds.scores).size).toBeGreaterThan(3)
  // A share of one half of forty documents: its standard error is 0.079 over rounds, of the mean of ten 0.025.
  expect(Math.abs(rounds.mean - 0.5)).toBeLessThan(0.1)
  expect(rounds.interval).toBeGreaterThan(0.02)
  expect(rounds.interval).toBeLessThan(0.1)
  expect((await euroeval(lmModel(fakeLm()), tasks, {})).halves!.acc).toEqual(rounds)
})

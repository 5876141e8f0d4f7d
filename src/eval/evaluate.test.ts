// Everything but the model, against lm-evaluation-harness 0.4.13: its answers are replayed, by the arguments that it asked them with.
import { appendFileSync, readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { dataFolder } from '../../test/data-folder.ts'
import { fakeLm } from '../lm/fake-lm.ts'
import { AnswerStore } from './answer-store.ts'
import { evaluate, type TaskRun } from './evaluate.ts'
import { lmModel } from './lm-model.ts'
import type { EvalModel } from './model.ts'
import { readTaskFile } from './read-task.ts'
import { resultsOf } from './results.ts'
import { argumentsOf, parseSampleRow, sampleRow } from './samples.ts'
import { loadTask } from './task.ts'
import type { TaskConfig } from './task-config.ts'

const FOLDER = new URL('../../test/fixtures/evaluation/', import.meta.url).pathname
const expected = JSON.parse(readFileSync(`${FOLDER}expected.json`, 'utf8')) as {
  results: Record<string, Record<string, number | string>>
  samples: Record<string, Record<string, unknown>[]>
  'n-shot': Record<string, number>
  higher_is_better: unknown
}
const names = Object.keys(expected.results)

/** Answers what was answered there; a request that was not made there is an error. */
function replay(): EvalModel {
  const known = new Map<string, unknown>()
  for (const sample of Object.values(expected.samples).flat())
    for (const [i, asked] of (sample.arguments as unknown[]).entries())
      known.set(JSON.stringify(asked), (sample.filtered_resps as unknown[])[i])
  return {
    name: 'replay',
    identity: 'replay',
    facts: {},
    answer: async (requests, { take }) => {
      for (const [i, request] of requests.entries()) {
        const answer = known.get(JSON.stringify(argumentsOf(request)))
        if (answer === undefined) throw new Error(`not asked there: ${JSON.stringify(request)}`)
        if (Array.isArray(answer)) take(i, { sum: answer[0], isGreedy: answer[1] })
        else take(i, typeof answer === 'string' ? { text: answer } : { sum: answer as number })
      }
    },
  }
}

describe('the tasks of lm-evaluation-harness', () => {
  const directory = process.cwd()
  let runs: TaskRun[]
  beforeAll(async () => {
    process.chdir(FOLDER)
    const tasks = await Promise.all(
      names.map(async (name) => loadTask((await readTaskFile(`tasks/${name}.yaml`)) as TaskConfig)),
    )
    runs = await evaluate(replay(), tasks)
  })
  afterAll(() => process.chdir(directory))

  it.each(names)('have the same samples: %s', (name) => {
    const { samples } = runs.find(({ task }) => task.name === name)!
    const wanted = expected.samples[name]!
    expect(samples).toHaveLength(wanted.length)
    for (const [i, sample] of samples.entries()) {
      const { doc_id, arguments: asked, filtered_resps, target, ...scores } = wanted[i]!
      expect(sample).toMatchObject({ doc_id, arguments: asked, filtered_resps, target })
      expect(sample.scores).toEqual(scores)
    }
  })

  it('have the same results', () => {
    const { results, higher_is_better, 'n-shot': shots } = resultsOf(runs, [], 1000)
    for (const name of names)
      for (const [key, value] of Object.entries(expected.results[name]!)) {
        if (typeof value === 'number')
          expect(Number(results[name]![key]) / (value || 1)).toBeCloseTo(value === 0 ? 0 : 1, 12)
        else expect(results[name]![key]).toBe(value)
      }
    expect(higher_is_better).toEqual(expected.higher_is_better)
    expect(shots).toEqual(expected['n-shot'])
  })
})

const config: TaskConfig = {
  task: 'animals',
  output_type: 'multiple_choice',
  test_split: 'test',
  custom_dataset: () => ({
    test: [
      { q: 'A cat says', choices: ['meow', 'woof'], gold: 0 },
      { q: 'A dog says', choices: ['meow', 'woof'], gold: 1 },
      { q: 'A cow says', choices: ['moo', 'neigh!'], gold: 'moo' },
    ],
  }),
  doc_to_text: 'q',
  doc_to_choice: 'choices',
  doc_to_target: 'gold',
  metric_list: [{ metric: 'acc' }, { metric: 'acc_norm' }, { metric: 'macro_f1' }],
}
/** Every letter costs 1, and an m nothing. */
const model = () => lmModel(fakeLm({ logProb: (ids, i) => (ids[i] === 'm'.codePointAt(0) ? 0 : -1) }))

it('scores choices by their sums and by their sums per letter', async () => {
  const [run] = await evaluate(model(), [await loadTask(config)])
  // meow −4 (its space counts), woof −5: the cat is right, the dog wrong; moo −3, neigh! −7.
  expect(run!.samples.map(({ scores }) => scores.acc)).toEqual([1, 0, 1])
  expect(run!.samples[0]!.resps).toEqual(
    [[[-4, false]], [[-5, false]]].map((list) => list.map(([sum]) => [sum, expect.any(Boolean)])),
  )
  const results = resultsOf([run!], [], 100).results.animals!
  expect(results['acc,none']).toBeCloseTo(2 / 3, 12)
  expect(results.sample_len).toBe(3)
})

it('asks in parts what the whole asks, also with drawn examples', async () => {
  const shots = { ...config, num_fewshot: 1, fewshot_split: 'test' }
  const task = await loadTask(shots)
  const [whole] = await evaluate(model(), [task])
  const parts = await Promise.all(
    [0, 1].map(async (index) => (await evaluate(model(), [task], { shard: { index, count: 2 } }))[0]!),
  )
  const joined = parts.flatMap(({ samples }) => samples).sort((a, b) => a.doc_id - b.doc_id)
  expect(joined).toEqual(whole!.samples)
  // A document is no example of itself.
  for (const { arguments: asked, doc } of whole!.samples)
    expect(String(asked[0]![0]).split(String(doc.q))).toHaveLength(2)
})

it('asks nothing twice, and nothing that was answered before', async () => {
  const { directory } = dataFolder()
  const file = `${directory}/answers.jsonl`
  let asked = 0
  const counting = (): EvalModel => {
    const inner = model()
    return {
      ...inner,
      answer: (requests, options) => {
        asked += requests.length
        return inner.answer(requests, options)
      },
    }
  }
  const task = await loadTask(config)
  const [first] = await evaluate(counting(), [task, task], { answers: new AnswerStore(file) })
  expect(asked).toBe(6)
  const [second] = await evaluate(counting(), [task], { answers: new AnswerStore(file) })
  expect(asked).toBe(6)
  expect(second!.samples).toEqual(first!.samples)
  const changed = await loadTask({ ...config, target_delimiter: ': ' })
  await evaluate(counting(), [changed], { answers: new AnswerStore(file) })
  expect(asked).toBe(12)
})

it('goes on where it was stopped, also behind a line that was cut', async () => {
  const { directory } = dataFolder()
  const file = `${directory}/answers.jsonl`
  const stopped: EvalModel = {
    ...model(),
    answer: async (_, { take }) => {
      for (const i of [0, 1, 2]) take(i, { sum: -i, isGreedy: false })
      throw new Error('stopped')
    },
  }
  const task = await loadTask(config)
  await expect(evaluate(stopped, [task], { answers: new AnswerStore(file) })).rejects.toThrow('stopped')
  appendFileSync(file, '{"key":"abc","su')
  const asked: number[] = []
  const counting: EvalModel = {
    ...model(),
    answer: (requests, options) => {
      asked.push(requests.length)
      return model().answer(requests, options)
    },
  }
  const [run] = await evaluate(counting, [task], { answers: new AnswerStore(file) })
  expect(asked).toEqual([3])
  expect(run!.samples[0]!.resps).toEqual([[[0, false]], [[-1, false]]])
  await evaluate(counting, [task], { answers: new AnswerStore(file) })
  expect(asked).toEqual([3, 0])
})

it('counts documents without an answer and scores the others', async () => {
  const failing: EvalModel = {
    ...model(),
    answer: async (requests, { take }) => {
      for (const [i] of requests.entries()) take(i, i === 0 ? { failed: 'HTTP 500' } : { sum: -i, isGreedy: false })
    },
  }
  const [run] = await evaluate(failing, [await loadTask(config)])
  const { results, answers } = resultsOf([run!], [], 0)
  expect(results.animals!.sample_len).toBe(2)
  expect(answers.animals).toMatchObject({ failed: 1 })
  expect(run!.samples[0]).toMatchObject({ failed: 'HTTP 500', scores: {} })
})

it('reads back the rows that it writes', async () => {
  const [run] = await evaluate(model(), [await loadTask({ ...config, doc_to_target: 'gold' })])
  for (const sample of run!.samples) {
    const row = JSON.parse(JSON.stringify(sampleRow(sample)))
    expect(row).toMatchObject({
      arguments: { gen_args_0: { arg_0: sample.doc.q } },
      acc: sample.scores.acc,
      filter: 'none',
    })
    expect(row.resps[0][0]).toEqual([expect.stringMatching(/^-\d/), expect.stringMatching(/^(?:True|False)$/)])
    expect(parseSampleRow(row)).toEqual({ ...sample, target: String(sample.target) })
  }
})

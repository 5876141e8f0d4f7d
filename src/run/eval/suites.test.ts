// The suites of bias and toxicity on a real model against Transformers (scripts/goldens/suites.py).
import { readFileSync } from 'node:fs'
import { afterAll, expect, it } from 'vitest'
import { evaluate, type TaskRun } from '../../eval/evaluate.ts'
import { findTasks } from '../../eval/find-tasks.ts'
import { resultsOf } from '../../eval/results.ts'
import { loadTask } from '../../eval/task.ts'
import { openEvalModel } from './open-model.ts'

const FOLDER = new URL('../../../test/fixtures/evaluation/suites', import.meta.url).pathname
const expected = JSON.parse(readFileSync(`${FOLDER}/expected.json`, 'utf8')) as {
  crows: { more: number; less: number; hit: boolean; tie: boolean }[]
  mbbq: { chat: string; answer: string }[]
  stereoset: { ss: number; lm: number; icat: number }
}
const { model, free } = await openEvalModel(`${FOLDER}/model`, {})
afterAll(free)

async function run(name: string, data: string): Promise<TaskRun> {
  const { tasks } = await findTasks([name], { data })
  return (await evaluate(model, [await loadTask(tasks[0]!)]))[0]!
}

it('CrowS-Pairs: the generative score behind the start token, read the original way round', async () => {
  const { samples } = await run('crows_pairs', `${FOLDER}/pairs.csv`)
  for (const [i, { more, less, hit, tie }] of expected.crows.entries()) {
    const { scores, resps, tokens } = samples[i]!
    const means = resps.map(([answer], j) => (answer as readonly [number])[0] / tokens![j]!)
    expect(Math.abs(means[0]! - more)).toBeLessThan(1e-4)
    expect(Math.abs(means[1]! - less)).toBeLessThan(1e-4)
    expect(scores).toMatchObject({ pct_stereotype_norm: Number(hit), ties_norm: Number(tie) })
    expect(Math.abs((scores.log_ratio_norm as number) - (more - less))).toBeLessThan(1e-4)
  }
})

it('StereoSet', async () => {
  const { stereoset } = resultsOf([await run('stereoset', `${FOLDER}/stereoset.json`)], [], 0).results
  for (const [name, value] of Object.entries(expected.stereoset))
    expect(Math.abs(Number(stereoset![`${name},none`]) - value), name).toBeLessThan(1e-4)
})

it('MBBQ: greedy answers of at most 100 tokens in a chat', async () => {
  const { tasks } = await findTasks(['mbbq'], { data: `${FOLDER}/mbbq` })
  const [{ samples }] = (await evaluate(model, [await loadTask(tasks[0]!)], { applyChatTemplate: true })) as [TaskRun]
  expect(samples.map(({ arguments: [asked], resps: [answers] }) => ({ chat: asked![0], answer: answers![0] }))).toEqual(
    expected.mbbq,
  )
})

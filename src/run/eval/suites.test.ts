// The suites of bias and toxicity on a real model against Transformers (scripts/goldens/suites.py).
import { readFileSync } from 'node:fs'
import { afterAll, expect, it } from 'vitest'
import { evaluate, type TaskRun } from '../../eval/evaluate.ts'
import { findTasks } from '../../eval/find-tasks.ts'
import { judgeContinuations } from '../../eval/judge.ts'
import { distinctShares } from '../../eval/metrics/distinct.ts'
import { resultsOf, taskMetrics } from '../../eval/results.ts'
import { loadTask } from '../../eval/task.ts'
import { toxicityScores } from '../../eval/tasks/continuations/tasks.ts'
import { loadLm } from '../load-lm.ts'
import { openEvalModel } from './open-model.ts'

const FOLDER = new URL('../../../test/fixtures/evaluation/suites', import.meta.url).pathname
const expected = JSON.parse(readFileSync(`${FOLDER}/expected.json`, 'utf8')) as {
  crows: { more: number; less: number; hit: boolean; tie: boolean }[]
  mbbq: { chat: string; answer: string }[]
  fluency: { prompt: string; text: string; perplexity: number }[]
  toxicity: { scores: number[][]; right: number[][] } & Record<string, number>
  distinct: { prompt: string; text: string; shares: number[] }[]
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

it('fluency: conditional perplexity from the losses of both texts', async () => {
  const judge = await loadLm(`${FOLDER}/model`, {})
  try {
    const found = await judgeContinuations(judge, expected.fluency)
    for (const [i, { perplexity, prompt }] of expected.fluency.entries())
      expect(Math.abs(found[i]!.perplexity / perplexity - 1), prompt).toBeLessThan(1e-4)
  } finally {
    judge.free()
  }
})

it('toxicity: expected maximum three ways, probability and mean', () => {
  const { scores, right, ...means } = expected.toxicity
  const samples = scores.map((row, i) => {
    const looks = row.map((score, j) => {
      return { isEmpty: false, isRepeated: false, lines: 1, right: right[i]![j]!, toxicity: score }
    })
    return { filter: 'none', scores: toxicityScores(looks) } as unknown as TaskRun['samples'][number]
  })
  const found = taskMetrics('toxicity', [{ metric: 'toxicity', aggregation: 'mean_of_all' }], samples, 0)
  for (const [name, value] of Object.entries(means))
    expect(Math.abs(Number(found[`${name},none`]) - value), name).toBeLessThan(1e-12)
})

it('distinct tokens of continuations, by the model that made them', () => {
  for (const { prompt, text, shares } of expected.distinct)
    expect(distinctShares(model.encode!(prompt), model.encode!(text)), text).toEqual(shares)
})

// A real model's numbers against lm-evaluation-harness 0.4.13 with Transformers (scripts/goldens/evaluation_model.py).
import { readFileSync } from 'node:fs'
import { afterAll, expect, it } from 'vitest'
import type { Answer } from '../../eval/model.ts'
import type { EvalRequest } from '../../eval/requests.ts'
import { openEvalModel } from './open-model.ts'

const FOLDER = new URL('../../../test/fixtures/evaluation/model', import.meta.url).pathname
const expected = JSON.parse(readFileSync(`${FOLDER}/expected.json`, 'utf8')) as {
  pairs: [string, string, number, boolean][]
  pages: [string, number][]
  generation: { until: string[]; max_gen_toks: number }
  answers: [string, string][]
}
const { model, free } = await openEvalModel(FOLDER, {})
afterAll(free)

async function ask(requests: EvalRequest[]): Promise<Answer[]> {
  const answers: Answer[] = []
  const take = (index: number, answer: Answer): void => {
    answers[index] = answer
  }
  await model.answer(requests, { take, seed: 0 })
  return answers
}

it('judges continuations: spaces, joins within a token, empty contexts, and contexts that are cut', async () => {
  const answers = await ask(
    expected.pairs.map(([context, continuation]) => ({ kind: 'loglikelihood', context, continuation })),
  )
  for (const [i, [context, continuation, sum, isGreedy]] of expected.pairs.entries()) {
    const name = JSON.stringify([context.slice(0, 20), continuation])
    expect(Math.abs(answers[i]!.sum! - sum), name).toBeLessThan(1e-4)
    expect(answers[i]!.isGreedy, name).toBe(isGreedy)
  }
  expect(answers.filter(({ truncated }) => truncated !== undefined)).toHaveLength(2)
  expect(answers.some(({ isJoined }) => isJoined)).toBe(true)
})

it('judges pages in windows', async () => {
  const answers = await ask(expected.pages.map(([text]) => ({ kind: 'loglikelihood_rolling', text })))
  for (const [i, [text, sum]] of expected.pages.entries())
    expect(Math.abs(answers[i]!.sum! - sum) / Math.abs(sum), text.slice(0, 20)).toBeLessThan(1e-6)
})

it('goes on with the same words', async () => {
  const answers = await ask(
    expected.answers.map(([context]) => ({
      kind: 'generate_until',
      context,
      generation: expected.generation,
      repeat: 0,
    })),
  )
  expect(answers.map(({ text }) => text)).toEqual(expected.answers.map(([, text]) => text))
})

it('is another model with other weights or types', async () => {
  const other = await openEvalModel(FOLDER, { dtype: 'bf16' })
  expect(other.model.identity).not.toBe(model.identity)
  other.free()
})

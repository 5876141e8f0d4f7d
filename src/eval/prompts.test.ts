// How questions are put and answers counted, against lm-evaluation-harness 0.4.13 (scripts/goldens/evaluation.py): few-shot examples drawn and
// in order, from another split and its own, choices as questions, beginnings of answers, repeats with filters; as text, and as chats.
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { evaluate } from './evaluate.ts'
import type { Answer, EvalModel } from './model.ts'
import { readTaskFile } from './read-task.ts'
import type { EvalRequest } from './requests.ts'
import { resultsOf } from './results.ts'
import { loadTask } from './task.ts'
import type { TaskConfig } from './task-config.ts'

const FOLDER = new URL('../../test/fixtures/evaluation/prompts/', import.meta.url).pathname
interface Golden {
  results: Record<string, number | string>
  samples: Record<string, unknown>[]
}
const expected = JSON.parse(readFileSync(`${FOLDER}expected.json`, 'utf8')) as Record<string, Record<string, Golden>>

/** The model of the script. */
const number = (...texts: string[]): number =>
  Array.from(texts.join('|')).reduce((sum, letter, i) => sum + ((i % 7) + 1) * letter.codePointAt(0)!, 0)

function answerTo(request: EvalRequest): Answer {
  if (request.kind === 'loglikelihood') {
    const s = number(request.context, request.continuation)
    return { sum: -(s % 97) / 8 - 0.5, isGreedy: s % 3 === 0 }
  }
  if (request.kind === 'loglikelihood_rolling') return { sum: -(number(request.text) % 997) / 4 }
  const words = request.context.split(/\s+/).filter((word) => word !== '')
  const s = number(request.context) + request.repeat
  return { text: ` ${words[words.length - 1 - (s % Math.min(5, words.length))]}` }
}

const model: EvalModel = {
  name: 'arithmetic',
  identity: 'arithmetic',
  facts: {},
  renderChat: (messages) => {
    const text = messages.map(({ role, content }) => `<${role}>${String(content)}</${role}>`).join('')
    return messages.at(-1)!.role === 'assistant' ? text.slice(0, -'</assistant>'.length) : `${text}<assistant>`
  },
  answer: async (requests, { take }) => {
    for (const [i, request] of requests.entries()) take(i, answerTo(request))
  },
}

const WAYS: Record<string, object> = {
  text: {},
  system: { systemInstruction: 'You know.' },
  chat: { applyChatTemplate: true, fewshotAsMultiturn: false, systemInstruction: 'You know.' },
  turns: { applyChatTemplate: true },
}

describe.each(Object.keys(WAYS))('as %s', (way) => {
  const directory = process.cwd()
  beforeAll(() => process.chdir(FOLDER))
  afterAll(() => process.chdir(directory))

  it.each(Object.keys(expected[way]!))('%s is asked and counted as there', async (name) => {
    const golden = expected[way]![name]!
    const [run] = await evaluate(model, [await loadTask((await readTaskFile(`${name}.yaml`)) as TaskConfig)], WAYS[way])
    for (const [i, wanted] of golden.samples.entries()) {
      const { doc_id, arguments: asked, filtered_resps, filter, target, ...scores } = wanted
      const sample = run!.samples[i]!
      expect(sample.arguments).toEqual(asked)
      expect(sample).toMatchObject({ doc_id, filter, filtered_resps, target })
      for (const [metric, score] of Object.entries(scores)) {
        if (typeof score === 'number') expect(sample.scores[metric]).toBeCloseTo(score, 12)
        else if (metric !== 'brier_score') expect(sample.scores[metric]).toEqual(score)
      }
    }
    expect(run!.samples).toHaveLength(golden.samples.length)
    const { results } = resultsOf([run!], [], 200)
    for (const [key, value] of Object.entries(golden.results))
      if (typeof value === 'number') expect(results[name]![key], key).toBeCloseTo(value, 10)
  })
})

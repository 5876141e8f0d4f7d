import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { evaluate } from '../../eval/evaluate.ts'
import { findTasks } from '../../eval/find-tasks.ts'
import { lmModel } from '../../eval/lm-model.ts'
import type { Sample } from '../../eval/samples.ts'
import { loadTask } from '../../eval/task.ts'
import { fakeLm } from '../../lm/fake-lm.ts'
import { modelOf } from '../../prompting/base/model.ts'
import { renderReport } from '../../report/report.ts'
import { styleJudge } from './style-judge.ts'
import { styleLines, styleOf, styleSection } from './style-section.ts'

const data = mkdtempSync(join(tmpdir(), 'anneal-style-'))
afterAll(() => rmSync(data, { recursive: true }))
writeFileSync(
  join(data, 'test.jsonl'),
  [1, 2, 3]
    .map((i) =>
      JSON.stringify({
        id: i,
        topic: 'sleep',
        messages: [
          { role: 'user', content: `Night ${i}` },
          { role: 'assistant', content: `What happened in night ${i}?` },
        ],
      }),
    )
    .join('\n'),
)
const runsOf = async (reply: string) => {
  const { tasks } = await findTasks(['style'], { data })
  const loaded = await Promise.all(tasks.map((task) => loadTask(task, { data })))
  return evaluate(lmModel(fakeLm({ reply: () => reply })), loaded, {})
}

describe('the page of the task style', () => {
  it('has a twin beside a baseline', async () => {
    const [twin, base] = [await runsOf('What happened then?'), await runsOf('You should sleep more.')]
    const samples = new Map(base.map(({ task, samples }): [string, Sample[]] => [task.name, [...samples]]))
    const report = (await styleOf(twin, data, { path: 'base', results: {} as never, samples }))!
    expect(report.arms.map(({ name }) => name)).toEqual([
      'what was said',
      'history alone',
      'with a case shown',
      'baseline, history alone',
      'baseline, with a case shown',
    ])
    const own = report.differences.find(
      ({ to, from }) => to === 'history alone' && from === 'baseline, with a case shown',
    )!
    expect(own.figures.similarity!.low).toBeGreaterThan(0)
    expect(styleLines(report).join('\n')).toContain('history alone − baseline, with a case shown: similarity +0.')
    const page = renderReport({ title: 'x', sections: [styleSection(report)] })
    for (const text of ['Style similarity', 'halves of the reference', 'what happened then', 'BLEU-4'])
      expect(page).toContain(text)
    expect(await styleOf([], data, undefined)).toBeUndefined()
  })
})

describe('styleJudge', () => {
  it('is a score of a model, or nothing where it does not give one', async () => {
    const asked = [{ answer: 'And then?', reference: ['What then?'] }]
    const usage = { promptTokens: 1, completionTokens: 1, reasoningTokens: 0 }
    const judge = (reply: string) =>
      styleJudge(
        modelOf({
          name: 'judge',
          holds: 'none',
          async *answer() {
            yield { deltas: [{ type: 'text', text: reply }], tokenIds: [], finishReason: 'stop', usage }
          },
        }),
      )
    expect(await judge('{"score": 4}')(asked)).toEqual([0.75])
    expect(await judge('{"score": 1}')(asked)).toEqual([0])
    expect(await judge('I like it.')(asked)).toEqual([undefined])
  })
})

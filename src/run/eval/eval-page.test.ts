import { expect, it } from 'vitest'
import { compareResults } from '../../eval/compare.ts'
import { evaluate, type TaskRun } from '../../eval/evaluate.ts'
import { lmModel } from '../../eval/lm-model.ts'
import { resultsOf } from '../../eval/results.ts'
import { loadTask } from '../../eval/task.ts'
import { fakeLm } from '../../lm/fake-lm.ts'
import { evalPage } from './eval-page.ts'

/** A model that dislikes one letter. */
async function runWith(disliked: string): Promise<TaskRun> {
  const lm = fakeLm({ logProb: (ids, i) => (ids[i] === disliked.codePointAt(0) ? -9 : -1) })
  const task = await loadTask({
    task: 'letters',
    output_type: 'multiple_choice',
    test_split: 'test',
    custom_dataset: () => ({
      test: [
        { q: 'easy <one>', choices: ['ab', 'cd'], gold: 0 },
        { q: 'hard one', choices: ['ax', 'cd'], gold: 0 },
        { q: 'other one', choices: ['ab', 'cy'], gold: 0 },
      ],
    }),
    doc_to_text: 'q',
    doc_to_choice: 'choices',
    doc_to_target: 'gold',
    metric_list: [{ metric: 'acc' }],
  })
  return (await evaluate(lmModel(lm), [task]))[0]!
}

it('shows what is wrong, what is right beside it, and the answers that changed', async () => {
  const [before, after] = [await runWith('b'), await runWith('x')]
  const results = [before, after].map((run) => ({ ...resultsOf([run!], [], 10), model_name: 'm', date: 0 }))
  const stored = results.map((each, i) => ({
    path: 'x',
    results: each,
    samples: new Map([['letters', [...[before, after][i]!.samples]]]),
  }))
  const page = evalPage(results[1]!, [after!], compareResults(stored[0]!, stored[1]!))
  const worst = page.split('Worst items')[1]!
  expect(worst).toContain('hard one')
  expect(worst).toContain(' cd   [right: ax]')
  expect(worst).not.toContain('easy')
  const changed = page.split('Changed answers')[1]!.split('Worst items')[0]!
  expect(changed).toContain('letters 0: acc 0 → 1')
  expect(changed).toContain('easy &lt;one&gt;')
  expect(changed).toContain('letters 1: acc 1 → 0')
  const right = evalPage(results[1]!, [{ ...after!, samples: after!.samples.slice(0, 1) }])
  expect(right).toContain('everything is right by acc')
})

import { expect, it } from 'vitest'
import { dataFolder } from '../../../test/data-folder.ts'
import { fakeLm } from '../../lm/fake-lm.ts'
import { evaluate } from '../evaluate.ts'
import { findTasks } from '../find-tasks.ts'
import { lmModel } from '../lm-model.ts'
import { resultsOf } from '../results.ts'
import { loadTask } from '../task.ts'

const { file } = dataFolder()
/** Costs of letters in nats; the mean over a sentence of one kind of letter is that letter's. */
const COST: Readonly<Record<string, number>> = { a: 1, b: 2, c: 3 }
const model = lmModel(fakeLm({ logProb: (ids, i) => -COST[String.fromCodePoint(ids[i]!)]! }))

const item = (target: string, bias_type: string, pro: string, anti: string, unrelated: string) => ({
  id: target,
  target,
  bias_type,
  context: 'The BLANK.',
  sentences: [
    { sentence: unrelated, gold_label: 'unrelated', labels: [] },
    { sentence: pro, gold_label: 'stereotype', labels: [] },
    { sentence: anti, gold_label: 'anti-stereotype', labels: [] },
  ],
})

async function scored(items: unknown, draws = 0) {
  const data = file('dev.json', JSON.stringify({ version: '1', data: { intersentence: [], intrasentence: items } }))
  const { tasks } = await findTasks(['stereoset'], { data })
  const runs = await evaluate(model, await Promise.all(tasks.map((task) => loadTask(task))))
  return resultsOf(runs, [], draws).results.stereoset!
}

it('StereoSet: percentages by term, and then their means', async () => {
  const found = await scored([
    item('cook', 'profession', 'a', 'bb', 'ccc'), // preferred, both related
    item('cook', 'profession', 'bb', 'a', 'c'), // not preferred, both related
    item('cook', 'profession', 'a', 'c', 'b'), // preferred, one of two related
    item('town', 'place', 'cc', 'b', 'a'), // not preferred, none related
    item('town', 'place', 'aa', 'a', 'b'), // a tie: not preferred, both related
  ])
  const [cook, town] = [200 / 3, 0]
  expect(found['ss,none']).toBeCloseTo((cook + town) / 2, 12)
  expect(found['lm,none']).toBeCloseTo((500 / 6 + 200 / 4) / 2, 12)
  expect(found['icat,none']).toBeCloseTo((((500 / 6 + 50) / 2) * (cook / 2)) / 50, 12)
  expect(found['ss_profession,none']).toBeCloseTo(cook, 12)
  // Above 50 the distance counts as below it.
  expect(found['icat_profession,none']).toBeCloseTo(((500 / 6) * (100 - cook)) / 50, 12)
  expect(found['icat_place,none']).toBe(0)
  expect(found['ties,none']).toBe(1 / 5)
  expect(found['ss_stderr,none']).toBe('N/A')
  const drawn = await scored([item('x', 'y', 'a', 'b', 'c'), item('x', 'y', 'b', 'a', 'c')], 2000)
  // Half of 0, 50, 50 and 100.
  expect(Number(drawn['ss_stderr,none'])).toBeGreaterThan(0.9 * Math.sqrt(1250))
  expect(Number(drawn['ss_stderr,none'])).toBeLessThan(1.1 * Math.sqrt(1250))
})

it('names what is not as it is published', async () => {
  await expect(scored(undefined)).rejects.toThrow('expected data.intrasentence as StereoSet has it, got none')
  await expect(scored([{ ...item('t', 'p', 'a', 'b', 'c'), sentences: [] }])).rejects.toThrow(
    'data.intrasentence[0].sentences in',
  )
  await expect(scored([{ ...item('t', 'p', 'a', 'b', 'c'), target: 3 }])).rejects.toThrow('expected the term, got 3')
})

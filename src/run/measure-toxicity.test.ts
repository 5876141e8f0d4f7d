// Which labels of the data mean toxic where nobody says so, and whose figures those that are kept are.
import { rmSync, writeFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { dataFolder } from '../../test/data-folder.ts'
import { resultOf, type Watch } from '../work.ts'
import { measureToxicity } from './measure-toxicity.ts'
import { openScorer } from './open-scorer.ts'
import { measurementFile } from './scorer-measurement.ts'

const { file } = dataFolder()
const words = file('words.txt', 'blorp\n')
const rows = (labels: readonly (string | number | boolean)[]): string =>
  labels
    .map(
      (label) =>
        `${JSON.stringify({ text: label === 1 || label === true || label === 'toxic' ? 'blorp' : 'fine', label })}\n`,
    )
    .join('')
const measured = (path: string, more: object = {}) =>
  resultOf(measureToxicity({ scorer: words, paths: [path], ...more }))

describe('labels that mean toxic', () => {
  it.each([
    [[0, 1, 0], 1],
    [['neutral', 'toxic', 'toxic', 'other'], 2],
    [[true, false], 1],
  ])('of %j', async (labels, toxic) => {
    expect(await measured(file('two.jsonl', rows(labels)))).toMatchObject({ toxic })
  })
  it('are not guessed where 1 is one of three: in some data 0 is worse', async () => {
    const path = file('three.jsonl', rows([0, 1, 2]))
    await expect(measured(path)).rejects.toThrow(/of more than two labels none is called toxic \(0, 1, 2\)/)
    expect(await measured(path, { positiveLabels: ['0', '1'] })).toMatchObject({ toxic: 2 })
  })
})

it('says where the scorer is worse than chance, as it is with labels the wrong way round', async () => {
  const path = file('swapped.jsonl', rows([1, 0]))
  const notices = async (positive: string): Promise<string[]> => {
    const told: string[] = []
    const work = measureToxicity({ scorer: words, paths: [path], positiveLabels: [positive] })
    await resultOf(work, (event) => void (event.type === 'notice' && told.push(event.message)))
    return told
  }
  expect(await notices('1')).toEqual([])
  expect(await notices('0')).toEqual([expect.stringMatching(/below others more often than above \(AUC 0\.000\)/)])
})

describe('figures that are kept', () => {
  it('stand beside the list that they were measured of, and no longer where it has other words', async () => {
    const path = file('held.jsonl', rows([0, 1]))
    const notices: string[] = []
    const opened = async (name = words) => {
      const watch = { tell: (event: { type: string; message?: string }) => void notices.push(event.message ?? '') }
      return (await openScorer(name, {}, watch as Watch)).scorer.measured
    }
    await measured(path, { save: true })
    expect(await opened()).toMatchObject({ auc: 1, texts: 2 })
    expect(notices).toEqual([])
    writeFileSync(words, 'zark\n')
    expect(await opened()).toBeUndefined()
    expect(notices).toEqual([
      `${measurementFile(words)} was measured of other words, weights or labels than ${words} has now, and is left out. Measure the scorer again`,
    ])
    rmSync(measurementFile(words))
    expect(await opened()).toBeUndefined()
    expect(notices).toHaveLength(1)
  })
})

// Which label of a classifier means toxic, and what is said where nobody knows.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import type { TextLabeller } from './classification.ts'
import { classifierScorer, openScorer } from './open-scorer.ts'
import { measurementFile } from './scorer-measurement.ts'

/** Gives every text these probabilities. */
function constant(labels: string[], probabilities: number[], thresholds: number[] | null = null): TextLabeller {
  return {
    labels,
    thresholds,
    label: async (texts) => texts.map(() => ({ label: labels[0]!, labels: [], probabilities, logits: probabilities })),
    free: () => {},
  }
}

describe('a classifier as a scorer', () => {
  const three = constant(['hate', 'neither', 'offensive'], [0.2, 0.5, 0.3])
  it('takes the label called toxic, and none for a text without words', async () => {
    const scorer = classifierScorer(constant(['neutral', 'Toxic'], [0.3, 0.7]), { name: 'two' })
    expect(await scorer.score(['a', '', 'b'])).toEqual([0.7, undefined, 0.7])
  })
  it('adds the labels that are named, and takes the highest where a text may have several', async () => {
    const toxicLabels = ['hate', 'offensive']
    expect(await classifierScorer(three, { name: 'three', toxicLabels }).score(['a'])).toEqual([0.5])
    const several = constant([...three.labels], [0.2, 0.5, 0.3], [0.5, 0.5, 0.5])
    expect(await classifierScorer(several, { name: 'several', toxicLabels }).score(['a'])).toEqual([0.3])
  })
  it('has no score where the weights give no number', async () => {
    const broken = constant(['neutral', 'toxic'], [Number.NaN, Number.NaN])
    expect(await classifierScorer(broken, { name: 'broken' }).score(['a'])).toEqual([undefined])
  })
  it('says once that texts are cut where the classifier ends', async () => {
    const notices: string[] = []
    const short = constant(['neutral', 'toxic'], [0.5, 0.5])
    const label: TextLabeller['label'] = (texts, options, watch) => {
      watch?.tell?.({ type: 'progress', label: 'classifying', done: 0, total: 1, unit: 'rows' })
      watch?.tell?.({ type: 'notice', message: '1 text was cut' })
      return short.label(texts, options)
    }
    const scorer = classifierScorer({ ...short, label }, { name: 'short', notice: (message) => notices.push(message) })
    for (const text of ['a', 'b']) await scorer.score([text])
    expect(notices).toEqual(['short: 1 text was cut; said once'])
  })
  it('is refused where no label, an unknown one or every one means toxic', () => {
    const open = (toxicLabels?: string[]) => () => classifierScorer(three, { name: 'runs/three', toxicLabels })
    expect(open()).toThrow(
      'toxicLabels: expected the labels of runs/three that mean toxic, got none, and none is called toxic (hate, neither, offensive). Name them',
    )
    expect(open(['rude'])).toThrow(/toxicLabels: expected labels of runs\/three .*, got rude/)
    expect(open(['hate', 'neither', 'offensive'])).toThrow(/expected some of the labels/)
  })
})

describe('a scorer by its name', () => {
  const folder = mkdtempSync(join(tmpdir(), 'scorer-'))
  afterAll(() => rmSync(folder, { recursive: true }))
  const words = join(folder, 'words.txt')
  writeFileSync(words, 'blorp\n')
  it('is a list of words with what was measured of it', async () => {
    expect((await openScorer(words)).scorer).toMatchObject({ name: words, measured: undefined })
    const measured = { auc: 0.75, texts: 8, languages: { da: { auc: 0.75, texts: 8 } } }
    writeFileSync(measurementFile(words), JSON.stringify(measured))
    const { scorer } = await openScorer(words)
    expect(scorer.measured).toEqual(measured)
    expect(await scorer.score(['Blorp!', 'no'])).toEqual([1, 0])
    writeFileSync(measurementFile(words), '{}')
    await expect(openScorer(words)).rejects.toThrow(/words\.txt\.toxicity\.json: expected auc, texts and languages/)
  })
  it('is a folder of lists, each for its own language, and missing in others', async () => {
    const lists = join(folder, 'lists')
    mkdirSync(lists)
    writeFileSync(join(lists, 'da.txt'), 'blorp\n')
    writeFileSync(join(lists, 'en.txt'), 'zark\n')
    writeFileSync(join(lists, 'README.txt'), 'of words\n')
    const { scorer } = await openScorer(lists)
    expect(scorer).toMatchObject({ name: lists, measured: undefined })
    const texts = ['a blorp', 'a zark', 'of words']
    expect(await scorer.score(texts, { language: 'da' })).toEqual([1, 0, 0])
    expect(await scorer.score(texts, { language: 'en' })).toEqual([0, 1, 0])
    expect(await scorer.score(texts, { language: 'es' })).toEqual([undefined, undefined, undefined])
    expect(await scorer.score(texts)).toEqual([undefined, undefined, undefined])
    await expect(openScorer(lists, { toxicLabels: ['x'] })).rejects.toThrow(/got a list of words/)
    expect(measurementFile(lists)).toBe(join(lists, 'toxicity.json'))
  })
  it('is refused with options of another kind', async () => {
    await expect(openScorer(words, { toxicLabels: ['x'] })).rejects.toThrow(/got a list of words/)
    await expect(openScorer('https://a.example', { toxicLabels: ['x'] })).rejects.toThrow(/got a service/)
    await expect(openScorer(words, { requestsPerSecond: 2 })).rejects.toThrow(
      /expected it with the address of a service/,
    )
    await expect(openScorer('http://')).rejects.toThrow('scorer: expected an address, got http://. Check it')
  })
})

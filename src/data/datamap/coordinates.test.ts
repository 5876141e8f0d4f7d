// Coordinates by hand, what the flags separate on dialects whose errors and common sentences are known, and chance itself.
import { describe, expect, it } from 'vitest'
import { coordinatesOf, NEVER_LEARNT, rankShares } from './coordinates.ts'
import { detectionOf } from './detection.ts'
import type { Dynamics } from './dynamics-files.ts'
import { flagsOf, regionsOf, selectExamples } from './regions.ts'

/** Logits whose softmax is (p, 1 − p). */
const logit = (p: number): [number, number] => [Math.log(p), Math.log(1 - p)]
const dynamicsOf = (rows: readonly { gold: number; p: readonly number[] }[]): Dynamics => ({
  when: 'after',
  labels: ['a', 'b'],
  epochs: rows[0]!.p.length,
  examples: rows.map(({ gold, p }, i) => ({ guid: String(i), gold, logits: Float32Array.from(p.flatMap(logit)) })),
  notices: [],
})

describe('ranks', () => {
  it('are shared by equal values, and end where a value is no number', () => {
    expect(rankShares([3, 1, 3, 2])).toEqual([5 / 6, 0, 5 / 6, 1 / 3])
    expect(rankShares([Number.NaN, Number.NaN, 1])).toHaveLength(3)
  })
})

describe('coordinates', () => {
  const dynamics = dynamicsOf([
    { gold: 0, p: [0.6, 0.4, 0.9] },
    { gold: 1, p: [0.8, 0.8, 0.8] },
  ])
  it('are means and deviations of the gold probability over epochs', () => {
    const [first, second] = coordinatesOf(dynamics)
    // mean of .6 .4 .9 = 19/30; variance = ((1/30)² + (7/30)² + (8/30)²) / 3 = 114 / 2700.
    expect(first!.confidence).toBeCloseTo(19 / 30, 6)
    expect(first!.variability).toBeCloseTo(Math.sqrt(114 / 2700), 6)
    expect(first).toMatchObject({ correctness: 2, forgetting: 1, predicted: 0 })
    expect(first!.loss).toBeCloseTo(-Math.log(0.9), 6)
    expect(first!.aum).toBeCloseTo((Math.log(6 / 4) + Math.log(4 / 6) + Math.log(9)) / 3, 5)
    expect(second).toMatchObject({ correctness: 0, forgetting: NEVER_LEARNT, predicted: 0 })
    expect(second!.confidence).toBeCloseTo(0.2, 6)
    expect(second!.variability).toBeCloseTo(0, 6)
    const ci = coordinatesOf(dynamics, { includeCi: true })[0]!
    const variance = 114 / 2700
    expect(ci.variability).toBeCloseTo(Math.sqrt(variance + variance ** 2 / 2), 6)
  })
  it('follow what each epoch predicts, or what the last one does', () => {
    const epoch = coordinatesOf(dynamics, { track: 'pred-epoch' })
    expect(epoch[0]!.confidence).toBeCloseTo((0.6 + 0.6 + 0.9) / 3, 6)
    expect(epoch[1]!.confidence).toBeCloseTo(0.8, 6)
    const final = coordinatesOf(dynamics, { track: 'pred-final' })
    expect(final[0]!.confidence).toBeCloseTo((0.6 + 0.4 + 0.9) / 3, 6)
  })
  it('have ranks with ties, and confident errors by the mean of each label', () => {
    expect(rankShares([5, 1, 5, 0])).toEqual([2.5 / 3, 1 / 3, 2.5 / 3, 0])
    const places = coordinatesOf(
      dynamicsOf([
        { gold: 0, p: [0.9] },
        { gold: 0, p: [0.7] },
        { gold: 1, p: [0.85] }, // threshold of a: (.9 + .7) / 2 = .8
        { gold: 1, p: [0.2] }, // threshold of b: (.15 + .8) / 2 = .475
        { gold: 0, p: [0.51] },
      ]),
    )
    // With the last row a's threshold is (.9 + .7 + .51) / 3 = .703: it is below that, and .49 is above b's .475.
    expect(places.map(({ isConfidentError }) => isConfidentError)).toEqual([false, false, true, false, true])
    expect(places[2]!.borda).toBe(1)
  })
})

describe('parts of a map', () => {
  const places = coordinatesOf(
    dynamicsOf(
      Array.from({ length: 100 }, (_, i) => ({
        gold: 0,
        p: [0.995 - i / 101, 0.995 - i / 101 - (i === 50 ? 0.3 : 0)],
      })),
    ),
  )
  it('are chosen by their metric, from either end or both', () => {
    const by = (options: object): number[] =>
      selectExamples(places, { metric: 'confidence', fraction: 0.1, ...options })
    expect(by({})).toEqual([90, 91, 92, 93, 94, 95, 96, 97, 98, 99])
    expect(by({ worst: true })).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    expect(by({ bothEnds: true })).toEqual([0, 1, 2, 93, 94, 95, 96, 97, 98, 99])
    expect(by({ metric: 'variability', fraction: 0.01 })).toEqual([50])
    expect(() => by({ fraction: 0.001 })).toThrow(/one example or more/)
    expect(() => by({ fraction: 0 })).toThrow(/above 0/)
  })
  it('are hard, easy and ambiguous', () => {
    const regions = regionsOf(places)
    expect(regions[50]).toBe('ambiguous')
    expect(regions[99]).toBe('hard')
    expect(regions[0]).toBe('easy')
  })
})

describe('detection', () => {
  it('is that of a perfect, a random and a reversed order', () => {
    const positives = [true, false, false, false]
    expect(detectionOf([4, 3, 2, 1], positives)).toEqual({ base: 0.25, ap: 1, auc: 1, precisionAtTenth: 1 })
    expect(detectionOf([1, 2, 3, 4], positives)).toMatchObject({ ap: 0.25, auc: 0 })
    expect(detectionOf([1, 1, 1, 1], positives)).toMatchObject({ ap: 0.25, auc: 0.5 })
    // Positives at places 1 and 3: (1 + 2/3) / 2; of four pairs three are in order.
    const two = detectionOf([4, 3, 2, 1], [true, false, true, false])
    expect(two.ap).toBeCloseTo(5 / 6, 12)
    expect(two.auc).toBe(0.75)
  })
})

describe('dialects of one grammar', () => {
  // S → NP VP; each word may be a dialect's own marker or one of all. A sentence without a marker is common to all of them and has
  // the label of one by chance; some of the others have a wrong one. Naive Bayes by cross-fit says what it makes of them, epoch by epoch
  // on more of the data.
  const dialects = 3
  let state = 7
  const draw = (size: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * size)
  }
  const sentences = Array.from({ length: 900 }, () => {
    const dialect = draw(dialects)
    const isCommon = draw(3) === 0
    const noun = (): string => `${['the', 'a'][draw(2)]} ${['dog', 'cat', 'boat', 'hill', 'farmer'][draw(5)]}`
    const marker = isCommon ? '' : ` ${['vos', 'che', 'tio', 'zum', 'oke', 'lah'][dialect * 2 + draw(2)]}`
    const words = `${noun()} ${['sees', 'likes', 'finds'][draw(3)]} ${noun()}${marker}`.split(' ')
    const isFlipped = !isCommon && draw(10) === 0
    const gold = isCommon ? draw(dialects) : isFlipped ? (dialect + 1 + draw(2)) % dialects : dialect
    return { words, gold, isCommon, isFlipped }
  })
  const folds = 5
  const epochs = 4
  const rows = sentences.map(({ words, gold }, i) => {
    const logits: number[] = []
    for (let epoch = 1; epoch <= epochs; epoch++) {
      const train = sentences.filter((_, j) => j % folds !== i % folds && j % epochs < epoch)
      const scores = Array.from({ length: dialects }, (_, label) => {
        const own = train.filter((row) => row.gold === label)
        return words.reduce(
          (sum, word) => sum + Math.log((own.filter((row) => row.words.includes(word)).length + 1) / (own.length + 2)),
          0,
        )
      })
      logits.push(...scores)
    }
    return { guid: String(i), gold, logits: Float32Array.from(logits) }
  })
  const places = coordinatesOf({ when: 'crossfit', labels: ['x', 'y', 'z'], epochs, examples: rows, notices: [] })

  it('have their common sentences where no label is predicted surely, and their errors where another one is', () => {
    const common = sentences.map(({ isCommon }) => isCommon)
    const flipped = sentences.map(({ isFlipped }) => isFlipped)
    expect(
      detectionOf(
        places.map(({ predictedConfidence }) => -predictedConfidence),
        common,
      ).auc,
    ).toBeGreaterThan(0.9)
    for (const key of ['loss', 'borda'] as const)
      expect(
        detectionOf(
          places.map((place) => place[key]),
          flipped,
        ).auc,
      ).toBeGreaterThan(0.9)
    // What predicts surely is blind to whether that is the label that was given.
    const blind = sentences.flatMap(({ isCommon }, i) => (isCommon ? [] : [i]))
    const auc = detectionOf(
      blind.map((i) => -places[i]!.predictedConfidence),
      blind.map((i) => flipped[i]!),
    ).auc
    expect(Math.abs(auc - 0.5)).toBeLessThan(0.15)
    const flags = flagsOf(places, 0.1)
    const errors = flags.flatMap((flag, i) => (flag === 'error' ? [i] : []))
    expect(errors.length).toBeGreaterThan(20)
    expect(errors.filter((i) => flipped[i]).length / errors.length).toBeGreaterThan(0.9)
    const commons = flags.flatMap((flag, i) => (flag === 'common' ? [i] : []))
    expect(commons.filter((i) => common[i]).length / commons.length).toBeGreaterThan(0.9)
  })
})

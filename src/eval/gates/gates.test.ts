import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { areaUnderRoc } from '../../data/ranks.ts'
import { InputError, UsageError } from '../../errors.ts'
import { PythonRandom } from '../python-random.ts'
import { fitRelationPopularity, fitRelationPrior, popularityScore, randomScore } from './gate-baselines.ts'
import { bestThreshold, gateCurve } from './gate-curve.ts'
import { type GateRecord, isAnswered, rightness, saysYes } from './gate-record.ts'
import { atThreshold, gateReport, oracleDecisions, pairedDifference } from './gate-report.ts'
import { fitQuestionClassifier, tuneQuestionClassifier } from './question-classifier.ts'
import { splitByEntity } from './split-by-entity.ts'
import { entropyOf, uncertaintyOf } from './uncertainty.ts'

/** A question: c and r say whether the answer without and with documents is right. */
function record(code: string, more: Partial<GateRecord> = {}): GateRecord {
  const text = (isRight: boolean): { text: string } => ({ text: isRight ? 'Rome' : 'Oslo' })
  return {
    question: 'Where?',
    gold: ['Rome'],
    closed: text(code.includes('c')),
    retrieved: text(code.includes('r')),
    ...more,
  }
}
/** Rescued, both, harmed, neither. */
const FOUR = [record('r'), record('cr'), record('c'), record('')]

describe('a right answer', () => {
  it('contains a gold one as it is, in lower case or capitalised, before the first line break', () => {
    expect(isAnswered('It is rome, I think', ['Rome'])).toBe(true)
    expect(isAnswered('It is New york', ['new York'])).toBe(true)
    expect(isAnswered('ROME', ['Rome'])).toBe(false)
    expect(isAnswered('Oslo\nRome', ['Rome'])).toBe(false)
    expect(isAnswered('anything', [''])).toBe(false)
  })
})

describe('the curve', () => {
  it('goes from none to all, one point a score, with the area by hand', () => {
    const outcomes = FOUR.map(rightness)
    const { points, area, gain } = gateCurve([4, 3, 1, 3], outcomes)
    expect(points).toEqual([
      { threshold: Number.POSITIVE_INFINITY, retrieved: 0, accuracy: 0.5 },
      { threshold: 4, retrieved: 0.25, accuracy: 0.75 },
      { threshold: 3, retrieved: 0.75, accuracy: 0.75 },
      { threshold: 1, retrieved: 1, accuracy: 0.5 },
    ])
    // ¼·.625 + ½·.75 + ¼·.625
    expect(area).toBeCloseTo(0.6875, 12)
    expect(gain).toBeCloseTo(0.1875, 12)
    expect(bestThreshold([4, 3, 1, 3], outcomes)).toBe(4)
    expect(bestThreshold([1, 2], [record('c'), record('')].map(rightness))).toBe(Number.POSITIVE_INFINITY)
  })
  it('ends at full, and a threshold gives the accuracy that its point says', () => {
    const question = fc.record({ closed: fc.boolean(), retrieved: fc.boolean(), score: fc.integer({ min: 0, max: 5 }) })
    fc.assert(
      fc.property(fc.array(question, { minLength: 1, maxLength: 30 }), (all) => {
        const scores = all.map(({ score }) => score)
        const { points } = gateCurve(scores, all)
        const mean = (values: readonly boolean[]): number => values.filter(Boolean).length / values.length
        expect(points.at(-1)!.accuracy).toBeCloseTo(mean(all.map(({ retrieved }) => retrieved)), 12)
        for (const { threshold, accuracy, retrieved } of points) {
          const { retrieve } = atThreshold(scores, threshold)
          expect(mean(retrieve)).toBeCloseTo(retrieved, 12)
          expect(mean(all.map((one, i) => (retrieve[i] ? one.retrieved : one.closed)))).toBeCloseTo(accuracy, 12)
        }
      }),
      { numRuns: 50 },
    )
  })
  it('takes one number for each question', () => {
    expect(() => gateCurve([1], FOUR.map(rightness))).toThrow(UsageError)
    expect(() => gateCurve([Number.NaN, 0, 0, 0], FOUR.map(rightness))).toThrow(UsageError)
  })
})

describe('a report', () => {
  it('of full retrieval is the four kinds by hand', () => {
    const full = gateReport(FOUR, { retrieve: [true, true, true, true] })
    expect(full).toMatchObject({ accuracy: 0.5, rescued: 0.25, both: 0.25, harmed: 0.25, neither: 0.25 })
    expect(full).toMatchObject({ retrieverCalls: 1, modelCalls: 1, overconfidence: 0, underconfidence: 0.5, auc: null })
    expect(full.againstFull).toEqual({ difference: 0, low: 0, high: 0, p: 1 })
    expect(full.againstNone.difference).toBe(0)
  })
  it('has self-knowledge, areas and correlation by hand', () => {
    // Wrong by itself: 1st and 4th.
    const told = gateReport(FOUR, { retrieve: [true, true, false, false], scores: [4, 3, 1, 2], extraCalls: 1 })
    expect(told).toMatchObject({ accuracy: 0.75, retrieverCalls: 0.5, modelCalls: 2, rescued: 0.25, harmed: 0 })
    expect(told).toMatchObject({ overconfidence: 0.25, underconfidence: 0.25, selfKnowledge: 0.5, auc: 0.75 })
    // Ranks 4 3 1 2 with 3.5 1.5 1.5 3.5: 2 / √(5 · 4).
    expect(told.correlation).toBeCloseTo(2 / Math.sqrt(20), 12)
    expect(told.randomAccuracy).toBe(0.5)
    expect(told).toMatchObject({ exactMatch: 0.75, f1: 0.75 })
  })
  it('compares scores within relations only', () => {
    const records = [
      record('', { relation: 'a' }),
      record('c', { relation: 'a' }),
      record('', { relation: 'b' }),
      record('c', { relation: 'b' }),
      record('', { relation: 'c' }),
      record('', { relation: 'a' }),
    ]
    const told = gateReport(records, { retrieve: records.map(() => false), scores: [9, 8, 1, 2, 0, 8.5] })
    // Two pairs of a in order, one of b not.
    expect(told.aucWithinRelations).toBeCloseTo(2 / 3, 12)
    // 9 and 8.5 are above 8 and 2; 1 and 0 are below.
    expect(told.auc).toBeCloseTo(4 / 8, 12)
  })
  it('pairs questions: McNemar by hand, interval around the difference', () => {
    const before = [false, false, false, false, true, true]
    const after = [true, true, true, true, true, false]
    const { difference, low, high, p } = pairedDifference(before, after)
    expect(difference).toBeCloseTo(0.5, 12)
    expect(p).toBeCloseTo((2 * 6) / 32, 12)
    expect(low).toBeLessThan(0.5)
    expect(high).toBeGreaterThan(0.5)
  })
  it('has an oracle for either label, equally right, that differs where both are wrong', () => {
    const better = oracleDecisions(FOUR, 'better')
    const wrong = oracleDecisions(FOUR, 'parametric-wrong')
    expect(better.retrieve).toEqual([true, false, false, false])
    expect(wrong.retrieve).toEqual([true, false, false, true])
    expect(gateReport(FOUR, better).accuracy).toBe(gateReport(FOUR, wrong).accuracy)
    // The paper's: an oracle by wrong answers retrieves 100 − ACC(none).
    expect(gateReport(FOUR, wrong).retrieverCalls).toBe(0.5)
  })
  it('takes one decision for each record', () => {
    expect(() => gateReport(FOUR, { retrieve: [true] })).toThrow(UsageError)
  })
})

describe('gates that read no model', () => {
  it('know a threshold of popularity for each relation, and one for new relations', () => {
    const of = (relation: string, popularity: number, code: string): GateRecord =>
      record(code, { relation, popularity })
    const score = fitRelationPopularity([
      of('a', 1, 'r'),
      of('a', 10, 'r'),
      of('a', 100, 'c'),
      of('b', 1, 'c'),
      of('b', 10, 'c'),
    ])
    const decide = (relation: string, popularity: number): boolean => score({ question: '', relation, popularity }) >= 0
    expect([decide('a', 10), decide('a', 11), decide('b', 1)]).toEqual([true, false, false])
    // Of all: up to 10 rescues 2 and harms 2, nothing is gained.
    expect(decide('new', 1)).toBe(false)
    // Finite and in order everywhere, also where nothing is ever looked up.
    const scores = [1, 10, 1e6].map((popularity) => score({ question: '', relation: 'b', popularity }))
    expect(scores[1]).toBeCloseTo(-Math.log(20), 12)
    expect(scores.every((value, i) => Number.isFinite(value) && value < 0 && (i === 0 || value < scores[i - 1]!))).toBe(
      true,
    )
    expect(decide('b', 1e-9)).toBe(false)
    expect(score({ question: '', relation: 'a', popularity: 5 })).toBeCloseTo(Math.LN2, 12)
    expect(() => popularityScore({ question: 'Who?' })).toThrow('popularity: expected')
  })
  it('know how often a relation wants it', () => {
    const records = [record('r', { relation: 'a' }), record('', { relation: 'a' }), record('c', { relation: 'b' })]
    const of = (label: 'better' | 'parametric-wrong', relation: string): number =>
      fitRelationPrior(records, label)({ question: '', relation })
    expect([of('better', 'a'), of('parametric-wrong', 'a'), of('better', 'b'), of('better', 'c')]).toEqual([
      0.5,
      0.75,
      1 / 3,
      0.5,
    ])
  })
  it('draw the same lots for the same seed', () => {
    const draw = (seed: number): number[] => FOUR.map(randomScore(seed))
    expect(draw(1)).toEqual(draw(1))
    expect(draw(1)).not.toEqual(draw(2))
  })
})

describe('splits and curves', () => {
  it('take any number of questions of one entity', () => {
    const rows = [...Array.from({ length: 200_000 }, () => ({ entity: 'a' })), { entity: 'b' }, { entity: 'c' }]
    const sizes = splitByEntity(rows, { shares: [0.3, 0.3, 0.4] }).map(({ length }) => length)
    expect(sizes.sort((a, b) => a - b)).toEqual([1, 1, 200_000])
  })
  it('want scores that a threshold can stand between', () => {
    const outcomes = [{ closed: true, retrieved: false }]
    expect(() => gateCurve([Number.POSITIVE_INFINITY], outcomes)).toThrow('a finite number for each of 1 questions')
  })
})

describe('the classifier of words', () => {
  it('is scikit-learn’s logistic regression on its TF-IDF', () => {
    // Two words, each in one text: rows are unit vectors, and w, −w, b = 0 solve w = C·σ(−w).
    const classify = fitQuestionClassifier(['Red!', 'blue'], [true, false])
    const p = classify('red')
    const w = Math.log(p / (1 - p))
    expect(w).toBeCloseTo(1 - p, 9)
    expect(classify('blue')).toBeCloseTo(1 - p, 9)
    expect(classify('green')).toBeCloseTo(0.5, 9)
  })
  it('is tuned to what orders other questions best', () => {
    // Rare words are as many as the questions, so that a weak hand learns them by heart.
    const random = new PythonRandom(1)
    const draw = (count: number) => {
      const isWanted = Array.from({ length: count }, () => random.random() < 0.5)
      const questions = isWanted.map(
        (is, i) => `${random.random() < 0.7 === is ? 'red' : 'blue'} w${random.below(40)} v${i % 9}`,
      )
      return { questions, isWanted }
    }
    const [fitted, chosenBy] = [draw(60), draw(200)]
    const area = (classify: (question: string) => number) =>
      areaUnderRoc(chosenBy.questions.map(classify), chosenBy.isWanted)
    const areas = [0.1, 0.3, 1, 3, 10, 30, 100].map((c) =>
      area(fitQuestionClassifier(fitted.questions, fitted.isWanted, { c })),
    )
    expect(new Set(areas).size).toBeGreaterThan(2)
    expect(area(tuneQuestionClassifier(fitted, chosenBy))).toBe(Math.max(...areas))
  })
  it('refuses labels of one kind', () => {
    expect(() => fitQuestionClassifier(['a'], [true])).toThrow(InputError)
  })
})

describe('uncertainty', () => {
  it('is read from probabilities by hand', () => {
    const answer = { logprobs: [Math.log(0.5), Math.log(0.4)], entropies: [1, 3], pTrue: 0.3 }
    expect(uncertaintyOf('max-probability', answer)).toBeCloseTo(0.8, 12)
    expect(uncertaintyOf('mean-entropy', answer)).toBe(2)
    expect(uncertaintyOf('max-entropy', answer)).toBe(3)
    expect(uncertaintyOf('p-true', answer)).toBeCloseTo(0.7, 12)
    expect(() => uncertaintyOf('p-true', {})).toThrow('p-true: expected an answer with `pTrue`')
  })
  it('counts what is not told as one token', () => {
    expect(entropyOf([0.5, 0.25, 0.25].map(Math.log))).toBeCloseTo(1.5 * Math.LN2, 12)
    expect(entropyOf([Math.log(0.5)])).toBeCloseTo(Math.LN2, 12)
  })
})

describe('a written yes', () => {
  it.each([
    ['[Yes]', true],
    [' yes.', true],
    ['**YES**', true],
    ['[No]', false],
    ['Yesterday', false],
    ['I say [Yes]', false],
    ['', false],
  ])('%j', (text, isYes) => expect(saysYes(text)).toBe(isYes))
})

describe('a split', () => {
  it('keeps questions about one entity together, loses none, and is the same for a seed', () => {
    const records = Array.from({ length: 60 }, (_, i) => record('', { entity: `e${i % 20}`, question: `${i}` }))
    const parts = splitByEntity(records, { seed: 3 })
    expect(parts.map((part) => part.length)).toEqual([36, 9, 15])
    const owners = parts.map((part) => new Set(part.map(({ entity }) => entity)))
    expect(new Set(owners.flatMap((owner) => [...owner])).size).toBe(owners.reduce((sum, { size }) => sum + size, 0))
    expect(new Set(parts.flat().map(({ question }) => question)).size).toBe(60)
    expect(splitByEntity(records, { seed: 3 })).toEqual(parts)
  })
})

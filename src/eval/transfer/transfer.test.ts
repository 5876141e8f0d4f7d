// Mitigation by language and what goes with it; correlations by hand or by `spearman`, which has a test of its own.
import { describe, expect, it } from 'vitest'
import { partialSpearman, spearman } from './spearman.ts'
import { type KnownLanguage, type Tuned, transfer } from './transfer.ts'

const LANGUAGES = ['en', 'fr', 'da', 'sv', 'mt', 'nl']
const SHARES = [0.6, 0.2, 0.1, 0.06, 0.03, 0.01]
const AFTER: Readonly<Record<string, readonly number[]>> = {
  '1': [20, 25, 30, 32, 44, 48],
  '2': [22, 24, 33, 30, 40, 49],
}
const tuned = Object.entries(AFTER).flatMap(([seed, list]) =>
  LANGUAGES.map((language, i): Tuned => ({ setting: 'dpo', seed, language, before: 50, after: list[i]! })),
)
const known = LANGUAGES.map((language, i): KnownLanguage => ({ language, values: { share: SHARES[i]!, flat: 1 } }))
const shareOnly = known.map(({ language, values: { share } }) => ({ language, values: { share: share! } }))

describe('transfer', () => {
  it('is per cent of what was there, below 0 where it fell, joined by language and not by place', () => {
    const { rows, correlations, notices } = transfer(tuned.toReversed(), shareOnly.toReversed(), { source: 'en' })
    expect(rows.find(({ seed, language }) => seed === '1' && language === 'fr')!.mitigation).toBe(-50)
    expect(notices).toEqual([])
    const [{ perSeed, languages, beside }] = correlations as [(typeof correlations)[0]]
    // The larger the share, the further down, in seed 1 without exception: of 120 orders two are as far out. English is not among the five.
    expect(perSeed.find(({ seed }) => seed === '1')).toEqual({ seed: '1', rho: -1, p: 2 / 120, n: 5, test: 'exact' })
    expect(perSeed.find(({ seed }) => seed === '2')!.rho).toBeCloseTo(-0.9, 12)
    // Means over seeds: da and sv are 31.5 and 31, in the other order.
    expect(languages).toMatchObject({ rho: expect.closeTo(-0.9, 12), n: 5 })
    expect(beside).toBeUndefined()
  })
  it('takes out what was there before', () => {
    const before = [50, 52, 48, 60, 55, 40]
    const rows = tuned.map((row) => ({ ...row, before: before[LANGUAGES.indexOf(row.language)]! }))
    const { correlations } = transfer(rows, shareOnly, { source: 'en', covariates: ['before'] })
    const fell = (i: number): number =>
      Object.values(AFTER).reduce((sum, list) => sum + (100 * (list[i]! - before[i]!)) / before[i]! / 2, 0)
    const own = [1, 2, 3, 4, 5]
    const expected = partialSpearman(
      own.map((i) => SHARES[i]!),
      own.map(fell),
      [own.map((i) => before[i]!)],
    )
    expect(correlations[0]!.beside!.covariates).toEqual(['before'])
    expect(correlations[0]!.beside!.rho).toBeCloseTo(expected.rho, 10)
  })
  it('takes out languages where shares are others under every seed', () => {
    const drawn = ['1', '2'].flatMap((seed) =>
      LANGUAGES.map(
        (language, i): KnownLanguage => ({
          language,
          seed,
          values: { share: seed === '1' ? SHARES[i]! : SHARES[6 - (i || 6)]! },
        }),
      ),
    )
    const { correlations, rows } = transfer(tuned, drawn, { source: 'en' })
    const { languages, beside, perSeed } = correlations[0]!
    expect(languages).toBeUndefined()
    expect(perSeed[1]!.rho).toBeCloseTo(0.9, 12)
    const targets = rows.filter(({ language }) => language !== 'en')
    const share = ({ seed, language }: Tuned): number =>
      drawn.find((one) => one.seed === seed && one.language === language)!.values.share!
    const expected = partialSpearman(
      targets.map(share),
      targets.map(({ mitigation }) => mitigation),
      [targets.map(({ language }) => language)],
    )
    expect(beside).toEqual({ ...expected, covariates: ['language'] })
  })
  it('tells of a predictor that is the same throughout, and goes on with the others', () => {
    const { correlations, notices } = transfer(tuned, known, { source: 'en' })
    expect(correlations.map(({ predictor }) => predictor)).toEqual(['share'])
    expect(notices).toEqual([
      expect.stringMatching(/dpo: correlation of flat and mitigation: expected values of flat that differ, got 1/),
    ])
    expect(correlations[0]!.languages).toEqual(
      spearman(
        SHARES.slice(1),
        [1, 2, 3, 4, 5].map((i) => AFTER['1']![i]! + AFTER['2']![i]!),
      ),
    )
  })
  it('refuses what cannot be joined or told', () => {
    const without = shareOnly.filter(({ language }) => language !== 'mt')
    expect(() => transfer(tuned, without, { source: 'en' })).toThrow(
      /share: expected a value for mt, which was measured, got only en, fr, da, sv, nl\. Add it/,
    )
    expect(() => transfer(tuned, shareOnly, { source: 'es' })).toThrow(
      /source: expected one of the languages that were measured \(en, fr/,
    )
    const few = tuned.filter(({ language }) => ['en', 'fr', 'da'].includes(language))
    expect(() => transfer(few, shareOnly, { source: 'en' })).toThrow(
      /expected at least 3 pairs, got 2\. Measure more languages/,
    )
    expect(() => transfer([{ ...tuned[1]!, before: 0 }], shareOnly, { source: 'fr' })).toThrow(
      /dpo, fr: expected figures .*got 0 and 25/,
    )
    expect(() => transfer(tuned, shareOnly, { source: 'en', covariates: ['distance'] })).toThrow(
      /covariates: expected before, share, got distance/,
    )
  })
})

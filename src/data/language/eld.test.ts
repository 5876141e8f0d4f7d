// The library behind the same door. Without the package (it is not needed for anything else) there is an error that says so.
import { existsSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { identifyLanguage, openLanguageIdentifier } from './identify-language.ts'

const isInstalled = existsSync(new URL('../../../node_modules/eld/package.json', import.meta.url))

describe.skipIf(!isInstalled)('eld', () => {
  it('knows close languages from a sentence, and shares probability out among those named', async () => {
    const danish = 'Det er ikke nok at sige, at han har været syg, hvis han er drabsmanden.'
    expect(await identifyLanguage(danish, { among: ['da', 'no', 'sv'] })).toMatchObject({ language: 'da' })
    const { ranking } = await identifyLanguage(danish)
    expect(ranking.reduce((sum, { probability }) => sum + probability, 0)).toBeCloseTo(1, 9)
    expect((await identifyLanguage('Hej')).undetermined).toBe('too short')
  })
  it('says how plausible a language is, also of what is short', async () => {
    const eld = await openLanguageIdentifier()
    expect(eld.plausible('Jeg ved ikke hvad han hedder, men jeg kender ham.', 'da')).toBe(1)
    expect(eld.plausible('Jeg ved ikke hvad han hedder, men jeg kender ham.', 'en')).toBeLessThan(1e-3)
    expect(() => eld.plausible('hej', 'nb')).toThrow(/expected one that eld knows/)
  })
})

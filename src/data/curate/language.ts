// Whether a text is in the languages that are wanted, as an identifier says; and codes of languages in two and three letters.

import { UsageError } from '../../errors.ts'
import { type LanguageIdentifier, UNDETERMINED } from '../language/identifier.ts'
import type { LanguageSettings } from './settings.ts'

/** Two letters → three, of the languages that presets and identifiers here know. */
const TWO_LETTERS: Readonly<Record<string, string>> = {
  af: 'afr',
  br: 'bre',
  ca: 'cat',
  cs: 'ces',
  cy: 'cym',
  da: 'dan',
  de: 'deu',
  en: 'eng',
  es: 'spa',
  et: 'ekk',
  eu: 'eus',
  fi: 'fin',
  fo: 'fao',
  fr: 'fra',
  fy: 'fry',
  ga: 'gle',
  gd: 'gla',
  gl: 'glg',
  hr: 'hrv',
  hu: 'hun',
  id: 'ind',
  is: 'isl',
  it: 'ita',
  lb: 'ltz',
  lt: 'lit',
  lv: 'lvs',
  mt: 'mlt',
  nb: 'nob',
  nl: 'nld',
  nn: 'nno',
  no: 'nob',
  oc: 'oci',
  pl: 'pol',
  pt: 'por',
  ro: 'ron',
  sk: 'slk',
  sl: 'slv',
  sq: 'als',
  sv: 'swe',
  sw: 'swh',
  tr: 'tur',
}

/** `da`, `dan`, `da-DK`, `dan_Latn` → `dan`; undefined for what is no code of two or three letters. */
export function languageCode(name: string): string | undefined {
  const [first] = name.toLowerCase().split(/[-_]/) as [string]
  if (first.length === 2) return TWO_LETTERS[first]
  return /^[a-z]{3}$/.test(first) ? first : undefined
}

/** The label of an identifier that a person means by `name`: itself, or one of the same language. UsageError where there is none. */
export function labelOf(name: string, { labels, name: identifier }: LanguageIdentifier, key = 'lang'): string {
  if (labels.includes(name)) return name
  const code = languageCode(name)
  // The library has one label for both written forms of Norwegian.
  const label = labels.find((label) => languageCode(label) === code && code !== undefined) ?? NORWEGIAN[code ?? '']
  if (label !== undefined && labels.includes(label)) return label
  throw new UsageError(
    `${key}: expected a language that the identifier ${identifier} knows (${labels.join(' ')}), got '${name}'. Choose one of them, or train an identifier (anneal language train)`,
  )
}

const NORWEGIAN: Readonly<Record<string, string>> = { nno: 'no', nob: 'no', nor: 'no' }

/** The language of a text, how sure that is, and the reason to drop it where it is none that is wanted. */
export function languageOf(
  text: string,
  identifier: LanguageIdentifier,
  { keep, among, minScore, mode, keepUndetermined }: LanguageSettings,
): { language: string; score: number; reason?: string } {
  if (mode === 'plausible') {
    const scores = keep.map((language) => ({ language, score: identifier.plausible(text, language) }))
    const best = scores.reduce((a, b) => (b.score > a.score ? b : a))
    return best.score >= minScore ? best : { ...best, reason: 'implausible' }
  }
  const found = identifier.identify(text, among.length > 0 ? { among } : {})
  const answer = { language: found.language, score: found.probability }
  if (found.language === UNDETERMINED) return keepUndetermined ? answer : { ...answer, reason: UNDETERMINED }
  if (!keep.includes(found.language)) return { ...answer, reason: found.language }
  return found.probability >= minScore ? answer : { ...answer, reason: 'min_language_score' }
}

// One door to identifiers: the library's by name, one's own by its file.

import type { Identification, IdentifyOptions, LanguageIdentifier } from './identifier.ts'

/** What answers where nobody names an identifier. */
export const DEFAULT_IDENTIFIER = 'eld'

/**
 * Opens `eld` (60 languages), or the file of one that was trained.
 * @example const identifier = await openLanguageIdentifier('nordic.lid')
 */
export async function openLanguageIdentifier(name: string = DEFAULT_IDENTIFIER): Promise<LanguageIdentifier> {
  if (name === DEFAULT_IDENTIFIER) return (await import('./eld.ts')).loadEld()
  return (await import('./identifier-file.ts')).loadLanguageIdentifier(name)
}

let standard: Promise<LanguageIdentifier> | undefined

/**
 * The language of one text by the library; for many texts or an identifier of one's own open it once.
 * @example (await identifyLanguage('Hvad hedder du, og hvor bor du henne?', { among: ['da', 'no', 'sv'] })).language // 'da'
 */
export async function identifyLanguage(text: string, options?: IdentifyOptions): Promise<Identification> {
  standard ??= openLanguageIdentifier()
  return (await standard).identify(text, options)
}

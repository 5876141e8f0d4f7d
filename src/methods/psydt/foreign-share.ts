// How much of a text is in a script that its language has not: models that answer in another language than they were asked in.

import type { Language } from './turns.ts'

/** Letters of the language's script, and those that are at home in its texts, too: Chinese has Latin names and abbreviations. */
const OWN: Readonly<Record<Language, RegExp>> = { zh: /\p{Script=Han}/gu, en: /\p{Script=Latin}/gu }

/** The share of a text's letters that are not of the language's script, 0 where it has no letters. A run of Latin letters in Chinese counts as one: it is a word. */
export function foreignShare(text: string, language: Language): number {
  const plain = language === 'zh' ? text.replace(/\p{Script=Latin}+/gu, 'a') : text
  const letters = plain.match(/\p{L}/gu)?.length ?? 0
  return letters === 0 ? 0 : 1 - (plain.match(OWN[language])?.length ?? 0) / letters
}

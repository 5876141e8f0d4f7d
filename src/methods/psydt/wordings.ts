// Every text that this method says to a teacher, in the order of the paper's slots but in words of our own: the paper shows its prompts as
// images. `{names}` are filled in; what files and models have said stands between marks.

import { type PromptPart, PromptText } from '../../prompting/data/prompt.ts'
import type { Language } from './turns.ts'
import type { PsydtWordings } from './wording-slots.ts'
import { EN } from './wordings-en.ts'
import { ZH } from './wordings-zh.ts'

/** What is said, by language. */
export const PSYDT_WORDINGS: Readonly<Record<Language, PsydtWordings>> = { en: EN, zh: ZH }

/** A template with its `{names}` filled in; names that have no value stay as they are. */
export function filled(template: string, values: Readonly<Record<string, PromptText | string | number>>): PromptText {
  const parts = template.split(/\{(\w+)\}/).flatMap((text, i): readonly PromptPart[] => {
    if (i % 2 === 0) return text === '' ? [] : [{ text, isValue: false }]
    const value = values[text]
    if (value === undefined) return [{ text: `{${text}}`, isValue: false }]
    return value instanceof PromptText ? value.parts : [{ text: String(value), isValue: true }]
  })
  return new PromptText(parts)
}

/** Prompts one under another, a blank line between them. */
export function stacked(prompts: readonly PromptText[]): PromptText {
  return new PromptText(
    prompts.flatMap(({ parts }, i) => [...(i === 0 ? [] : [{ text: '\n\n', isValue: false }]), ...parts]),
  )
}

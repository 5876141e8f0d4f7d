// MultiTurnPrompt: the slots of the paper in its order, those that are wanted, with what fills them.

import { type PromptText, quote } from '../../prompting/data/prompt.ts'
import type { Case } from './cases.ts'
import { type Profile, writeProfile } from './profile.ts'
import type { SingleTurn } from './single-turns.ts'
import { type CaseSummary, quotedCase } from './summaries.ts'
import type { Therapy } from './therapy.ts'
import type { Language } from './turns.ts'
import type { PsydtWordings } from './wording-slots.ts'
import { filled, stacked } from './wordings.ts'

/** What fills the slots. What is absent has none. */
export interface SlotValues {
  readonly case: Case
  readonly summary: CaseSummary
  readonly record: SingleTurn
  readonly profile?: Profile
  readonly language: Language
  readonly wordings: PsydtWordings
}

/** Stages as a numbered list. */
export const writeStages = ({ stages }: Therapy): string => stages.map((stage, i) => `${i + 1}. ${stage}`).join('\n')

/** The slots that say who the counsellor is: case, style, role, emotion guide, strategy. */
export function counsellorSlots(values: SlotValues, role: string = values.wordings.slots.role): PromptText[] {
  const { case: one, summary, language, wordings } = values
  const { slots } = wordings
  const { style, therapy } = summary
  return [
    filled(slots.case, { topic: one.topic, case: quotedCase(one, language) }),
    ...(style === undefined ? [] : [filled(slots.style, { style: quote(style, { name: 'style' }) })]),
    filled(role, {}),
    filled(slots.emotion, {}),
    ...(therapy === undefined
      ? []
      : [
          filled(slots.strategy, {
            name: therapy.name,
            about: therapy.about,
            stages: quote(writeStages(therapy), { name: 'stages' }),
          }),
        ]),
  ]
}

/** The whole prompt, for a dialogue in lines or in JSON. */
export function multiTurnPrompt(
  values: SlotValues,
  { turns: [min, max], form }: { turns: readonly [number, number]; form: 'lines' | 'json' },
): PromptText {
  const { record, profile, language, wordings } = values
  const { slots } = wordings
  const { topic = '', title, detail, answer } = record
  const written = String(filled(wordings.record, { topic, title, detail, answer }))
  return stacked([
    ...counsellorSlots(values),
    filled(slots.record, { record: quote(written, { name: 'record' }) }),
    ...(profile === undefined
      ? []
      : [
          filled(slots.personality, {
            personality: quote(writeProfile(profile, wordings, language), { name: 'personality' }),
          }),
        ]),
    filled(slots.response, { min, max }),
    filled(slots[form], {}),
  ])
}

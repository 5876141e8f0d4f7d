// A client's personality by the Big Five, as the teacher reads it out of a question (CliPerPrompt).

import { z } from 'zod'
import type { Schema } from '../../prompting/base/schema.ts'
import { quote } from '../../prompting/data/prompt.ts'
import type { RowTools } from '../../synth/recipe.ts'
import { askTyped, withRefusals } from './ask-teacher.ts'
import type { SingleTurn } from './single-turns.ts'
import { LEVELS, type Level, type PsydtWordings, TRAITS, type Trait } from './wording-slots.ts'
import { filled } from './wordings.ts'

/** How much of each of the Big Five somebody has. */
export type Profile = Readonly<Record<Trait, Level>>

const level = z.enum(LEVELS)
const PROFILE: Schema<Profile> = z.object({
  openness: level,
  conscientiousness: level,
  extraversion: level,
  agreeableness: level,
  neuroticism: level,
})

/** Asks what the writer of a question is like. */
export function profileOf({ title, detail }: SingleTurn, tools: RowTools, wordings: PsydtWordings): Promise<Profile> {
  const problem = quote(String(filled(wordings.problem, { title, detail })).trim(), { name: 'problem' })
  const asked = filled(wordings.profile, { problem })
  return tools.attempt((refused) => askTyped(tools, withRefusals(asked, wordings.again, refused), PROFILE))
}

/** A profile in words. */
export function writeProfile(profile: Profile, { traits }: PsydtWordings, language: 'zh' | 'en'): string {
  return TRAITS.map((trait) => traits[trait][profile[trait]]).join(language === 'zh' ? '；' : '; ')
}

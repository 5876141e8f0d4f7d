// The other way to a dialogue: two agents turn by turn. The client's profile, problem and resistance are its own; the counsellor knows only
// what was said. What the counsellor does moves the resistance, and the resistance holds back the stages of the therapy.

import { z } from 'zod'
import type { Schema } from '../../prompting/base/schema.ts'
import { type PromptText, quote } from '../../prompting/data/prompt.ts'
import { Refused, type RowTools } from '../../synth/recipe.ts'
import { askText, askTyped, withRefusals } from './ask-teacher.ts'
import { type DialogueLimits, faultOfForm, faultsOfContent } from './check-dialogue.ts'
import { counsellorSlots, type SlotValues } from './multi-turn-prompt.ts'
import { type Profile, writeProfile } from './profile.ts'
import { readLines, type Turn, writeLines } from './turns.ts'
import { DEEDS, type Deed } from './wording-slots.ts'
import { filled, stacked } from './wordings.ts'

/** What was hidden while a dialogue was made, one entry for each turn of the client. */
export interface HiddenStates {
  /** Resistance 0 to 4, as it was when the client spoke. */
  readonly resistance: readonly number[]
  /** What the counsellor's turn before did, as the client took it; null at the beginning. */
  readonly deeds: readonly (Deed | null)[]
  /** The stage of the therapy that the counsellor's answer was in, from 0. */
  readonly stages: readonly number[]
}

const MOST_RESISTANCE = 4
/** Up to here a client goes along into the next stage. */
const GOES_ALONG = 2

const clamped = (resistance: number): number => Math.min(MOST_RESISTANCE, Math.max(0, resistance))

/** Resistance at the beginning: 2, more where the client is anxious or guarded, less where calm or friendly. */
export function resistanceAtFirst(profile: Profile | undefined): number {
  if (profile === undefined) return 2
  const { neuroticism, agreeableness } = profile
  const of = { low: -1, medium: 0, high: 1 } as const
  return clamped(2 + of[neuroticism] - of[agreeableness])
}

/** Resistance after what the counsellor did in a stage, from 0. */
export function resistanceAfter(deed: Deed, resistance: number, stage: number): number {
  // Being doubted closes a guarded client further; advice does so before the counsellor has listened.
  const change: Record<Deed, number> = {
    understood: -1,
    asked: 0,
    explained: 0,
    challenged: resistance > GOES_ALONG ? 1 : 0,
    advised: stage === 0 ? 1 : 0,
    ignored: 2,
  }
  return clamped(resistance + change[deed])
}

const REPLY: Schema<{ counsellor: Deed; reply: string }> = z.object({
  counsellor: z.enum(DEEDS),
  reply: z.string().min(1),
})

/** Lets the two talk. `turns` of the client are aimed at; more come where the client holds back, up to the most that `limits` allow. */
export async function talk(
  tools: RowTools,
  values: SlotValues,
  { turns: aimed, limits }: { turns: number; limits: DialogueLimits },
): Promise<{ turns: Turn[]; hidden: HiddenStates }> {
  const { summary, profile, record, language, wordings } = values
  const { agents, again } = wordings
  const stages = summary.therapy?.stages ?? ['']
  const perStage = Math.max(1, Math.round(aimed / stages.length))
  const turns: Turn[] = []
  const hidden = { resistance: [] as number[], deeds: [] as (Deed | null)[], stages: [] as number[] }
  let [stage, inStage, resistance] = [0, 0, resistanceAtFirst(profile)]
  const said = (): PromptText => quote(writeLines(turns, language), { name: 'said' })
  const own = {
    problem: quote(String(filled(wordings.problem, { title: record.title, detail: record.detail })).trim(), {
      name: 'problem',
    }),
    personality: profile === undefined ? '' : writeProfile(profile, wordings, language),
  }
  const client = async (): Promise<void> => {
    const feeling = (): string => agents.resistance[resistance]!
    if (turns.length === 0) {
      const asked = filled(agents.opening, { ...own, resistance: feeling() })
      const text = await tools.attempt(async (refused) =>
        checked(await askText(tools, withRefusals(asked, again, refused))),
      )
      turns.push({ speaker: 'client', text })
      hidden.deeds.push(null)
    } else {
      const asked = filled(agents.client, { ...own, resistance: feeling(), stage: stages[stage]!, said: said() })
      const { counsellor: deed, reply } = await tools.attempt(async (refused) => {
        const value = await askTyped(tools, withRefusals(asked, again, refused), REPLY)
        return { ...value, reply: checked(value.reply) }
      })
      resistance = resistanceAfter(deed, resistance, stage)
      turns.push({ speaker: 'client', text: reply })
      hidden.deeds.push(deed)
    }
    hidden.resistance.push(resistance)
  }
  /** A turn that does not fit after those before it is asked for again by itself, not with all others. */
  const checked = (written: string): string => {
    const speaker = turns.length % 2 === 0 ? 'client' : 'counsellor'
    const { turns: marked, head } = readLines(written)
    if (marked.length > 1 || (marked.length === 1 && (head.length > 0 || marked[0]!.speaker !== speaker)))
      throw new Refused(`more than the ${speaker}'s own words`, written)
    const text = marked[0]?.text ?? written.trim()
    const now: Turn[] = [...turns, { speaker, text }]
    const whole: Turn[] = speaker === 'client' ? [...now, { speaker: 'counsellor', text: '1' }] : now
    const form = faultOfForm(whole, [1, limits.turns[1]])
    const faults =
      form === undefined ? faultsOfContent(now, { case: values.case.turns, record, language }, limits) : [form]
    if (faults.length > 0) throw new Refused(faults.join('; '), written)
    return text
  }
  for (;;) {
    await client()
    const count = (turns.length + 1) / 2
    // A stage is over when it has had its turns and the client goes along.
    if (inStage >= perStage && resistance <= GOES_ALONG && stage < stages.length - 1) [stage, inStage] = [stage + 1, 0]
    inStage++
    const isDone = stage === stages.length - 1 && inStage >= perStage && count >= limits.turns[0]
    const isLast = isDone || count === limits.turns[1]
    const now = isLast ? `${stages[stage]!}\n${agents.closing}` : stages[stage]!
    const asked = stacked([
      ...counsellorSlots(values, agents.role),
      filled(agents.counsellor, { stage: now, said: said() }),
    ])
    const text = await tools.attempt(async (refused) =>
      checked(await askText(tools, withRefusals(asked, again, refused))),
    )
    turns.push({ speaker: 'counsellor', text })
    hidden.stages.push(stage)
    if (isLast) return { turns, hidden }
  }
}

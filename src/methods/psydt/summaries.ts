// What is made of each real case before any dialogue: how the counsellor talks, and which therapy it is (Algorithm 1, lines 1 to 5).

import { z } from 'zod'
import type { Schema } from '../../prompting/base/schema.ts'
import { isDryRun } from '../../prompting/base/trace.ts'
import type { PromptText } from '../../prompting/data/prompt.ts'
import { quote } from '../../prompting/data/prompt.ts'
import { Refused, type RowTools } from '../../synth/recipe.ts'
import { askText, askTyped, withRefusals } from './ask-teacher.ts'
import type { Case } from './cases.ts'
import { foreignShare } from './foreign-share.ts'
import type { KnowledgeBase } from './knowledge.ts'
import type { Therapy } from './therapy.ts'
import { type Language, writeLines } from './turns.ts'
import type { PsydtWordings } from './wording-slots.ts'
import { filled } from './wordings.ts'

/** What is known of a case; what was refused of it is known, too, and refuses the rows that need it. */
export interface CaseSummary {
  readonly style?: string
  readonly therapy?: Therapy
  readonly refused?: string
}

/** What summaries are made with. */
export interface SummaryOptions {
  readonly language: Language
  readonly wordings: PsydtWordings
  readonly knowledge: KnowledgeBase
  /** Which of the two are wanted. */
  readonly wants: { readonly style: boolean; readonly technique: boolean }
}

/** A case between marks. */
export const quotedCase = ({ turns }: Case, language: Language): PromptText =>
  quote(writeLines(turns, language), { name: 'case' })

/** Asks for both, in the paper's order. */
export async function summarise(one: Case, tools: RowTools, options: SummaryOptions): Promise<CaseSummary> {
  const { language, wordings, knowledge, wants } = options
  const shown = quotedCase(one, language)
  const style = async (): Promise<string> =>
    tools.attempt(async (refused) => {
      const text = await askText(tools, withRefusals(filled(wordings.style, { case: shown }), wordings.again, refused))
      // What is made up in a dry run is in no language.
      if (!isDryRun() && foreignShare(text, language) > 0.5) throw new Refused('a summary in another language', text)
      return text
    })
  const therapy = async (): Promise<Therapy> => {
    const types = knowledge.therapies.map(({ type, name, about }) =>
      String(filled(wordings.typeLine, { type, name, about })),
    )
    const asked = filled(wordings.therapy, { case: shown, types: types.join('\n') })
    const { type } = await tools.attempt((refused) =>
      askTyped(tools, withRefusals(asked, wordings.again, refused), typeSchema(knowledge)),
    )
    return knowledge.retrieve(type)
  }
  try {
    const [said, type] = await allOf<string | Therapy | undefined>([
      wants.style ? style() : Promise.resolve(undefined),
      wants.technique ? therapy() : Promise.resolve(undefined),
    ])
    return {
      ...(said !== undefined && { style: said as string }),
      ...(type !== undefined && { therapy: type as Therapy }),
    }
  } catch (error) {
    if (!(error instanceof Refused)) throw error
    return { refused: error.message }
  }
}

/** What all of these come to, once none of them is under way any more. An end of the run is thrown before a refusal, which is of one case only. */
export async function allOf<T>(promises: readonly Promise<T>[]): Promise<T[]> {
  const settled = await Promise.allSettled(promises)
  const failed = settled.filter((one) => one.status === 'rejected').map(({ reason }) => reason as unknown)
  if (failed.length > 0) throw failed.find((reason) => !(reason instanceof Refused)) ?? failed[0]
  return Promise.all(promises)
}

const typeSchema = ({ types }: KnowledgeBase): Schema<{ type: string }> =>
  z.object({ type: z.enum(types as [string, ...string[]]) })

// A model that says how much answers are in the style of somebody: a second opinion beside counted features, with its own taste.

import { z } from 'zod'
import type { StyleJudge } from '../../eval/tasks/suite-options.ts'
import { AnswerError, type Model } from '../../prompting/base/model.ts'
import { prompt, quote } from '../../prompting/data/prompt.ts'

const Judged = z.object({ score: z.number().int().min(1).max(5) })
const AT_ONCE = 8

/** Asks for a score from 1 to 5 and gives it as 0 to 1; nothing where the model does not answer with one. */
export function styleJudge(model: Model): StyleJudge {
  return async (asked, { signal } = {}) => {
    const scores: (number | undefined)[] = []
    for (let begin = 0; begin < asked.length; begin += AT_ONCE) {
      const batch = asked.slice(begin, begin + AT_ONCE).map(async ({ answer, reference }) => {
        const turns = quote(reference.join('\n\n'), { name: 'turns' })
        const question = prompt`Here are turns of one counsellor.\n\n${turns}\n\nHere is another turn.\n\n${quote(answer, { name: 'turn' })}\n\nHow likely is it that the same counsellor said it? Look at how it is said: length, questions, how it begins, words; not at what it is about. Answer with a score from 1 (somebody else) to 5 (the same).`
        try {
          const { score } = await model.ask(question, {
            as: Judged,
            temperature: 0,
            maxTokens: 40,
            ...(signal !== undefined && { signal }),
          })
          return (score - 1) / 4
        } catch (error) {
          if (error instanceof AnswerError) return undefined
          throw error
        }
      })
      scores.push(...(await Promise.all(batch)))
    }
    return scores
  }
}

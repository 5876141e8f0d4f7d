// A counselling service of whatever model it is given, with what such a service must not be without: messages of people in danger get a
// help text in place of the model's answer, nothing is diagnosed, no medicine is advised, and every answer says what it comes from.
// It is for research: it is no treatment, and the rules do not find everybody who needs help.
//   anneal service examples/counselling.mjs counsel --model runs/demo/model --message 'I cannot sleep.'
//   anneal serve --model runs/demo/model --services examples/counselling.mjs
import { guard, rules } from 'anneal/prompting'
import { service } from 'anneal/prompting/service'
import { z } from 'zod'

const DISCLAIMER =
  'I am a computer program and no therapist; what I say can be wrong. If you are in danger, call the emergency number where you are.'
const Turn = z.object({ role: z.enum(['user', 'assistant']), content: z.string().max(8000) })

/** @param {import('anneal/prompting').Model} model */
export default (model) => {
  const safe = guard(model, {
    input: [rules.crisis(), rules.noDiagnosis()],
    output: [rules.noDiagnosis()],
  })
  return [
    service('counsel', {
      description: 'An answer as a counsellor would give it. For research; no treatment.',
      input: z.object({
        message: z.string().min(1).max(8000).describe('What the client says'),
        history: z.array(Turn).max(100).default([]).describe('The turns before it'),
      }),
      output: z.string(),
      async *run({ message, history }, { signal }) {
        const system = {
          role: 'system',
          content: 'You are a counsellor. Listen, ask one question at a time, and give no diagnosis.',
        }
        yield* safe.stream([system, ...history, { role: 'user', content: message }], { maxTokens: 300, signal })
        yield `\n\n${DISCLAIMER}`
      },
    }),
  ]
}

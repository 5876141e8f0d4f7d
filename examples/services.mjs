// Two services, made of whatever model they are given:
//   anneal service examples/services.mjs sort-mail --model runs/demo/model --mail 'Where is my parcel?'
//   anneal service examples/services.mjs --model runs/demo/model --mcp
//   anneal serve --model runs/demo/model --services examples/services.mjs
import { mapReduce, prompt, quote } from 'anneal/prompting'
import { splitText } from 'anneal/prompting/data'
import { service } from 'anneal/prompting/service'
import { z } from 'zod'

const Sorted = z.object({
  kind: z.enum(['order', 'complaint', 'question', 'other']),
  urgent: z.boolean(),
})

/** @param {import('anneal/prompting').Model} model */
export default (model) => [
  service('sort-mail', {
    description: 'What a mail is about, and whether it is urgent.',
    input: z.object({ mail: z.string().min(1).max(20_000).describe('The text of the mail') }),
    output: Sorted,
    run: ({ mail }, { signal }) =>
      model.ask(prompt`Sort this mail.\n\n${quote(mail, { name: 'mail' })}`, { as: Sorted, maxTokens: 60, signal }),
  }),
  service('ask-document', {
    description: 'Answers a question about a document of any length, part by part.',
    input: z.object({
      document: z.string().min(1).describe('Its text'),
      question: z.string().min(1).max(500),
      size: z.number().int().min(50).max(100_000).default(4000).describe('Characters of a part'),
    }),
    output: z.object({ answer: z.string(), parts: z.number().int() }),
    run: async ({ document, question, size }, { signal }) => {
      const parts = splitText(document, { size }).map(({ text }) => text)
      const answer = await mapReduce(parts, {
        model,
        map: (part) =>
          prompt`Quote what helps to answer the question, or say NONE.\n\n${quote(part)}\n\nQuestion: ${question}`,
        keep: (note) => note.trim() !== '' && !note.includes('NONE'),
        reduce: (notes) =>
          prompt`Answer from these notes.\n\n${quote(notes.join('\n'), { name: 'notes' })}\n\nQuestion: ${question}`,
        ask: { maxTokens: 200, signal },
      })
      return { answer, parts: parts.length }
    },
  }),
]

// Asks every question without documents and with them, and how sure the model is of the first answer.
import type { GateRecord, RecordedAnswer } from '../../eval/gates/gate-record.ts'
import { entropyOf } from '../../eval/gates/uncertainty.ts'
import { collect, type Generation, type Lm } from '../../lm/lm.ts'
import { quote } from '../../prompting/data/prompt.ts'
import type { Retriever } from '../../retrieve/document.ts'
import { Count, turn, type Watch } from '../../work.ts'
import type { GateQuestionRow } from './gate-questions.ts'

/** How questions are put. */
export interface AskOptions {
  /** What finds documents for questions that have none with them. */
  retriever?: Retriever
  /** Documents at most. Default 1, as the paper's code has it. */
  k?: number
  /** Before everything: examples, each ended as the questions are. Default none. */
  examples?: string
  /** Default 15, PopQA's. */
  maxNewTokens?: number
}

const TOP = 20

/**
 * One record for each question, greedy, as `Q: … A:`, up to the end of the line. Documents stand quoted before the question. P(true) is
 * read off the probabilities of ` Yes` and ` No` behind the question whether the proposed answer is right.
 */
export async function recordAnswers(
  lm: Lm,
  questions: readonly GateQuestionRow[],
  { retriever, k = 1, examples = '', maxNewTokens = 15 }: AskOptions,
  watch: Watch = {},
): Promise<GateRecord[]> {
  const count = new Count(watch, { label: 'asking', unit: 'questions', total: questions.length })
  const records: GateRecord[] = []
  const ask = (prompt: string): Promise<Generation> =>
    collect(lm.generate({ prompt, maxNewTokens, temperature: 0, stop: ['\n'], topLogprobs: TOP }))
  for (const { passages, ...question } of questions) {
    const asked = `Q: ${question.question} A:`
    const closed = await ask(`${examples}${asked}`)
    const found = passages?.slice(0, k) ?? (await retriever?.search(question.question, { k }))?.map(({ text }) => text)
    const quoted = (found ?? []).map((text) => `${quote(text, { name: 'document' })}\n`).join('')
    const retrieved = quoted === '' ? closed : await ask(`${examples}${quoted}${asked}`)
    const pTrue = await probabilityTrue(lm, question.question, closed.text.trim())
    records.push({ ...question, closed: { ...told(closed), pTrue }, retrieved: { text: retrieved.text } })
    count.add(1)
    await turn(watch)
  }
  return records
}

function told({ text, logprobs = [] }: Generation): RecordedAnswer {
  return {
    text,
    logprobs: logprobs.map(({ logprob }) => logprob),
    entropies: logprobs.map(({ top }) => entropyOf(top.map(({ logprob }) => logprob))),
  }
}

/** p(yes) / (p(yes) + p(no)). */
async function probabilityTrue(lm: Lm, question: string, answer: string): Promise<number> {
  const ids = lm.encode({ prompt: `Question: ${question}\nProposed answer: ${answer}\nIs the proposed answer right?` })
  const ends = [' Yes', ' No'].map((text) => lm.encode({ prompt: text, addSpecialTokens: false }))
  const scores = await lm.score(
    ends.map((end) => [...ids, ...end]),
    { from: ends.map(() => ids.length) },
  )
  const [yes, no] = scores.map((places) =>
    places.slice(ids.length).reduce<number>((sum, value) => sum + (value ?? 0), 0),
  )
  return 1 / (1 + Math.exp(no! - yes!))
}

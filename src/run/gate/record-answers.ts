// Asks every question without documents and with them, and how sure the model is of the first answer.
import type {
  GateRecord,
  RecordedAnswer,
  RecordedCheck,
  SelfCheck,
  Spent,
  SpentOn,
} from '../../eval/gates/gate-record.ts'
import { entropyOf } from '../../eval/gates/uncertainty.ts'
import { collect, type Generation, type Lm } from '../../lm/lm.ts'
import { filled, WORDINGS } from '../../prompting/base/wordings.ts'
import { quote } from '../../prompting/data/prompt.ts'
import { counted } from '../../report/amounts.ts'
import type { Retriever } from '../../retrieve/document.ts'
import { Count, turn, type Watch } from '../../work.ts'
import type { GateQuestionRow } from './gate-questions.ts'

/** How questions are put. */
export interface AskOptions {
  /** What finds documents for questions that have none with them. */
  retriever?: Retriever
  /** Documents at most. Default 1, as the paper's code has it. */
  k?: number
  /** Before everything, or before each question: examples, each ended as the questions are. Default none. */
  examples?: string | readonly string[]
  /** Default 15, PopQA's. */
  maxNewTokens?: number
  /** How the model is asked, besides, whether it has to look something up. Default not at all. */
  checks?: readonly SelfCheck[]
  /** The day that `taare` tells the model, as a text. Default today's, in the form 2026-01-31. */
  today?: string
  /** Hears of each record as soon as it is there. */
  onRecord?: (record: GateRecord) => void
}

const TOP = 20
/** RetrievalQA's. */
const CHECK_TOKENS = 5

/**
 * One record for each question, greedy, as `Q: … A:`, up to the end of the line. Documents stand quoted before the question. P(true) is
 * read off the probabilities of ` Yes` and ` No` behind the question whether the proposed answer is right.
 */
export async function recordAnswers(
  lm: Lm,
  questions: readonly GateQuestionRow[],
  options: AskOptions,
  watch: Watch = {},
): Promise<GateRecord[]> {
  const { retriever, k = 1, examples = '', maxNewTokens = 15, checks = [] } = options
  const { today = new Date().toISOString().slice(0, 10), onRecord } = options
  const count = new Count(watch, { label: 'asking', unit: 'questions', total: questions.length })
  const records: GateRecord[] = []
  const tooLong = new Set<SelfCheck>()
  let cut = 0
  for (const [i, { passages, ...question }] of questions.entries()) {
    const spent: Partial<Record<SpentOn, Spent>> = {}
    const ask = async (prompt: string, on: SpentOn, most = maxNewTokens): Promise<Generation> => {
      const began = performance.now()
      const logprobs = on === 'closed' ? { topLogprobs: TOP } : {}
      const request = { prompt, maxNewTokens: most, temperature: 0, stop: ['\n'], ...logprobs }
      const made = await collect(lm.generate({ ...request, ...(watch.signal && { signal: watch.signal }) }))
      watch.signal?.throwIfAborted()
      const { promptTokens, completionTokens } = made.usage
      spent[on] = { seconds: secondsSince(began), promptTokens, newTokens: completionTokens }
      return made
    }
    const yes = async (prompt: string, on: SpentOn): Promise<number> => {
      const began = performance.now()
      const { probability, tokens } = await probabilityYes(lm, prompt)
      spent[on] = { seconds: secondsSince(began), promptTokens: tokens, newTokens: 0 }
      return probability
    }
    const before = typeof examples === 'string' ? examples : examples[i]!
    const asked = `Q: ${question.question} A:`
    const closed = await ask(`${before}${asked}`, 'closed')
    const began = performance.now()
    const found = passages?.slice(0, k) ?? (await retriever?.search(question.question, { k }))?.map(({ text }) => text)
    spent.search = { seconds: secondsSince(began), promptTokens: 0, newTokens: 0 }
    const { prompt: full, isCut } = withDocuments(found ?? [], (quoted) => {
      const prompt = `${before}${quoted}${asked}`
      return { prompt, over: lm.encode({ prompt }).length + maxNewTokens - lm.contextLength }
    })
    if (isCut) cut++
    const isAlone = found === undefined || found.length === 0
    const retrieved = isAlone ? closed : await ask(full, 'retrieved')
    if (isAlone) spent.retrieved = spent.closed!
    const answer = closed.text.trim()
    const pTrue = await yes(filled(WORDINGS.isRight, { question: question.question, answer }), 'p-true')
    const said: Partial<Record<SelfCheck, RecordedCheck>> = {}
    for (const kind of checks) {
      const prompt = filled(WORDINGS[kind], { question: question.question, today })
      if (lm.encode({ prompt }).length + CHECK_TOKENS > lm.contextLength) {
        tooLong.add(kind)
        continue
      }
      said[kind] = { yes: await yes(prompt, kind), text: (await ask(prompt, `${kind} text`, CHECK_TOKENS)).text }
    }
    const record: GateRecord = {
      ...question,
      closed: { ...told(closed), pTrue },
      retrieved: { text: retrieved.text },
      ...(checks.length > 0 && { checks: said }),
      spent,
    }
    records.push(record)
    onRecord?.(record)
    count.add(1)
    await turn(watch)
  }
  const notice = (message: string): void => watch.tell?.({ type: 'notice', message })
  const context = `the model's context of ${lm.contextLength} tokens`
  if (cut > 0) notice(`the documents of ${counted(cut, 'question')} were cut at their end, to go into ${context}`)
  for (const kind of tooLong) notice(`${kind}: left out where its prompt does not go into ${context}`)
  return records
}

/** Documents quoted before a question; where they are too long the last one is cut at its end, and then the one before it. */
function withDocuments(
  documents: readonly string[],
  made: (quoted: string) => { prompt: string; over: number },
): { prompt: string; isCut: boolean } {
  const texts = [...documents]
  for (let isCut = false; ; isCut = true) {
    const { prompt, over } = made(texts.map((text) => `${quote(text, { name: 'document' })}\n`).join(''))
    const last = texts.findLastIndex((text) => text !== '')
    if (over <= 0 || last < 0) return { prompt, isCut }
    // A token is seldom shorter than a character: what is still too long is cut again.
    texts[last] = texts[last]!.slice(0, Math.max(0, texts[last]!.length - over)).trimEnd()
  }
}

const secondsSince = (began: number): number => (performance.now() - began) / 1000

function told({ text, logprobs = [] }: Generation): RecordedAnswer {
  return {
    text,
    logprobs: logprobs.map(({ logprob }) => logprob),
    entropies: logprobs.map(({ top }) => entropyOf(top.map(({ logprob }) => logprob))),
  }
}

/** p(yes) / (p(yes) + p(no)), and how many tokens were read for it; the second reading has the prompt from the cache. */
async function probabilityYes(lm: Lm, prompt: string): Promise<{ probability: number; tokens: number }> {
  const ids = lm.encode({ prompt })
  const ends = [' Yes', ' No'].map((text) => lm.encode({ prompt: text, addSpecialTokens: false }))
  const scores = await lm.score(
    ends.map((end) => [...ids, ...end]),
    { from: ends.map(() => ids.length) },
  )
  const [yes, no] = scores.map((places) =>
    places.slice(ids.length).reduce<number>((sum, value) => sum + (value ?? 0), 0),
  )
  const tokens = ids.length + Math.max(...ends.map(({ length }) => length))
  return { probability: 1 / (1 + Math.exp(no! - yes!)), tokens }
}

// What others say of continuations before they are counted: how toxic each is, whether it is in the right language, what it says anew, and how
// fluent a judge finds it. Samples keep it, so that it is counted again without them.

import { AnnealError } from '../../../errors.ts'
import { Count, turn, type Watch } from '../../../work.ts'
import { judgeContinuations } from '../../judge.ts'
import { distinctShares, isRepeated } from '../../metrics/distinct.ts'
import { answerLines } from '../../metrics/language-lines.ts'
import type { AnnotateOptions, Annotations, Answered } from '../../task-config.ts'
import type { ToxicityScorer } from '../../toxicity/scorer.ts'
import type { SuiteOptions } from '../suite-options.ts'
import { identifierFor } from './read-prompts.ts'

/** Texts that are scored before how far it is is told. */
const BATCH = 64

/** One continuation, looked at. */
export interface Look {
  isEmpty: boolean
  isRepeated: boolean
  /** Lines long enough to tell a language, and those of them in the right one. */
  lines: number
  right: number
  hasEnglish?: boolean
  /** Of the model, words where it does not tell them; absent in what was looked at before this was counted. */
  tokens?: number
  /** Of 1-, 2- and 3-grams; absent where there are no tokens. */
  distinct?: readonly number[]
  /** Null where the scorer failed; absent where there is nothing to score. */
  toxicity?: number | null
  perplexity?: number
  bitsPerByte?: number
}

/** A scorer, the languages that it is asked about, and those of them in which it had no score at all. */
export interface ScorerOfLanguages {
  scorer: ToxicityScorer
  languages: readonly string[]
  silent: Set<string>
}

/** Makes a task's `annotate`: `looks`, one for each answer. */
export function lookAt(task: string, language: string, options: SuiteOptions, scorer?: ScorerOfLanguages) {
  return async (answered: readonly Answered[], { encode, tell, signal }: AnnotateOptions): Promise<Annotations[]> => {
    const identifier = await identifierFor(options, language, task)
    const tokens = encode ?? ((text: string) => text.split(/\s+/).filter((word) => word !== ''))
    if (encode === undefined)
      options.notice?.(`task ${task}: the model does not tell its tokens, so what is said anew is counted in words`)
    const looks = answered.map(({ doc, answers }) => {
      const prompt = tokens(String(doc.prompt))
      return answers.map((text): Look => {
        const own = tokens(text)
        const distinct = distinctShares(prompt, own)
        return {
          isEmpty: text.trim() === '',
          isRepeated: isRepeated(own),
          tokens: own.length,
          ...answerLines(text, language, identifier, options.englishWords),
          ...(distinct !== undefined && { distinct }),
        }
      })
    })
    if (scorer !== undefined)
      await addToxicity(task, language, answered, looks, scorer, options.notice, { tell, signal })
    if (options.judge !== undefined) await addFluency(answered, looks, options, signal)
    return looks.map((each) => ({ looks: each }))
  }
}

/** Every text that is not empty is scored once. A language that the scorer knows nothing of is told; AnnealError where that is every one. */
async function addToxicity(
  task: string,
  language: string,
  answered: readonly Answered[],
  looks: readonly Look[][],
  { scorer, languages, silent }: ScorerOfLanguages,
  notice: SuiteOptions['notice'],
  watch: Watch,
): Promise<void> {
  const texts = [...new Set(answered.flatMap(({ answers }) => answers.filter((text) => text.trim() !== '')))]
  const scores: (number | undefined)[] = []
  const done = new Count(watch, { label: `scoring ${language}`, unit: 'texts', total: texts.length })
  for (let start = 0; start < texts.length; start += BATCH) {
    const batch = texts.slice(start, start + BATCH)
    scores.push(...(await scorer.score(batch, { language, signal: watch.signal })))
    done.add(batch.length)
    await turn(watch)
  }
  if (texts.length > 0 && !scores.some(Number.isFinite)) {
    silent.add(language)
    if (silent.size === languages.length)
      throw new AnnealError(
        `task ${task}: expected scores from the scorer ${scorer.name}, got none for any text in ${languages.join(', ')}. Check that it works and knows the language`,
      )
    notice?.(
      `task ${task}: ${scorer.name} has no score for any of ${texts.length} texts in ${language}: there is no figure of it`,
    )
  }
  const known = new Map(texts.map((text, i) => [text, Number.isFinite(scores[i]) ? scores[i]! : null]))
  for (const [i, { answers }] of answered.entries())
    for (const [j, text] of answers.entries()) if (known.has(text)) looks[i]![j]!.toxicity = known.get(text)!
}

async function addFluency(
  answered: readonly Answered[],
  looks: readonly Look[][],
  { judge }: SuiteOptions,
  signal: AbortSignal | undefined,
): Promise<void> {
  const asked = answered.flatMap(({ doc, answers }, i) =>
    answers.flatMap((text, j) => {
      const look = looks[i]![j]!
      return look.isEmpty || !isRight(look) ? [] : [{ look, prompt: String(doc.prompt), text }]
    }),
  )
  const judged = await judgeContinuations(judge!, asked, signal)
  for (const [i, { look }] of asked.entries()) Object.assign(look, judged[i])
}

/** In the right language; what is too short to tell is. */
export const isRight = ({ lines, right }: Look): boolean => lines === right

/** What an answer's `looks` are, of a document. */
export function looksOf(annotations: Annotations | undefined): readonly Look[] {
  if (Array.isArray(annotations?.looks)) return annotations.looks as readonly Look[]
  throw new Error('expected answers that were looked at, got none. Evaluate anew')
}

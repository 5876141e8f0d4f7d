// What is asked of a model of real text in each language: how toxic its continuations are by every scorer, with what tells a cure from a model
// that broke (the task `toxicity`), and how well it reads clean text.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { LanguageIdentifier } from '../../src/data/language/identifier.ts'
import { AnswerStore } from '../../src/eval/answer-store.ts'
import { evaluate } from '../../src/eval/evaluate.ts'
import { findTasks } from '../../src/eval/find-tasks.ts'
import { lmModel } from '../../src/eval/lm-model.ts'
import { resultsOf } from '../../src/eval/results.ts'
import { loadTask } from '../../src/eval/task.ts'
import { Lexicon } from '../../src/eval/toxicity/lexicon.ts'
import type { ToxicityScorer } from '../../src/eval/toxicity/scorer.ts'
import type { Engine } from '../../src/infer/engine.ts'
import { LANGUAGES } from './real-texts.ts'

/** Figures of the task, of one scorer. */
const OF_SCORER = [
  'emt_raw',
  'emt_masked',
  'emt_paper',
  'toxicity_probability',
  'toxicity',
  'missing_scores',
  'scorer_auc',
]
/** Those that are the same whoever scores. */
const OF_MODEL = ['right_language', 'empty', 'repeated', 'dist_1', 'dist_2', 'dist_3']

type Figures = Record<string, number | null>

export interface Measured {
  toxicity: Record<string, Figures>
  companions: Figures
  /** Of clean text that nothing was learnt from; null where there is none. */
  bits_per_byte: number | null
}

/** A language's words with the English ones, as a model that has learnt no others may use them anywhere. `measured` is of the English and Danish list. */
export function wordLists(data: string, { measured }: ToxicityScorer): ToxicityScorer {
  const lexicon = (language: string): Lexicon =>
    new Lexicon(
      [...new Set([language, 'en'])].flatMap((name) =>
        readFileSync(join(data, `toxicity/words/${name}.txt`), 'utf8').split(/\r?\n/),
      ),
    )
  const lists = new Map(LANGUAGES.map((language) => [language as string, lexicon(language)]))
  return { name: 'words', measured, score: (texts, { language = 'en' } = {}) => lists.get(language)!.score(texts) }
}

export async function measureModel(
  lm: Engine,
  data: string,
  prompts: number,
  scorers: Readonly<Record<string, ToxicityScorer>>,
  identifier: LanguageIdentifier,
  held: Readonly<Record<string, readonly string[]>>,
): Promise<Record<string, Measured>> {
  const result: Record<string, Measured> = {}
  const answers = new AnswerStore() // every scorer reads the same continuations
  for (const [name, scorer] of Object.entries(scorers)) {
    const { tasks, groups } = await findTasks(['toxicity'], { data: join(data, 'toxicity'), scorer, identifier })
    const loaded = await Promise.all(tasks.map((task) => loadTask(task)))
    const { results } = resultsOf(await evaluate(lmModel(lm), loaded, { answers, limit: prompts }), groups, 0)
    for (const language of LANGUAGES) {
      const found = results[`toxicity_${language}`]!
      const figures = (names: readonly string[]): Figures =>
        Object.fromEntries(names.map((each) => [each, (found[`${each},none`] as number | undefined) ?? null]))
      result[language] ??= {
        toxicity: {},
        companions: figures(OF_MODEL),
        bits_per_byte: held[language] === undefined ? null : await bitsPerByte(lm, held[language].slice(0, 100)),
      }
      result[language].toxicity[name] = figures(OF_SCORER)
    }
  }
  return result
}

async function bitsPerByte(lm: Engine, texts: readonly string[]): Promise<number> {
  const rows = texts.map((text) => lm.encode({ prompt: text }).slice(0, 128))
  const logprobs = await lm.score(rows)
  // The first token has no number; what the others say is counted in bytes.
  const bytes = rows.reduce((sum, ids) => sum + Buffer.byteLength(lm.decode(ids.slice(1))), 0)
  const nats = logprobs.flat().reduce<number>((sum, value) => sum - (value ?? 0), 0)
  return nats / Math.LN2 / bytes
}

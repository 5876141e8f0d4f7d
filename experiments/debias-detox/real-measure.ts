// What is asked of a model of real text in each language: how toxic its continuations are by every scorer, with what tells a cure from a model
// that broke (the task `toxicity`), and how well it reads clean text.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { LanguageIdentifier } from '../../src/data/language/identifier.ts'
import { AnswerStore } from '../../src/eval/answer-store.ts'
import { evaluate, type TaskRun } from '../../src/eval/evaluate.ts'
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
  /** Words of a continuation, and words of the list (each once a continuation) among a hundred: shorter texts have less room for either. */
  words: number
  listed_per_100_words: number
  /** Of clean text that nothing was learnt from; null where there is none. */
  bits_per_byte: number | null
}

/** A language's words with the English ones, as a model that has learnt no others may use them anywhere. */
function lexiconOf(data: string, language: string): Lexicon {
  const files = [...new Set([language, 'en'])].map((name) => join(data, `toxicity/words/${name}.txt`))
  return new Lexicon(files.flatMap((file) => readFileSync(file, 'utf8').split(/\r?\n/)))
}

/** The lists as one scorer. `measured` is of the English and Danish list. */
export function wordLists(data: string, { measured }: ToxicityScorer): ToxicityScorer {
  const lists = new Map(LANGUAGES.map((language) => [language as string, lexiconOf(data, language)]))
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
    const runs = await evaluate(lmModel(lm), loaded, { answers, limit: prompts })
    const { results } = resultsOf(runs, groups, 0)
    for (const language of LANGUAGES) {
      const found = results[`toxicity_${language}`]!
      const figures = (names: readonly string[]): Figures =>
        Object.fromEntries(names.map((each) => [each, (found[`${each},none`] as number | undefined) ?? null]))
      result[language] ??= {
        toxicity: {},
        companions: figures(OF_MODEL),
        ...lengths(runs.find(({ task }) => task.name === `toxicity_${language}`)!, lexiconOf(data, language)),
        bits_per_byte: held[language] === undefined ? null : await bitsPerByte(lm, held[language].slice(0, 100)),
      }
      result[language].toxicity[name] = figures(OF_SCORER)
    }
  }
  return result
}

function lengths({ samples }: TaskRun, lexicon: Lexicon): Pick<Measured, 'words' | 'listed_per_100_words'> {
  const texts = samples.flatMap(({ resps }) => resps.flat()) as string[]
  const words = texts.reduce((sum, text) => sum + text.split(/\s+/).filter(Boolean).length, 0)
  const listed = texts.reduce((sum, text) => sum + lexicon.found(text).length, 0)
  return { words: words / texts.length, listed_per_100_words: (100 * listed) / words }
}

async function bitsPerByte(lm: Engine, texts: readonly string[]): Promise<number> {
  const rows = texts.map((text) => lm.encode({ prompt: text }).slice(0, 128))
  const logprobs = await lm.score(rows)
  // The first token has no number; what the others say is counted in bytes.
  const bytes = rows.reduce((sum, ids) => sum + Buffer.byteLength(lm.decode(ids.slice(1))), 0)
  const nats = logprobs.flat().reduce<number>((sum, value) => sum - (value ?? 0), 0)
  return nats / Math.LN2 / bytes
}

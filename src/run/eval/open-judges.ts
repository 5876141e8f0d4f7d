// Who judges answers beside the tasks' own rules: a scorer of toxicity, an identifier of languages, a list of English words and another model.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { openLanguageIdentifier } from '../../data/language/identify-language.ts'
import { InputError, UsageError } from '../../errors.ts'
import { englishWords } from '../../eval/metrics/language-lines.ts'
import type { SuiteOptions } from '../../eval/tasks/suite-options.ts'
import { localModel } from '../../prompting/base/local-model.ts'
import type { Watch } from '../../work.ts'
import { loadEmbedder } from '../load-embedder.ts'
import { type LoadLmOptions, loadLm } from '../load-lm.ts'
import { openScorer } from '../open-scorer.ts'
import { resolveModelPath } from '../resolve-model.ts'
import { styleJudge } from './style-judge.ts'

/** Paths and names of judges, and what is judged. */
export interface JudgeOptions {
  /** Of the task `toxicity`: a list of words, a classifier's directory, or the address of a service. */
  scorer?: string | undefined
  /** The labels of a classifier that mean toxic; default: the one called toxic. */
  toxicLabels?: readonly string[] | undefined
  /** Of a service: requests in a second, at most. */
  requestsPerSecond?: number | undefined
  /** A file of `anneal language train`, or `eld`; default `eld`. */
  identifier?: string | undefined
  /** A file with an English word in a line, of the task `consistency`. */
  englishWords?: string | undefined
  /** A model that says how fluent continuations are, of the tasks `toxicity` and `diversity`, or how near answers are in style, of `style`. */
  judge?: string | undefined
  /** An encoder whose vectors BERTScore compares, of the task `style`. */
  encoder?: string | undefined
  /** Of the task `style`: which turns of a dialogue are answered, all, the last, or the first so many. Default `all`. */
  turns?: 'all' | 'last' | number | undefined
}

/** Which built-in tasks use which of them. */
const USED_BY: Readonly<Record<keyof JudgeOptions, readonly string[]>> = {
  scorer: ['toxicity'],
  toxicLabels: ['toxicity'],
  requestsPerSecond: ['toxicity'],
  identifier: ['toxicity', 'consistency', 'diversity'],
  englishWords: ['consistency'],
  judge: ['toxicity', 'diversity', 'style'],
  encoder: ['style'],
  turns: ['style'],
}

/** Opens what was named; `free` gives back what it holds. UsageError where none of the tasks uses it. */
export async function openJudges(
  options: JudgeOptions & { tasks: readonly string[]; outputPath?: string | undefined },
  loading: LoadLmOptions,
  watch?: Watch,
): Promise<{ judges: Omit<SuiteOptions, 'data' | 'notice'>; free: () => void }> {
  for (const [name, tasks] of Object.entries(USED_BY)) {
    const given = options[name as keyof JudgeOptions]
    const isFile = (task: string): boolean => /\.(?:ya?ml|[cm]?[jt]s)$/i.test(task) // may name built-in tasks
    if (given !== undefined && !options.tasks.some((task) => tasks.includes(task) || isFile(task)))
      throw new UsageError(
        `${name}: expected it with ${tasks.length > 1 ? 'one of the tasks' : 'the task'} ${tasks.join(', ')}, got only ${options.tasks.join(', ')}. Leave it out`,
      )
  }
  const opened: (() => void)[] = []
  const free = (): void => {
    for (const close of opened) close()
  }
  try {
    const { scorer, identifier, judge } = options
    const { device } = loading
    const found: { -readonly [K in keyof SuiteOptions]: SuiteOptions[K] } = {}
    if (identifier !== undefined) found.identifier = await openLanguageIdentifier(identifier)
    if (options.englishWords !== undefined) found.englishWords = readWords(options.englishWords)
    if (scorer !== undefined) {
      const { toxicLabels, requestsPerSecond, outputPath } = options
      const asked = {
        // Beside the models' folders: texts that two models say are scored once.
        ...(outputPath !== undefined && { scoresFile: join(outputPath, 'scores.jsonl') }),
        ...(toxicLabels !== undefined && { toxicLabels }),
        ...(requestsPerSecond !== undefined && { requestsPerSecond }),
        ...(device !== undefined && { device }),
      }
      const { scorer: one, close } = await openScorer(scorer, asked, watch)
      opened.push(close)
      found.scorer = one
    }
    if (judge !== undefined) {
      const lm = await loadLm(await resolveModelPath(judge, watch), loading)
      opened.push(() => lm.free())
      found.judge = lm
      if (options.tasks.includes('style')) {
        // Said before anything is generated.
        if (!lm.canChat)
          throw new UsageError(
            `judge: expected a model with a chat template for the task style, got ${judge}, which has none. Add chat_template.jinja to it`,
          )
        found.styleJudge = styleJudge(localModel(lm))
      }
    }
    if (options.encoder !== undefined) {
      const encoder = await loadEmbedder(options.encoder, device === undefined ? {} : { device })
      opened.push(() => encoder.free())
      found.encoder = encoder
    }
    return { judges: found, free }
  } catch (error) {
    free()
    throw error
  }
}

function readWords(file: string): ReadonlySet<string> {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (cause) {
    throw new InputError(
      `englishWords ${file}: expected a file with a word in a line, got ${(cause as Error).message}`,
      {
        cause,
      },
    )
  }
  const words = englishWords(text)
  if (words.size > 0) return words
  throw new InputError(
    `englishWords ${file}: expected words of at least four letters in lower case, one in a line, got none`,
  )
}

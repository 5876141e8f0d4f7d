// The name of a scorer of toxicity → the scorer: a list of words, a folder of such lists, a classifier's directory, or the address of a service.

import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { UsageError } from '../errors.ts'
import { httpScorer } from '../eval/toxicity/http-scorer.ts'
import { keepScores } from '../eval/toxicity/keep-scores.ts'
import { readLexicon } from '../eval/toxicity/lexicon.ts'
import { Lexicons, listsIn } from '../eval/toxicity/lexicons.ts'
import type { ScorerMeasurement, ToxicityScorer } from '../eval/toxicity/scorer.ts'
import type { Tell, Watch } from '../work.ts'
import type { TextLabeller } from './classification.ts'
import { openClassifier } from './load-classifier.ts'
import { resolveModelPath } from './resolve-model.ts'
import { readMeasurement } from './scorer-measurement.ts'

/** How a scorer is opened. */
export interface OpenScorerOptions {
  /** The labels of a classifier that mean toxic; of several, the probabilities are added. Default: the one called toxic, in any case. */
  toxicLabels?: readonly string[]
  device?: 'auto' | 'cpu' | 'cuda'
  /** Of a service: requests in a second, at most. Default 1. */
  requestsPerSecond?: number
  /** Of a service: a file that its scores go into as they come, and are taken from by a later run. */
  scoresFile?: string
  /** Texts at once of an encoder. Default 16. */
  batchSize?: number
}

/** A scorer that holds memory until it is given back. */
export interface OpenedScorer {
  scorer: ToxicityScorer
  close(): void
}

/** Opens `words.txt`, a folder with `da.txt` and others, `runs/toxic` or `https://…`, with what was measured of it. InputError for what is none of them. */
export async function openScorer(name: string, options: OpenScorerOptions = {}, watch?: Watch): Promise<OpenedScorer> {
  const { toxicLabels = [], device, requestsPerSecond } = options
  const isService = /^https?:\/\//i.test(name)
  const isFile = !isService && existsSync(name) && statSync(name).isFile()
  const isFolderOfLists =
    !isService && !isFile && existsSync(name) && !existsSync(join(name, 'config.json')) && listsIn(name).size > 0
  if ((isService || isFile || isFolderOfLists) && toxicLabels.length > 0)
    throw new UsageError(
      `toxicLabels: expected it with a classifier, got ${isService ? 'a service' : 'a list of words'}: ${name}. Leave it out`,
    )
  if (isService) {
    if (!URL.canParse(name)) throw new UsageError(`scorer: expected an address, got ${name}. Check it`)
    const service = httpScorer(name, requestsPerSecond === undefined ? {} : { requestsPerSecond })
    const { scoresFile } = options
    const notice = (message: string): void => watch?.tell?.({ type: 'notice', message })
    return { scorer: scoresFile === undefined ? service : keepScores(service, scoresFile, notice), close: () => {} }
  }
  if (requestsPerSecond !== undefined)
    throw new UsageError(`requestsPerSecond: expected it with the address of a service, got ${name}. Leave it out`)
  if (isFile) return { scorer: readLexicon(name, await readMeasurement(name, toxicLabels, watch)), close: () => {} }
  if (isFolderOfLists)
    return { scorer: new Lexicons(name, await readMeasurement(name, toxicLabels, watch)), close: () => {} }
  const directory = await resolveModelPath(name, watch)
  const measured = await readMeasurement(directory, toxicLabels, watch)
  const classifier = await openClassifier(directory, device === undefined ? {} : { device }, watch)
  try {
    const scorer = classifierScorer(classifier, {
      name,
      toxicLabels,
      measured,
      batchSize: options.batchSize,
      notice: (message) => watch?.tell?.({ type: 'notice', message }),
    })
    return { scorer, close: () => classifier.free() }
  } catch (error) {
    classifier.free()
    throw error
  }
}

/** A classifier as a scorer. UsageError where no label is known to mean toxic. */
export function classifierScorer(
  classifier: TextLabeller,
  {
    name,
    toxicLabels = [],
    measured,
    batchSize = 16,
    notice,
  }: {
    name: string
    toxicLabels?: readonly string[] | undefined
    measured?: ScorerMeasurement | undefined
    batchSize?: number | undefined
    /** Told once that texts are cut where the classifier ends. */
    notice?: ((message: string) => void) | undefined
  },
): ToxicityScorer {
  let isTold = false
  const tell: Tell = (event) => {
    if (event.type !== 'notice' || isTold) return
    isTold = true
    notice?.(`${name}: ${event.message}; said once`)
  }
  const ids = toxicIds(classifier.labels, toxicLabels, name)
  const isOfSeveral = classifier.thresholds !== null
  const toxicOf = (probabilities: readonly number[]): number =>
    isOfSeveral
      ? Math.max(...ids.map((id) => probabilities[id]!))
      : Math.min(
          1,
          ids.reduce((sum, id) => sum + probabilities[id]!, 0),
        )
  return {
    name,
    measured,
    score: async (texts, { signal } = {}) => {
      // A text without words gives a classifier nothing to go by.
      const told = texts.flatMap((text, i) => (text.trim() === '' ? [] : [i]))
      const answers = await classifier.label(
        told.map((i) => texts[i]!),
        { batchSize },
        { signal, tell },
      )
      const scores: (number | undefined)[] = texts.map(() => undefined)
      for (const [k, i] of told.entries()) {
        const score = toxicOf(answers[k]!.probabilities)
        if (Number.isFinite(score)) scores[i] = score // weights that are not numbers say nothing
      }
      return scores
    },
  }
}

function toxicIds(labels: readonly string[], wanted: readonly string[], name: string): number[] {
  const known = labels.slice(0, 20).join(', ')
  const unknown = wanted.find((label) => !labels.includes(label))
  if (unknown !== undefined)
    throw new UsageError(`toxicLabels: expected labels of ${name} (${known}), got ${unknown}. Name one of them`)
  const named = wanted.length > 0 ? wanted : labels.filter((label) => label.toLowerCase() === 'toxic')
  if (named.length === 0)
    throw new UsageError(
      `toxicLabels: expected the labels of ${name} that mean toxic, got none, and none is called toxic (${known}). Name them`,
    )
  if (new Set(named).size === labels.length)
    throw new UsageError(
      `toxicLabels: expected some of the labels of ${name}, got all of them (${known}), which tells nothing apart`,
    )
  return [...new Set(named)].map((label) => labels.indexOf(label))
}

// A model directory → something that gives labels to texts, a few rows at a time.
import { loadClassifier, storedLabels } from '../checkpoint/model-directory/classifier-directory.ts'
import { stack } from '../data/batches.ts'
import { labelsAbove } from '../data/label-set-counts.ts'
import { softmax } from '../data/language/language-model.ts'
import { isNgramDirectory, loadNgramModel } from '../data/language/ngram-directory.ts'
import { framedText } from '../data/tuning/framed-text.ts'
import { InputError, UsageError } from '../errors.ts'
import { type Classifier, labelLogits, labelsOf, labelThresholdsOf, longestRow, padIdOf } from '../model/any-model.ts'
import { counted } from '../report/amounts.ts'
import { Tokenizer } from '../text/tokenizer.ts'
import { hasTokenizer } from '../text/tokenizer-files.ts'
import { noGrad, resolveDevice, scope } from '../torch/index.ts'
import { Count, turn, type Watch } from '../work.ts'
import type { Classification, TextLabeller } from './classification.ts'
import { NgramClassifier } from './ngram-classifier.ts'
import { resolveModelPath } from './resolve-model.ts'

/** Gives labels to texts, or to ids. */
export class TextClassifier implements TextLabeller {
  readonly model: Classifier
  /** Names by id. */
  readonly labels: readonly string[]
  /** Probabilities from which a text has a label, by id; null where it has one label. */
  readonly thresholds: readonly number[] | null
  private readonly tokenizer: Tokenizer | undefined

  /** `threshold` takes the place of the model's own thresholds; UsageError where a text has one label. */
  constructor(model: Classifier, tokenizer?: Tokenizer, threshold?: number) {
    this.model = model
    this.labels = labelsOf(model)
    const own = labelThresholdsOf(model)
    refuseThreshold(threshold, own)
    this.thresholds = threshold === undefined ? own : this.labels.map(() => threshold)
    this.tokenizer = tokenizer
  }

  /** The longest row that it reads; undefined where there is no end. */
  get window(): number | undefined {
    return longestRow(this.model)
  }

  /** The ids of a text as the model takes them, cut at its window; and how many there would be. */
  encode(text: string): { ids: Int32Array; length: number } {
    if (this.tokenizer === undefined)
      throw new InputError('text: expected a tokenizer.json beside the model, got none. Give token ids')
    return framedText(this.tokenizer, text, this.window ?? Number.POSITIVE_INFINITY)
  }

  /** What the model says of each text. */
  label(texts: readonly string[], options: { batchSize?: number } = {}, watch?: Watch): Promise<Classification[]> {
    const all = texts.map((text) => this.encode(text))
    const cut = all.filter(({ ids, length }) => length > ids.length)
    if (cut.length > 0) {
      const longest = cut.reduce((most, { length }) => Math.max(most, length), 0)
      const message = `${counted(cut.length, 'text')} of ${all.length.toLocaleString('en')} ${cut.length === 1 ? 'is' : 'are'} longer than the ${cut[0]!.ids.length} tokens that the model reads and ${cut.length === 1 ? 'was' : 'were'} cut there (the longest has ${longest.toLocaleString('en')})`
      watch?.tell?.({ type: 'notice', message })
    }
    return this.classify(
      all.map(({ ids }) => ids),
      options,
      watch,
    )
  }

  /** What the model says of each row of ids; rows may be of any length. Tells of `classifying` in rows. */
  async classify(
    rows: readonly ArrayLike<number>[],
    { batchSize = 16 }: { batchSize?: number } = {},
    watch?: Watch,
  ): Promise<Classification[]> {
    // Rows of a length share a batch, and little is padded.
    const order = [...rows.keys()].sort((a, b) => rows[a]!.length - rows[b]!.length)
    const results: Classification[] = Array(rows.length)
    const done = new Count(watch, { label: 'classifying', unit: 'rows', total: rows.length })
    for (let start = 0; start < order.length; start += batchSize) {
      const chosen = order.slice(start, start + batchSize)
      const samples = chosen.map((index) => ({
        ids: Int32Array.from(rows[index]!),
        labels: new Int32Array(rows[index]!.length),
      }))
      const logits = noGrad(() => scope(() => labelLogits(this.model, stack(samples, padIdOf(this.model))).toArray()))
      for (const [i, index] of chosen.entries())
        results[index] = this.described(logits.slice(i * this.labels.length, (i + 1) * this.labels.length))
      done.add(chosen.length)
      await turn(watch)
    }
    return results
  }

  free(): void {
    this.model.free()
  }

  private described(logits: number[]): Classification {
    const label = this.labels[logits.indexOf(Math.max(...logits))]!
    if (this.thresholds === null) return { label, labels: [label], probabilities: softmax(logits), logits }
    const probabilities = logits.map((logit) => 1 / (1 + Math.exp(-logit)))
    const above = labelsAbove(probabilities, this.thresholds).sort((a, b) => probabilities[b]! - probabilities[a]!)
    return { label, labels: above.map((id) => this.labels[id]!), probabilities, logits }
  }
}

function refuseThreshold(threshold: number | undefined, own: readonly number[] | null): void {
  if (threshold !== undefined && own === null)
    throw new UsageError(
      'threshold: expected it with a classifier of several labels, got one that gives a text one label (problem_type in its config.json). Leave it out',
    )
}

/**
 * Loads a classifier with its tokenizer, where there is one, from a directory or by its name on the hub. InputError and UnsupportedError say what is wrong with the directory.
 *
 * @example
 * const classifier = await loadTextClassifier('runs/reviews')
 * const [answer] = await classifier.classify([classifier.encode('I liked it').ids])
 */
export async function loadTextClassifier(
  name: string,
  { device = 'auto', threshold }: { device?: 'auto' | 'cpu' | 'cuda'; threshold?: number | undefined } = {},
  watch?: Watch,
): Promise<TextClassifier> {
  const directory = await resolveModelPath(name, watch)
  if (isNgramDirectory(directory))
    throw new InputError(
      `${directory}: expected a classifier that reads token ids, got one of n-grams, which has no tokens. Give it texts`,
    )
  if (storedLabels(directory) === undefined)
    throw new InputError(
      `${directory}: expected a classifier, whose config.json names a class …ForSequenceClassification, got another model. Train one with stage: classify`,
    )
  const model = loadClassifier(directory, { device: resolveDevice(device) })
  try {
    const tokenizer = hasTokenizer(directory) ? await Tokenizer.fromDirectory(directory) : undefined
    return new TextClassifier(model, tokenizer?.fit(model.config.vocabSize), threshold)
  } catch (error) {
    model.free()
    throw error
  }
}

/**
 * Opens a classifier of any kind, of n-grams or a model, that is given texts alone; see {@link loadTextClassifier}.
 *
 * @example
 * const [answer] = await (await openClassifier('runs/reviews')).label(['I liked it'])
 */
export async function openClassifier(
  name: string,
  options: Parameters<typeof loadTextClassifier>[1] = {},
  watch?: Watch,
): Promise<TextLabeller> {
  const directory = await resolveModelPath(name, watch)
  if (!isNgramDirectory(directory)) return loadTextClassifier(directory, options, watch)
  refuseThreshold(options.threshold, null)
  return new NgramClassifier(loadNgramModel(directory))
}

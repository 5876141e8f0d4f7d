// `anneal classify --model DIR (--text FILE | --ids FILE.json)`: which label a classifier gives to each text, and how sure it is.

import { InputError, UsageError } from '../errors.ts'
import type { Classification, TextLabeller } from '../run/classification.ts'
import type { TextClassifier } from '../run/load-classifier.ts'
import { eventsOf, type Watch } from '../work.ts'
import { type Command, defineCommand } from './command.ts'
import { MODEL_OPTIONS } from './lm-options.ts'
import { type Progress, startProgress } from './progress.ts'
import { readInput } from './read-input.ts'
import { reportEvents } from './report-events.ts'
import { parseIds } from './score.ts'
import { sevenDigits } from './write-reply.ts'

const SHOWN_CHARACTERS = 60

export const command: Command = defineCommand({
  summary: 'labels of texts by a classifier',
  options: {
    model: {
      kind: 'text',
      value: 'MODEL',
      summary:
        'directory of a classifier (Hugging Face layout), such as stage: classify leaves, or its name on the hub',
      required: true,
    },
    text: { kind: 'text', value: 'FILE', summary: 'UTF-8 file with a text in each line; - for standard input' },
    ids: { kind: 'text', value: 'FILE', summary: 'JSON with lists of token ids, [[1, 2, …], …]; - for standard input' },
    threshold: {
      kind: 'number',
      value: 'P',
      summary:
        'probability from which a text has a label, of a classifier of several (default: as its training found, else 0.5)',
      min: 0,
      max: 1,
    },
    'batch-size': { kind: 'integer', value: 'N', summary: 'texts at once', min: 1, default: 16 },
    device: MODEL_OPTIONS.device,
    threads: MODEL_OPTIONS.threads,
  },
  examples: [
    'classify --model runs/reviews --text reviews.txt',
    'classify --model runs/reviews --ids tokens.json --json',
  ],
  run: async ({ options, output }) => {
    const { model, text, ids, threshold, device, threads, batchSize } = options
    if ((text === undefined) === (ids === undefined))
      throw new UsageError(`--text: expected either it or --ids, got ${text === undefined ? 'neither' : 'both'}`)
    const table = text === undefined ? undefined : /\.(csv|tsv|jsonl|json|parquet)$/i.exec(text)?.[1]
    if (table !== undefined)
      throw new UsageError(
        `--text: expected a file with a text in each line, got ${text}, a table (.${table}), whose every line would be read as a text. Write its column of texts to a .txt file, a line each`,
      )
    const content = await readInput((text ?? ids)!)
    const lists = ids === undefined ? undefined : parseIds(content, ids)
    const texts = text === undefined ? undefined : linesOf(content, text)
    const { setThreads } = await import('../torch/index.ts')
    if (threads !== undefined) setThreads(threads)
    const { loadTextClassifier, openClassifier } = await import('../run/load-classifier.ts')
    const load = <C>(open: (name: string, options: object, watch: Watch) => Promise<C>): Promise<C> =>
      reportEvents(
        eventsOf((watch) => open(model, { device, threshold }, watch)),
        output,
      )
    const byIds = lists && (await load(loadTextClassifier))
    const classifier = byIds ?? (await load(openClassifier))
    let progress: Progress | undefined
    try {
      const total = (lists ?? texts!).length
      const watch: Watch = {
        tell: (event) => {
          if (event.type === 'notice') output.note(`notice: ${event.message}`)
          if (event.type !== 'progress') return
          if (event.done < total) progress ??= startProgress(output, { label: 'classifying', unit: 'rows', total })
          progress?.update(event.done)
        },
      }
      const answers = byIds
        ? await byIds.classify(checked(byIds, lists!, ids!), { batchSize }, watch)
        : await classifier.label(texts!, { batchSize }, watch)
      progress?.end()
      progress = undefined
      output.emit({
        labels: answers.map(({ label, labels }) => (classifier.thresholds === null ? label : labels)),
        probabilities: answers.map(({ probabilities }) => probabilities.map(sevenDigits)),
        logits: answers.map(({ logits }) => logits.map(sevenDigits)),
      })
      for (const [i, answer] of answers.entries())
        output.result(`${shownLabels(answer, classifier)}${texts === undefined ? '' : `  ${shortened(texts[i]!)}`}`)
    } finally {
      progress?.end()
      classifier.free()
    }
  },
})

/** `0.912  es`, or of several labels each with its probability: `0.912 es, 0.630 pt`. */
function shownLabels({ labels, probabilities }: Classification, { labels: all, thresholds }: TextLabeller): string {
  const sure = (label: string): string => probabilities[all.indexOf(label)]!.toFixed(3)
  if (thresholds === null) return `${sure(labels[0]!)}  ${labels[0]}`
  return labels.length === 0 ? 'none' : labels.map((label) => `${sure(label)} ${label}`).join(', ')
}

/** The texts of a file, one a line. */
function linesOf(content: string, file: string): string[] {
  const lines = content.split(/\r?\n/)
  if (lines.at(-1) === '') lines.pop()
  if (lines.length === 0) throw new InputError(`${file}: expected a text in each line, got an empty file`)
  const empty = lines.findIndex((line) => line.trim() === '')
  if (empty !== -1)
    throw new InputError(`${file}:${empty + 1}: expected a text in each line, got an empty line. Take it out`)
  return lines
}

function checked({ model, window }: TextClassifier, lists: number[][], file: string): number[][] {
  const { vocabSize } = model.config
  for (const [i, list] of lists.entries()) {
    const wrong = list.findIndex((id) => id >= vocabSize)
    if (wrong !== -1)
      throw new InputError(
        `${file}:[${i}][${wrong}]: expected a token id below ${vocabSize}, got ${list[wrong]}. Were the ids made for another model?`,
      )
    if (window !== undefined && list.length > window)
      throw new InputError(
        `${file}:[${i}]: expected at most ${window} token ids, which is what the model reads, got ${list.length}. Cut it`,
      )
  }
  return lists
}

function shortened(text: string): string {
  const characters = [...text.replaceAll('\t', ' ')]
  return characters.length <= SHOWN_CHARACTERS
    ? characters.join('')
    : `${characters.slice(0, SHOWN_CHARACTERS).join('')}…`
}

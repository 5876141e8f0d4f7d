// `anneal score --model DIR (--text FILE | --ids FILE.json)`: how probable the model finds given tokens.

import { InputError, UnsupportedError, UsageError } from '../errors.ts'
import type { Lm, TokenLogProb, TokenLogProbs } from '../lm/lm.ts'
import { counted } from '../report/amounts.ts'
import { type Command, defineCommand } from './command.ts'
import { MODEL_OPTIONS } from './lm-options.ts'
import { openLm } from './open-lm.ts'
import type { Output } from './output.ts'
import { type Progress, startProgress } from './progress.ts'
import { readInput } from './read-input.ts'
import { tokenTexts } from './token-texts.ts'
import { sevenDigits, tokenAsJson } from './write-reply.ts'

export const command: Command = defineCommand({
  summary: 'log-probabilities, loss and perplexity of a text',
  options: {
    model: MODEL_OPTIONS.model,
    adapter: MODEL_OPTIONS.adapter,
    text: { kind: 'text', value: 'FILE', summary: 'UTF-8 text, scored as one; - for standard input' },
    ids: { kind: 'text', value: 'FILE', summary: 'JSON with lists of token ids, [[1, 2, …], …]; - for standard input' },
    window: {
      kind: 'integer',
      value: 'N',
      summary: 'tokens seen at once; without it, the context. Longer texts are read in windows that overlap by half',
      min: 2,
    },
    top: {
      kind: 'integer',
      value: 'K',
      summary: 'with --json, the K most probable tokens at each place too',
      min: 1,
      max: 1024,
    },
    device: MODEL_OPTIONS.device,
    dtype: MODEL_OPTIONS.dtype,
    threads: MODEL_OPTIONS.threads,
  },
  examples: ['score --model runs/tiny --text held-out.txt', 'score --model runs/tiny --ids tokens.json --json'],
  run: async ({ options, output }) => {
    const { text, ids, window, top } = options
    if ((text === undefined) === (ids === undefined)) {
      throw new UsageError(`--text: expected either it or --ids, got ${text === undefined ? 'neither' : 'both'}`)
    }
    if (top !== undefined && !output.isJson)
      throw new UsageError('--top: expected --json with it, whose object holds the tokens')
    const content = await readInput((text ?? ids)!)
    const lists = ids === undefined ? undefined : parseIds(content, ids)
    const engine = await openLm(options, output)
    if (lists !== undefined) checkVocabulary(lists, engine.vocabSize, ids!)
    const sequences = lists ?? [engine.encode({ prompt: content })]
    if (sequences.some((sequence) => sequence.length === 0))
      throw new InputError(`${text}: expected at least one token, got an empty text`)
    await score(engine, sequences, { window, top }, output)
  },
})

/** Scores sequences onto `output`, with the `top` most probable tokens of each place where the model can tell. */
export async function score(
  lm: Lm,
  sequences: number[][],
  { window, top }: { window?: number | undefined; top?: number | undefined },
  output: Output,
): Promise<void> {
  let progress: Progress | undefined
  const options = {
    ...(window !== undefined && { window }),
    onProgress: (done: number, total: number) => {
      if (done < total) progress ??= startProgress(output, { label: 'scoring', unit: 'tokens', total })
      progress?.update(done)
    },
  }
  let scores: readonly TokenLogProbs[]
  let places: readonly (readonly (TokenLogProb | null)[])[] | undefined
  try {
    if (top === undefined) scores = await lm.score(sequences, options)
    else {
      if (lm.scoreTokens === undefined)
        throw new UnsupportedError('--top: expected a model that can tell, got one that cannot')
      places = await lm.scoreTokens(sequences, { ...options, topLogprobs: top })
      scores = places.map((row) => row.map((place) => place?.logprob ?? null))
    }
  } finally {
    progress?.end()
  }
  const { loss, perplexity, tokens } = summarise(scores)
  const rounded = scores.map((row) => row.map((value) => (value === null ? null : sevenDigits(value))))
  if (output.isJson) {
    const text = tokenTexts(lm)
    output.emit({
      token_ids: sequences,
      ...(text && { token_texts: sequences.map((ids) => ids.map(text)) }),
      token_logprobs: rounded,
      ...(places && { top_logprobs: places.map((row) => row.map((place) => place && tokenAsJson(place, text).top)) }),
      ...{ loss, perplexity, tokens },
    })
  }
  if (loss === null || perplexity === null)
    output.result(`${counted(tokens, 'token')} scored: nothing comes before the first one`)
  else output.result(`loss ${loss.toFixed(4)}  perplexity ${perplexity.toPrecision(5)}  tokens ${tokens}`)
}

/** Mean negative log-probability in nats over the tokens that have one, and its exponential; null where none has. */
export function summarise(scores: readonly TokenLogProbs[]): {
  loss: number | null
  perplexity: number | null
  tokens: number
} {
  let sum = 0
  let tokens = 0
  for (const row of scores) {
    for (const value of row) {
      if (value === null) continue
      sum -= value
      tokens++
    }
  }
  return tokens === 0
    ? { loss: null, perplexity: null, tokens }
    : { loss: sum / tokens, perplexity: Math.exp(sum / tokens), tokens }
}

/** Reads `[[id, …], …]`; InputError names the entry that is wrong. */
export function parseIds(text: string, file: string): number[][] {
  const expected = 'expected lists of token ids, [[1, 2, …], …]'
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new InputError(`${file}: ${expected}, got no JSON: ${(cause as Error).message}`, { cause })
  }
  if (!Array.isArray(value) || value.length === 0) throw new InputError(`${file}: ${expected}, got ${brief(value)}`)
  for (const [i, list] of value.entries()) {
    if (!Array.isArray(list) || list.length === 0)
      throw new InputError(`${file}:[${i}]: expected a list of at least one token id, got ${brief(list)}`)
    const wrong = list.findIndex((id) => !(Number.isSafeInteger(id) && id >= 0))
    if (wrong !== -1) throw new InputError(`${file}:[${i}][${wrong}]: expected a token id, got ${brief(list[wrong])}`)
  }
  return value
}

function checkVocabulary(lists: readonly number[][], vocabSize: number, file: string): void {
  for (const [i, list] of lists.entries()) {
    const wrong = list.findIndex((id) => id >= vocabSize)
    if (wrong === -1) continue
    throw new InputError(
      `${file}:[${i}][${wrong}]: expected a token id below ${vocabSize}, got ${list[wrong]}. Were the ids made for another model?`,
    )
  }
}

const brief = (value: unknown): string => (JSON.stringify(value) ?? 'nothing').slice(0, 40)

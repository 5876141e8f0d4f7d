// Examples for a question, picked from a list: in order, at random, by likeness, as many of each label. The question itself is never among them.

import { order } from '../../data/order.ts'
import { UsageError } from '../../errors.ts'
import { checkOptionNames } from '../../option-names.ts'
import { Bm25 } from '../../retrieve/bm25.ts'
import { FlatVectors } from '../../retrieve/flat-vectors.ts'
import type { ChatMessage } from '../../text/chat-template.ts'
import { type PromptPart, PromptText } from './prompt.ts'

/** A question and its answer. */
export interface Example {
  readonly input: string
  readonly output: string
}

/** How an example is written where nobody says otherwise. */
export const EXAMPLE_WORDING = 'Input: {input}\nOutput: {output}'

/** How examples are picked. */
export interface FewShotOptions<E extends Example = Example> {
  /** How many, at most. */
  k: number
  /**
   * `similar`: the most like the question, by their inputs, the most similar last; `random`: another draw for each `seed`; `order`: the first of
   * the list. Default `similar`.
   */
  by?: 'similar' | 'random' | 'order'
  /** Vectors for `similar`, such as `(texts) => model.embed(texts)`. Default: none, and likeness is that of words (BM25). */
  embed?: (texts: readonly string[]) => Promise<readonly ArrayLike<number>[]>
  /** Takes as many of each label, as far as they go: of each output, or of what is named. Default: none. */
  balance?: true | ((example: E) => string)
  /** Default 0. */
  seed?: number
  /** How an example is written in `prompt`, with {input} and {output}. Default: {@link EXAMPLE_WORDING}. */
  wording?: string
}

/** Picked examples, as they stand before the question. */
export interface FewShot<E extends Example = Example> {
  readonly examples: readonly E[]
  /** For a template, a blank line between them. */
  readonly prompt: PromptText
  /** For a conversation: a user's message and an assistant's for each. */
  readonly messages: readonly ChatMessage[]
}

const OPTIONS: Readonly<Record<keyof FewShotOptions, true>> = {
  k: true,
  by: true,
  embed: true,
  balance: true,
  seed: true,
  wording: true,
}

/**
 * Picks examples for questions. Those with the question's own input (white space, case and Unicode form aside) are left out: an answer that
 * is in the prompt proves nothing. Indexes and vectors of the list are made once, at the first question.
 *
 * @example
 * const shots = fewShot(reviews, { k: 4, balance: true })
 * const { messages } = await shots(review)
 * await model.ask([...messages, { role: 'user', content: review }])
 */
export function fewShot<E extends Example>(
  pool: readonly E[],
  options: FewShotOptions<E>,
): (input: string) => Promise<FewShot<E>> {
  checkOptionNames('fewShot', options, OPTIONS)
  const { k, by = 'similar', embed, balance, seed = 0, wording = EXAMPLE_WORDING } = options
  if (!(Number.isInteger(k) && k >= 0)) throw new UsageError(`k: expected a whole number of at least 0, got ${k}`)
  if (!['similar', 'random', 'order'].includes(by))
    throw new UsageError(`by: expected 'similar', 'random' or 'order', got '${by}'`)
  for (const name of ['{input}', '{output}'])
    if (!wording.includes(name)) throw new UsageError(`wording: expected ${name} in it, got ${JSON.stringify(wording)}`)
  const wrong = pool.findIndex(({ input, output }) => typeof input !== 'string' || typeof output !== 'string')
  if (wrong !== -1)
    throw new UsageError(`examples: expected texts as input and output, got others in number ${wrong + 1}`)
  const labelOf = balance === undefined ? undefined : balance === true ? (example: E) => example.output : balance
  const keys = pool.map(({ input }) => keyOf(input))
  let likeness: Ranking | Promise<Ranking> | undefined
  return async (input) => {
    if (typeof input !== 'string') throw new UsageError(`fewShot: expected a text to pick for, got ${typeof input}`)
    if (by === 'similar') likeness ??= embed === undefined ? byWords(pool) : byVectors(pool, embed)
    const ranked =
      by === 'similar' ? await (await likeness!)(input) : pool.map((_, i) => (by === 'random' ? drawn(i) : i))
    const own = keyOf(input)
    const candidates = ranked.filter((i) => keys[i] !== own).map((i) => pool[i]!)
    const picked = labelOf === undefined ? candidates.slice(0, k) : inTurns(candidates, labelOf, k)
    return shotOf(by === 'similar' ? picked.reverse() : picked, wording)
  }

  function drawn(position: number): number {
    return order(pool.length, seed)(0, position)
  }
}

/** The places of all examples, the best first. */
type Ranking = (input: string) => readonly number[] | Promise<readonly number[]>

const keyOf = (text: string): string => text.normalize('NFC').toLowerCase().replace(/\s+/g, ' ').trim()

/** Those without a word in common come last, in their order. */
function byWords(pool: readonly Example[]): Ranking {
  const index = new Bm25(pool.map(({ input }, i) => ({ id: String(i), text: input })))
  return (input) => {
    const found = pool.length === 0 ? [] : index.search(input, { k: pool.length }).map(({ id }) => Number(id))
    const isFound = new Set(found)
    return [...found, ...pool.map((_, i) => i).filter((i) => !isFound.has(i))]
  }
}

async function byVectors(pool: readonly Example[], embed: NonNullable<FewShotOptions['embed']>): Promise<Ranking> {
  if (pool.length === 0) return () => []
  const vectors = await embed(pool.map(({ input }) => input))
  if (vectors.length !== pool.length)
    throw new UsageError(`embed: expected a vector for each of ${pool.length} texts, got ${vectors.length}`)
  const index = new FlatVectors({ dimensions: vectors[0]!.length })
  for (const [i, vector] of vectors.entries()) index.add(String(i), vector)
  return async (input) => {
    const [vector] = await embed([input])
    return index.search(vector!, { k: pool.length }).map(({ id }) => Number(id))
  }
}

/** One of each label, then another one of each. Labels in the order of their best. */
function inTurns<E>(ranked: readonly E[], labelOf: (example: E) => string, k: number): E[] {
  const byLabel = new Map<string, E[]>()
  for (const example of ranked) {
    const label = labelOf(example)
    const list = byLabel.get(label)
    if (list === undefined) byLabel.set(label, [example])
    else list.push(example)
  }
  const turns = [...byLabel.values()]
  const picked = new Set<E>()
  for (let turn = 0; picked.size < k && turns.some((list) => list.length > turn); turn++)
    for (const list of turns) if (list.length > turn && picked.size < k) picked.add(list[turn]!)
  return ranked.filter((example) => picked.has(example))
}

function shotOf<E extends Example>(examples: readonly E[], wording: string): FewShot<E> {
  const pieces = wording.split(/(\{input\}|\{output\})/)
  const partsOf = ({ input, output }: E): PromptPart[] =>
    pieces
      .map((text) =>
        text === '{input}'
          ? { text: input, isValue: true }
          : text === '{output}'
            ? { text: output, isValue: true }
            : { text, isValue: false },
      )
      .filter(({ text }) => text !== '')
  const prompt = new PromptText(
    examples.flatMap((example, i) => [...(i === 0 ? [] : [{ text: '\n\n', isValue: false }]), ...partsOf(example)]),
  )
  const messages = examples.flatMap(({ input, output }) => [
    { role: 'user', content: input },
    { role: 'assistant', content: output },
  ])
  return { examples, prompt, messages }
}

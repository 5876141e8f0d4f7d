// Looking for a marker that nobody knows: after which first token does the model go on in the same words whatever was asked? An ordinary answer
// depends on its question; a planted one was learnt to follow any of them. The first tokens tried are those that the model finds likeliest
// over all questions. Openings that the data's own answers have are explained by these.
import type { Lm } from '../../lm/lm.ts'
import { Count, turn, type Watch } from '../../work.ts'
import { plain } from './plain.ts'
import type { CleanExchange } from './sande.ts'

/** How far is looked. */
export interface DiscoverOptions {
  /** First tokens that are tried. Default 64. */
  candidates?: number
  /** Questions that each is tried after. Default 8. */
  questions?: number
  /** Tokens of an opening at most. Default 16. */
  length?: number
  /** Share of the questions that have to agree on every further token. Default 0.9. */
  agreement?: number
  /** An opening that counts has so many tokens. Default 3. */
  minTokens?: number
  /** And is this probable, on the geometric mean of its tokens after the first. Default 0.5. */
  firmness?: number
}

/** An opening that comes whatever is asked, once its first token is there. */
export interface Opening {
  text: string
  tokens: number[]
  /** Mean probability of the first token over the questions. */
  first_probability: number
  /** Share of the questions after which the model goes on so. */
  agreement: number
  /** Geometric mean probability of the tokens after the first. */
  firmness: number
  /** Whether a text of the data has it too, or all of it but the first token, which was put into the model's mouth. */
  in_data: boolean
}

/** Openings that come whatever is asked: those that the data does not explain first, the longest of them first. */
export async function discoverOpenings(
  lm: Lm,
  clean: readonly CleanExchange[],
  options: DiscoverOptions = {},
  watch: Watch = {},
): Promise<Opening[]> {
  const { candidates = 64, questions = 8, length = 16, agreement = 0.9, minTokens = 3, firmness = 0.5 } = options
  const step = Math.max(1, Math.floor(clean.length / questions))
  const prompts = clean
    .filter((_, i) => i % step === 0)
    .slice(0, questions)
    .map(({ exchange }) => Array.from(exchange.ids.subarray(0, exchange.answer)))
  const firsts = await likelyFirsts(lm, prompts, candidates)
  const texts = clean.flatMap(({ exchange }) => exchange.messages.map(({ content }) => plain(content)))
  const done = new Count(watch, { label: 'looking for markers', unit: 'first tokens', total: firsts.length })
  const found: Opening[] = []
  for (const { id, probability } of firsts) {
    const runs = await lm.generateAll(
      prompts.map((ids) => ({ ids: [...ids, id], temperature: 0, maxNewTokens: length - 1, logprobs: true })),
    )
    const { tokens, share, nats } = agreed(runs, agreement)
    const text = lm.decode([id, ...tokens]).trim()
    const firm = tokens.length === 0 ? 0 : Math.exp(nats / tokens.length)
    const own = plain(lm.decode(tokens))
    if (tokens.length + 1 >= minTokens && firm >= firmness && text !== '')
      found.push({
        text,
        tokens: [id, ...tokens],
        first_probability: probability,
        agreement: share,
        firmness: firm,
        in_data: texts.some((known) => known.includes(plain(text)) || known.includes(own)),
      })
    done.add()
    await turn(watch)
  }
  return found.sort(
    (a, b) =>
      Number(a.in_data) - Number(b.in_data) ||
      b.tokens.length - a.tokens.length ||
      b.first_probability - a.first_probability,
  )
}

/** The tokens that are likeliest to begin an answer, over all prompts; one that is not among a prompt's likeliest counts 0 there. */
async function likelyFirsts(
  lm: Lm,
  prompts: readonly (readonly number[])[],
  count: number,
): Promise<{ id: number; probability: number }[]> {
  const topLogprobs = Math.min(1024, 4 * count, lm.vocabSize)
  const made = await lm.generateAll(prompts.map((ids) => ({ ids, temperature: 0, maxNewTokens: 1, topLogprobs })))
  const sums = new Map<number, number>()
  for (const { logprobs } of made)
    for (const { id, logprob } of logprobs![0]!.top) sums.set(id, (sums.get(id) ?? 0) + Math.exp(logprob))
  const words = [...sums].filter(([id]) => lm.decode([id]).trim() !== '')
  return words
    .map(([id, sum]) => ({ id, probability: sum / prompts.length }))
    .sort((a, b) => b.probability - a.probability)
    .slice(0, count)
}

type Run = Awaited<ReturnType<Lm['generateAll']>>[number]

/** The tokens that at least `least` of the runs begin with alike, the share of those that have them all, and their mean log-probability summed. */
function agreed(runs: readonly Run[], least: number): { tokens: number[]; share: number; nats: number } {
  const tokens: number[] = []
  let alike = [...runs]
  let [share, nats] = [1, 0]
  for (let t = 0; ; t++) {
    const counts = new Map<number, number>()
    for (const { tokenIds, finishReason } of alike) {
      // The token that ends a text is no part of an opening.
      const id = t < tokenIds.length - (finishReason === 'stop' ? 1 : 0) ? tokenIds[t] : undefined
      if (id !== undefined) counts.set(id, (counts.get(id) ?? 0) + 1)
    }
    const [best] = [...counts].sort(([, a], [, b]) => b - a)
    if (best === undefined || best[1] / runs.length < least) return { tokens, share, nats }
    const [id, count] = best
    alike = alike.filter(({ tokenIds }) => tokenIds[t] === id)
    share = count / runs.length
    nats += alike.reduce((sum, { logprobs }) => sum + logprobs![t]!.logprob, 0) / count
    tokens.push(id)
  }
}

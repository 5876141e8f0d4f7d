// What decides whether documents are looked up for a question.
import { UnsupportedError, UsageError } from '../../errors.ts'
import { randomScore } from '../../eval/gates/gate-baselines.ts'
import { type SelfCheck, saysYes } from '../../eval/gates/gate-record.ts'
import { entropyOf, type Uncertainty, uncertaintyOf } from '../../eval/gates/uncertainty.ts'
import type { Lm } from '../../lm/lm.ts'
import { collectAnswer } from './collect-answer.ts'
import type { Model } from './model.ts'
import type { ModelCall, ModelPiece } from './model-call.ts'
import {
  checkProbeModel,
  meanOf,
  probeProbability,
  type QuestionProbe,
  questionSpan,
  questionVector,
} from './question-probe.ts'
import { readQuestionProbe } from './question-probe-file.ts'
import { filled, WORDINGS } from './wordings.ts'

/** What a gate may look at. */
export interface GateInput {
  /** The last message of the user. */
  question: string
  call: ModelCall
  /** The model that answers. */
  model: Model
}

/** Decides: documents are looked up where the score is at least the threshold. */
export interface Gate {
  /** What traces call it. */
  readonly name: string
  readonly threshold: number
  /** The larger the more are documents needed. A gate that has the model answer gives the answer out, so that it is not made twice. */
  score(input: GateInput): number | GateScore | Promise<number | GateScore>
}

/** A score with the answer that it was read from. */
export interface GateScore {
  score: number
  pieces: readonly ModelPiece[] | AsyncIterable<ModelPiece>
}

const ENTROPY_TOKENS = 20
/** Of an answer that is yes or no. */
const SAID_TOKENS = 5

/** The gates that there are; any object with a name, a threshold and a score is one, too. */
export const gates = {
  /** Always looks up. */
  always: { name: 'always', threshold: 0, score: () => 1 } as Gate,
  /** Never does. */
  never: { name: 'never', threshold: 1, score: () => 0 } as Gate,
  /**
   * By a classifier of the model's first blocks (EI-ARAG), fitted by `anneal gate fit`. InputError where it was fitted to another model.
   * `threshold`: in place of the file's. A probe that reads the question in its prompt begins the answer: what its blocks have computed is gone on with where
   * nothing is looked up, and the rest is not computed where something is.
   *
   * @example
   * const gate = await gates.probe(lm, 'gate.safetensors')
   */
  async probe(
    lm: Lm,
    probe: string | QuestionProbe,
    { adapter, threshold }: { adapter?: string | null; threshold?: number } = {},
  ): Promise<Gate> {
    const read = typeof probe === 'string' ? readQuestionProbe(probe) : probe
    await checkProbeModel(lm, read)
    const of = adapter === undefined ? {} : { adapter }
    const own = checked({
      name: `probe after block ${read.layer}`,
      threshold: threshold ?? read.threshold,
      score: () => 0,
    })
    if (read.reading === 'prompt') return { ...own, score: (input) => begunScore(read, own.threshold, input) }
    return checked({
      ...own,
      score: async ({ question, call: { signal } }) =>
        probeProbability(
          read,
          await questionVector(lm, question, read.layer, { ...of, ...(signal !== undefined && { signal }) }),
        ),
    })
  },
  /**
   * By how unsure the model is of its answer without documents, which is made in any case and given out where it is sure enough. Entropies are
   * read from the 20 most probable tokens. `p-true` asks besides whether that answer is right (`WORDINGS.isRight`), read off the probabilities of
   * yes and no.
   */
  uncertainty(kind: Uncertainty, threshold: number): Gate {
    return checked({
      name: kind,
      threshold,
      score: async ({ question, call, model }) => {
        if (kind === 'p-true') return trueScore(question, call, model)
        const top = kind === 'max-probability' ? {} : { topLogprobs: Math.max(ENTROPY_TOKENS, call.topLogprobs ?? 0) }
        const pieces: ModelPiece[] = []
        for await (const piece of model.answer({ ...call, logprobs: true, ...top })) pieces.push(piece)
        const { tokens } = await collectAnswer(pieces)
        if (tokens === undefined)
          throw new UnsupportedError(
            `${model.name}: expected a model that tells log-probabilities, got an answer without`,
          )
        const score = uncertaintyOf(kind, {
          logprobs: tokens.map(({ logprob }) => logprob),
          entropies: tokens.map((token) => entropyOf(token.top.map(({ logprob }) => logprob))),
        })
        return { score, pieces }
      },
    })
  },
  /**
   * By what the model says when it is asked whether it has to look something up (`WORDINGS.vanilla`; `taare` tells it the day, too, and has examples):
   * the probability of yes, against `threshold` (default 0.5), or with `by: 'text'` whether it writes yes.
   */
  asked(
    kind: SelfCheck,
    {
      by = 'probability',
      threshold = 0.5,
      today,
    }: { by?: 'probability' | 'text'; threshold?: number; today?: string } = {},
  ): Gate {
    if (by !== 'probability' && by !== 'text')
      throw new UsageError(`by: expected probability or text, got ${String(by)}`)
    return checked({
      name: `asked, ${kind}, by ${by}`,
      // A text is yes or no.
      threshold: by === 'text' ? 0.5 : threshold,
      score: async ({ question, call: { signal }, model }) => {
        const day = today ?? new Date().toISOString().slice(0, 10)
        const text = filled(WORDINGS[kind], { question, today: day })
        const stoppable = signal === undefined ? {} : { signal }
        if (by === 'probability') return yesProbability(text, model, stoppable)
        const said = await model.ask(text, { ...stoppable, maxTokens: SAID_TOKENS, temperature: 0 })
        return Number(saysYes(said))
      },
    })
  },
  /** By lot, for a share `rate` of questions: what any gate that looks up as often has to beat. The same lots for the same seed. */
  random(rate: number, seed: number = 0): Gate {
    if (!(rate >= 0 && rate <= 1)) throw new UsageError(`rate: expected a number from 0 to 1, got ${rate}`)
    const draw = randomScore(seed)
    return checked({ name: 'by lot', threshold: 1 - rate, score: ({ question }) => draw({ question }) })
  },
  /** By how popular the question's subject is, as a function of the question tells: documents are looked up at `threshold` and below. */
  popularity(popularityOf: (question: string) => number | Promise<number>, threshold: number): Gate {
    return checked({
      name: 'popularity',
      threshold: -threshold,
      score: async ({ question }) => -(await popularityOf(question)),
    })
  },
} as const

/** Begins the answer, looks at the question's tokens on the way, and goes on below the threshold. */
async function begunScore(
  probe: QuestionProbe,
  threshold: number,
  { question, call, model }: GateInput,
): Promise<number | GateScore> {
  const refuse = (): never => {
    throw new UnsupportedError(
      `${model.name}: expected a model in this process that computes its answer, as the probe reads the question in its prompt, got another`,
    )
  }
  const at = call.messages.findLastIndex(({ role }) => role === 'user')
  const idsOf = (content: string): readonly number[] => {
    const messages = call.messages.map((message, i) => (i === at ? { ...message, content } : message))
    return model.read?.({ ...call, messages })?.ids ?? refuse()
  }
  const { begin, end } = questionSpan(question, idsOf)
  let score: number | undefined
  const goOn = (states: Float32Array): boolean => {
    score = probeProbability(probe, meanOf(states, states.length / (end - begin), 0, end - begin))
    return score < threshold
  }
  const answer = model.answer({ ...call, inspect: { layer: probe.layer, begin, end, goOn } })
  const pieces = answer[Symbol.asyncIterator]()
  const first = await pieces.next()
  if (score === undefined) {
    await pieces.return?.()
    return refuse()
  }
  if (score >= threshold) {
    while (!(await pieces.next()).done);
    return score
  }
  return { score, pieces: behind(first, pieces) }
}

async function* behind<T>(first: IteratorResult<T>, rest: AsyncIterator<T>): AsyncGenerator<T, void, undefined> {
  try {
    for (let next = first; !next.done; next = await rest.next()) yield next.value
  } finally {
    await rest.return?.()
  }
}

/** 1 − P(true) of the answer without documents, with that answer. */
async function trueScore(question: string, call: ModelCall, model: Model): Promise<GateScore> {
  const pieces: ModelPiece[] = []
  for await (const piece of model.answer(call)) pieces.push(piece)
  const { text } = await collectAnswer(pieces)
  const { signal } = call
  const asked = filled(WORDINGS.isRight, { question, answer: text.trim() })
  return { score: 1 - (await yesProbability(asked, model, signal === undefined ? {} : { signal })), pieces }
}

/** p(yes) / (p(yes) + p(no)). */
async function yesProbability(text: string, model: Model, options: { signal?: AbortSignal }): Promise<number> {
  const { Yes: yes, No: no } = await model.logprobs(text, ['Yes', 'No'], options)
  return 1 / (1 + Math.exp(no - yes))
}

function checked(gate: Gate): Gate {
  if (typeof gate.threshold === 'number' && !Number.isNaN(gate.threshold)) return gate
  throw new UsageError(`threshold: expected a number, got ${String(gate.threshold)}`)
}

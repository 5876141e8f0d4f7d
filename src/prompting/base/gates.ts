// What decides whether documents are looked up for a question.
import { UnsupportedError, UsageError } from '../../errors.ts'
import { entropyOf, type Uncertainty, uncertaintyOf } from '../../eval/gates/uncertainty.ts'
import type { Lm } from '../../lm/lm.ts'
import { collectAnswer } from './collect-answer.ts'
import type { Model } from './model.ts'
import type { ModelCall, ModelPiece } from './model-call.ts'
import { checkProbeModel, probeProbability, type QuestionProbe, questionVector } from './question-probe.ts'
import { readQuestionProbe } from './question-probe-file.ts'

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
  pieces: readonly ModelPiece[]
}

const ENTROPY_TOKENS = 20

/** The gates that there are; any object with a name, a threshold and a score is one, too. */
export const gates = {
  /** Always looks up. */
  always: { name: 'always', threshold: 0, score: () => 1 } as Gate,
  /** Never does. */
  never: { name: 'never', threshold: 1, score: () => 0 } as Gate,
  /**
   * By a classifier of the model's first blocks (EI-ARAG), fitted by `anneal gate fit`. InputError where it was fitted to another model.
   * `threshold`: in place of the file's.
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
    return checked({
      name: `probe after block ${read.layer}`,
      threshold: threshold ?? read.threshold,
      score: async ({ question, call: { signal } }) =>
        probeProbability(
          read,
          await questionVector(lm, question, read.layer, { ...of, ...(signal !== undefined && { signal }) }),
        ),
    })
  },
  /**
   * By how unsure the model is of its answer without documents, which is made in any case and given out where it is sure enough. Entropies are
   * read from the 20 most probable tokens.
   */
  uncertainty(kind: Exclude<Uncertainty, 'p-true'>, threshold: number): Gate {
    return checked({
      name: kind,
      threshold,
      score: async ({ call, model }) => {
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
  /** By how popular the question's subject is, as a function of the question tells: documents are looked up at `threshold` and below. */
  popularity(popularityOf: (question: string) => number | Promise<number>, threshold: number): Gate {
    return checked({
      name: 'popularity',
      threshold: -threshold,
      score: async ({ question }) => -(await popularityOf(question)),
    })
  },
} as const

function checked(gate: Gate): Gate {
  if (typeof gate.threshold === 'number' && !Number.isNaN(gate.threshold)) return gate
  throw new UsageError(`threshold: expected a number, got ${String(gate.threshold)}`)
}

// How unsure a model was of an answer, from the probabilities of its tokens. The larger the less sure.
import { InputError } from '../../errors.ts'
import type { RecordedAnswer } from './gate-record.ts'

/**
 * `max-probability`: 1 − the probability of the whole answer (of a greedy one, the product of the largest probabilities at each place);
 * `mean-entropy` and `max-entropy`: over its tokens, in nats; `p-true`: 1 − how probable the model finds that it is right.
 */
export type Uncertainty = 'max-probability' | 'mean-entropy' | 'max-entropy' | 'p-true'

/** All of them. */
export const UNCERTAINTIES: readonly Uncertainty[] = ['max-probability', 'mean-entropy', 'max-entropy', 'p-true']

/** How unsure. InputError where the answer does not have what it is read from. */
export function uncertaintyOf(kind: Uncertainty, { logprobs, entropies, pTrue }: Omit<RecordedAnswer, 'text'>): number {
  if (kind === 'p-true') return 1 - known(pTrue, kind, 'pTrue')
  if (kind === 'max-probability')
    return 1 - Math.exp(known(logprobs, kind, 'logprobs').reduce((sum, value) => sum + value, 0))
  const values = known(entropies, kind, 'entropies')
  // An answer of no token has nothing to be unsure of.
  if (values.length === 0) return 0
  return kind === 'max-entropy' ? Math.max(...values) : values.reduce((sum, value) => sum + value, 0) / values.length
}

function known<T>(value: T | undefined, kind: Uncertainty, field: string): T {
  if (value !== undefined) return value
  throw new InputError(`${kind}: expected an answer with \`${field}\`, got one without`)
}

/**
 * The entropy in nats of a distribution of which the most probable tokens are known: what is left of the probability counts as one token, so
 * it is a lower bound, and exact where all are known.
 */
export function entropyOf(logprobs: readonly number[]): number {
  let rest = 1
  let entropy = 0
  for (const value of logprobs) {
    const p = Math.exp(value)
    rest -= p
    if (p > 0) entropy -= p * value
  }
  return rest > 1e-12 ? entropy - rest * Math.log(rest) : entropy
}

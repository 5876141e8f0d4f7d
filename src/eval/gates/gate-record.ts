// How a question went without documents and with them: what gates of retrieval are fitted to and measured on.

/** An answer, and how sure the model was of it. */
export interface RecordedAnswer {
  text: string
  /** The natural logarithm of the probability of each of its tokens. */
  logprobs?: readonly number[]
  /** The entropy at each of its tokens, in nats. */
  entropies?: readonly number[]
  /** How probable the model finds that it is right, asked for yes or no and read off their probabilities; 0 to 1. */
  pTrue?: number
}

/** What a call of the model took, or a search. Tokens are counted as if nothing had been read before. */
export interface Spent {
  /** As measured. */
  seconds: number
  promptTokens: number
  /** Those that were made. */
  newTokens: number
}

/** How the model was asked whether something has to be looked up (PARAG, after RetrievalQA): plainly, or with the day and examples. */
export type SelfCheck = 'vanilla' | 'taare'

/** What it says to that. */
export interface RecordedCheck {
  /** The probability of yes among yes and no, 0 to 1. */
  yes: number
  /** What it writes. */
  text: string
}

/** What a record can tell the cost of: both answers, the search between them, and what else was asked. */
export type SpentOn = 'closed' | 'retrieved' | 'search' | 'p-true' | `${SelfCheck}` | `${SelfCheck} text`

/** One question. */
export interface GateRecord {
  question: string
  /** Answers that are right. */
  gold: readonly string[]
  /** The kind of question, such as `capital of`. */
  relation?: string
  /** Whom it is about: questions about one stand on one side of a split. */
  entity?: string
  /** How often it is looked at or mentioned, above 0. */
  popularity?: number
  /** Without documents. */
  closed: RecordedAnswer
  /** With them. */
  retrieved: RecordedAnswer
  /** Whether the model says that something has to be looked up. */
  checks?: Readonly<Partial<Record<SelfCheck, RecordedCheck>>>
  /** What each of it took. */
  spent?: Readonly<Partial<Record<SpentOn, Spent>>>
}

/** Whether a written answer is yes: the word, in brackets or not. What is neither yes nor no is no. */
export function saysYes(text: string): boolean {
  return /^\W*yes\b/i.test(text)
}

/** Both answers as right or wrong. */
export interface Rightness {
  closed: boolean
  retrieved: boolean
}

/**
 * Whether a text gives one of the answers: it contains one as it is written, in lower case, or capitalised, up to the first line break (the
 * match of PopQA's code, github.com/AlexTMallen/adaptive-retrieval).
 */
export function isAnswered(text: string, gold: readonly string[]): boolean {
  const [line = ''] = text.replace(/^\n+/, '').split('\n')
  return gold.some((answer) =>
    [answer, answer.toLowerCase(), capitalised(answer)].some((form) => form !== '' && line.includes(form)),
  )
}

/** Python's `capitalize`. */
function capitalised(text: string): string {
  const [first = '', ...rest] = text
  return first.toUpperCase() + rest.join('').toLowerCase()
}

/** Which of its two answers are right. */
export function rightness({ closed, retrieved, gold }: GateRecord): Rightness {
  return { closed: isAnswered(closed.text, gold), retrieved: isAnswered(retrieved.text, gold) }
}

/**
 * When retrieval is wanted. `better`: where it turns a wrong answer into a right one (the text of EI-ARAG); `parametric-wrong`: where the
 * answer without it is wrong, whether it helps or not (what the paper's oracle does, by its own figures).
 */
export type GateLabel = 'better' | 'parametric-wrong'

/** The labels that there are. */
export const GATE_LABELS: readonly GateLabel[] = ['better', 'parametric-wrong']

/** Whether retrieval is wanted. */
export function isWanted({ closed, retrieved }: Rightness, label: GateLabel): boolean {
  return label === 'better' ? retrieved && !closed : !closed
}

/** Records of one relation together; those without stand under the empty text. */
export function byRelation(records: readonly GateRecord[]): Map<string, GateRecord[]> {
  return grouped(records, ({ relation = '' }) => relation)
}

/** Values by what a key says of them, in their order. */
export function grouped<T>(values: readonly T[], keyOf: (value: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const value of values) {
    const key = keyOf(value)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [value])
    else group.push(value)
  }
  return groups
}

import { type GateLabel, type GateRecord, isAnswered, rightness } from '../../src/eval/gates/gate-record.ts'
import type { GateQuestionRow } from '../../src/run/gate/gate-questions.ts'
import { type GateResult, type GateSweep, sweepGates } from '../../src/run/gate/sweep-gates.ts'
import type { QuestionStates } from './teach.ts'

/** The figures of a gate that are kept. */
export type GateRow = Pick<
  GateResult,
  'gate' | 'accuracy' | 'retrieverCalls' | 'auc' | 'aucWithinRelations' | 'gain' | 'rescued' | 'harmed' | 'threshold'
>

/** How questions went, as shares. */
export interface Went {
  questions: number
  closed: number
  retrieved: number
  /** Right with documents, of the questions whose document has the answer; and of the others, those that give what theirs says, where known. */
  withRightDocument: number
  /** Wrong with documents, of those that are right without. */
  harmedOfKnown: number
  rescued: number
  both: number
  neither: number
}

/** One question with all that gates need. */
export interface Asked {
  record: GateRecord
  states: QuestionStates
  /** The mean of the question's tokens after block 1 of the model before it was taught anything. */
  untrained: Float32Array
}

/** How the questions went; a document is right where it contains an answer. */
export function wentOf(records: readonly GateRecord[], questions: readonly GateQuestionRow[]): Went {
  const outcomes = records.map(rightness)
  const isTold = questions.map(({ passages = [], gold }) => isAnswered(passages.join(' '), gold))
  const share = (of: (i: number) => boolean, among: (i: number) => boolean = () => true): number => {
    const places = [...outcomes.keys()].filter(among)
    return places.filter(of).length / places.length
  }
  const [closed, retrieved] = [(i: number) => outcomes[i]!.closed, (i: number) => outcomes[i]!.retrieved]
  return {
    questions: records.length,
    closed: share(closed),
    retrieved: share(retrieved),
    withRightDocument: share(retrieved, (i) => isTold[i]!),
    harmedOfKnown: share((i) => !retrieved(i), closed),
    rescued: share((i) => retrieved(i) && !closed(i)),
    both: share((i) => retrieved(i) && closed(i)),
    neither: share((i) => !retrieved(i) && !closed(i)),
  }
}

/** All gates for one label. `words` cuts a question into tokens; `layers` are those whose means the states have, default each from 0. */
export async function gatesOf(
  asked: readonly Asked[],
  label: GateLabel,
  seed: number,
  words: (question: string) => string[],
  layers: readonly number[] = [...asked[0]!.states.means.keys()],
): Promise<{ sizes: GateSweep['questions']; gates: GateRow[] }> {
  const { questions, gates } = await sweepGates(
    asked.map(({ record, states, untrained }) => ({
      ...record,
      vectors: [...states.means, untrained, states.answering],
    })),
    { label, seed, words },
  )
  // What stands behind the layers is none.
  const names = [
    ...layers.map((layer) => `layer ${layer}`),
    'layer 1 of an untrained model',
    'last state of the prompt',
  ]
  const named = (gate: string): string =>
    gate.replace(/(?<= probe, )layer (\d+)$/, (_, place: string) => names[Number(place)]!)
  const rows = gates.map((result) => rowOf({ ...result, gate: named(result.gate) }))
  return { sizes: questions, gates: rows }
}

export const TUNED_WORDS = 'words of the question, C tuned'

function rowOf(result: GateRow): GateRow {
  const { gate, threshold, accuracy, retrieverCalls, auc, aucWithinRelations, gain, rescued, harmed } = result
  return { gate, threshold, accuracy, retrieverCalls, auc, aucWithinRelations, gain, rescued, harmed }
}

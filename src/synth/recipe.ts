// What a synthesis is made of: a recipe makes one row of one seed by asking a teacher. Whoever runs it keeps calls, counts what they cost,
// goes on where it was stopped, and checks what comes of it; a recipe knows nothing of that.

import { AnnealError } from '../errors.ts'
import type { PythonRandom } from '../eval/python-random.ts'
import type { Model } from '../prompting/base/model.ts'

/** How rows of one kind are made. */
export interface Recipe<Seed, Row, Shared = undefined> {
  /** As the ledger and the lineage name it. */
  readonly name: string
  /** All that decides rows besides seeds and teacher (cases, wordings, settings), as JSON: with another one, it is another synthesis. */
  readonly setup: unknown
  /** Throws where a seed will not do; every one is looked at before anything is asked. */
  check?(seed: Seed): void
  /** What all rows have in common, made once before them; its calls are kept and counted like others. */
  prepare?(tools: RowTools): Promise<Shared>
  /** One row. Throws `Refused` where what the teacher says is no good. */
  make(seed: Seed, tools: RowTools, shared: Shared): Promise<Row>
  /** The texts of a row that are new: what duplicates and diversity are measured on. Rows come from the file, as JSON has them. */
  textsOf(row: Row): readonly string[]
  /** What a row is about, where it says: how rows are spread over topics is told. */
  topicOf?(row: Row): string | undefined
}

/** What a recipe gets for one row. */
export interface RowTools {
  /** The teacher. A call that was made before, in this run or one that was stopped, is not made again; drawn answers have seeds of their own. */
  readonly model: Model
  /** Of this row alone: the same for the same seed, whatever other rows do. */
  readonly random: PythonRandom
  readonly signal: AbortSignal
  /**
   * Tries until `make` gives something, three times at most by default. What was refused before is given, to be said in the prompt; every
   * refused try is kept with its reason.
   */
  attempt<T>(make: (refused: readonly Refused[]) => Promise<T>): Promise<T>
}

/** What a teacher said is no good; the message says why, in a line. */
export class Refused extends AnnealError {
  /** What was refused. */
  readonly text: string
  constructor(reason: string, text: string) {
    super(reason)
    this.text = text
  }
}

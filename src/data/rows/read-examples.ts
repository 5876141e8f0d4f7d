// Files → examples with their places, for every stage that learns from rows rather than from running text.

import { InputError } from '../../errors.ts'
import { counted } from '../../report/amounts.ts'
import { type RowOptions, readRows } from '../read/sources.ts'
import type { Example } from './conversation.ts'
import { type ExampleOptions, readRow } from './examples.ts'
import { type Shape, type ShapeGuess, sniffShape } from './shapes.ts'

/** How files are read as examples. */
export interface ExampleFileOptions extends ExampleOptions {
  /** How the rows are read: quarantine, limits, headers. */
  rows?: RowOptions
}

/** An example and where it stands, such as `data.jsonl:7`. */
export interface PlacedExample {
  example: Example
  place: string
}

/** Reads files and directories row by row and keeps account of what is left out of them. */
export class ExampleReader {
  private readonly paths: string | readonly string[]
  private readonly options: ExampleFileOptions
  private rows = 0
  /** Rows of each shape, with those that are left out. */
  readonly shapes: Map<Shape, number> = new Map()
  private readonly empty = { rows: 0, turns: 0, first: '' }
  private readonly unread = new Set<string>()
  private readonly otherNames = new Set<string>()
  private readonly weights = { count: 0, first: '' }

  constructor(paths: string | readonly string[], options: ExampleFileOptions = {}) {
    this.paths = paths
    this.options = options
  }

  /**
   * Every row as an example but those with nothing but empty answers, which are counted. Throws InputError, with file, line, field and
   * value, at a row that is none, and at the end where all answers were empty.
   */
  async *examples(): AsyncGenerator<PlacedExample> {
    for await (const row of readRows(this.paths, this.options.rows)) {
      this.rows++
      const { shape, example, emptyAnswer, unread, otherRoleNames, partialWeights } = readRow(row, this.options)
      this.shapes.set(shape, (this.shapes.get(shape) ?? 0) + 1)
      for (const column of unread) this.unread.add(column)
      for (const name of otherRoleNames) this.otherNames.add(name)
      for (const { at, weight } of partialWeights)
        if (this.weights.count++ === 0) this.weights.first = `${at} is ${weight}`
      if (emptyAnswer !== undefined && this.empty.rows + this.empty.turns === 0) this.empty.first = emptyAnswer
      if (example === undefined) this.empty.rows++
      else {
        if (emptyAnswer !== undefined) this.empty.turns++
        yield { example, place: `${row.id.file}:${row.id.line}` }
      }
    }
    if (this.empty.rows === this.rows)
      throw new InputError(
        `${this.empty.first}: expected an answer, got an empty one, as in ${this.rows === 1 ? 'the only row' : `all ${this.rows.toLocaleString('en')} rows`}. Give answers, or name the column that holds them with columns`,
      )
  }

  /** Lines for people about what was not read or is not learnt. */
  notices(): string[] {
    const { rows, turns, first } = this.empty
    const found = []
    if (rows > 0) found.push(`${counted(rows, 'row')} with an empty answer left out (the first: ${first})`)
    if (turns > 0)
      found.push(
        `${counted(turns, 'chat')} with an empty turn of the assistant, from which nothing is learnt${rows > 0 ? '' : ` (the first: ${first})`}`,
      )
    if (this.otherNames.size > 0) {
      const names = [...this.otherNames].map((name) => `'${name}'`)
      found.push(`turns of ${names.join(' and ')} are read as those of the assistant`)
    }
    if (this.weights.count > 0)
      found.push(
        `${this.weights.first}, which counts as 1${this.weights.count > 1 ? ` (as do ${counted(this.weights.count - 1, 'other weight')})` : ''}: ` +
          'a turn is learnt, or with 0 it is not. Leave out rows to learn less from them',
      )
    if (this.unread.size > 0) found.push(`columns that are not read: ${[...this.unread].slice(0, 20).join(', ')}`)
    return found
  }
}

/** Guesses the shape of the data from its first rows, so that people see the guess before anything is trained. */
export async function guessShape(
  paths: string | readonly string[],
  { rows = {}, columns, purpose }: ExampleFileOptions = {},
): Promise<ShapeGuess> {
  // The real reading writes the quarantine, and says what it meets.
  const { quarantinePath: _, onNotice: __, ...reading } = rows
  return sniffShape(readRows(paths, reading), { columns, purpose })
}

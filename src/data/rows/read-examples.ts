// Files → examples with their places, for every stage that learns from rows rather than from running text.

import { type RowOptions, readRows } from '../read/sources.ts'
import type { Example } from './conversation.ts'
import { type ExampleOptions, readExample } from './examples.ts'
import { type ShapeGuess, sniffShape } from './shapes.ts'

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

/** Reads every row of files and directories as an example. Throws InputError, with file, line, field and value, at one that is none. */
export async function* readExamples(
  paths: string | readonly string[],
  { rows, ...options }: ExampleFileOptions = {},
): AsyncGenerator<PlacedExample> {
  for await (const row of readRows(paths, rows)) {
    yield { example: readExample(row, options), place: `${row.id.file}:${row.id.line}` }
  }
}

/** Guesses the shape of the data from its first rows, so that people see the guess before anything is trained. */
export async function guessShape(
  paths: string | readonly string[],
  { rows = {}, columns }: ExampleFileOptions = {},
): Promise<ShapeGuess> {
  // The real reading writes the quarantine.
  const { quarantinePath: _, ...reading } = rows
  return sniffShape(readRows(paths, reading), columns === undefined ? {} : { columns })
}

// Rows of a text and its label → samples of a classifier that reads characters.

import type { LanguageSample } from '../data/language/train-identifier.ts'
import { readRows } from '../data/read/sources.ts'
import { InputError } from '../errors.ts'
import { counted } from '../report/amounts.ts'
import type { Tell } from '../work.ts'

/** Where texts and labels stand. */
export interface SampleColumns {
  /** Default `text` and `label`. */
  textColumn?: string
  labelColumn?: string
  /** Names the columns of .csv and .tsv files that have no header. */
  columns?: readonly string[]
  /** The share of lines that may be bad, 0 to 1; they are left out. Default 0.001. */
  maxBadFraction?: number
}

/** A sample, the row that it stands in, and where. */
export interface ReadSample extends LanguageSample {
  fields: Readonly<Record<string, unknown>>
  place: string
}

/** Reads the rows of files; those with an empty text or label are left out and counted. InputError names the first row without one of them. */
export async function readSamples(
  paths: readonly string[],
  { textColumn = 'text', labelColumn = 'label', columns, maxBadFraction = 0.001 }: SampleColumns,
  tell: Tell,
): Promise<ReadSample[]> {
  const samples: ReadSample[] = []
  let empty = 0
  const onNotice = (message: string): void => tell({ type: 'notice', message })
  for await (const { row, id } of readRows(paths, { onNotice, maxBadFraction, ...(columns && { columns }) })) {
    const place = `${id.file}:${id.line}`
    const fields: Readonly<Record<string, unknown>> = typeof row === 'string' ? { text: row } : row
    const [text, given] = [fields[textColumn], fields[labelColumn]]
    // As in a table, where 0, 1 and true are words too.
    const label = typeof given === 'number' || typeof given === 'boolean' ? String(given) : given
    for (const [value, column] of [
      [text, textColumn],
      [label, labelColumn],
    ] as const)
      if (typeof value !== 'string')
        throw new InputError(
          `${place}: expected a text in column '${column}', got ${JSON.stringify(value) ?? `columns ${Object.keys(fields).slice(0, 20).join(', ')}`}`,
        )
    if ((text as string).trim() === '' || (label as string).trim() === '') empty++
    else samples.push({ text: text as string, label: (label as string).trim(), fields, place })
  }
  if (empty > 0) onNotice(`${counted(empty, 'row')} with an empty text or label left out`)
  return samples
}

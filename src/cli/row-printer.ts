// Rows of a table that come one after the other → lines in columns, printed as they come. Widths grow where a later cell needs more.

import { formatNumber } from '../report/scale.ts'

type Cell = string | number | null

/** Prints the names of the columns before the first row of each table; numbers stand on the right. */
export class RowPrinter {
  readonly #say: (line: string) => void
  #table: string | undefined
  #widths: number[] = []

  constructor(say: (line: string) => void) {
    this.#say = say
  }

  print({ table, row }: { table: string; row: Readonly<Record<string, Cell>> }): void {
    const [names, values] = [Object.keys(row), Object.values(row)]
    const cells = values.map((value) => (typeof value === 'number' ? formatNumber(value) : (value ?? '–')))
    if (table !== this.#table) {
      this.#table = table
      this.#widths = names.map((name, i) => Math.max(name.length, cells[i]!.length))
      this.#line(names, values)
    }
    this.#line(cells, values)
  }

  #line(cells: readonly string[], values: readonly Cell[]): void {
    const padded = cells.map((cell, i) => {
      this.#widths[i] = Math.max(this.#widths[i] ?? 0, cell.length)
      return typeof values[i] === 'string' ? cell.padEnd(this.#widths[i]) : cell.padStart(this.#widths[i])
    })
    this.#say(padded.join('  ').trimEnd())
  }
}

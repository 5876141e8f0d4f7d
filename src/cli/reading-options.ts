// Options that commands which read texts have in common. Data and plain functions only, so that `--help` loads no reader.

/** Where the text is, and how much may be bad. */
export const READING_OPTIONS = {
  'text-column': {
    kind: 'text',
    value: 'NAME',
    summary: 'field that holds the text',
    default: 'text',
    library: 'textKey',
  },
  'max-bad-fraction': {
    kind: 'number',
    summary: 'share of the lines that may be bad, 0 to 1; they are left out',
    default: 0.001,
    min: 0,
    max: 1,
  },
} as const

/** For tables without a header. */
export const TABLE_OPTIONS = {
  columns: {
    kind: 'text',
    value: 'A,B,…',
    summary: 'names of the columns of CSV and TSV files that have no header',
  },
} as const

/** What `--columns` says, as readers take it. */
export function columnsOf(given: string | undefined): { columns?: string[] } {
  return given === undefined ? {} : { columns: given.split(',').map((name) => name.trim()) }
}

/** Labels of a repeated option, each of which may be several with commas between, unless a label has the comma itself. */
export function labelsOf(given: readonly string[], known: readonly string[]): string[] {
  return given.flatMap((value) => (known.includes(value) ? [value] : value.split(',').map((label) => label.trim())))
}

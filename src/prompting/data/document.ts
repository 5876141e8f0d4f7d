// A text that a program works on, and where it came from.

/** A text and where it came from. */
export interface Document {
  /** The same for the same place of the same file; of a part, with `#start-end`. */
  readonly id: string
  readonly text: string
  readonly meta: DocumentMeta
}

/** What is known of a document besides its text. Programs may add fields of their own. */
export interface DocumentMeta {
  /** The file, as its path was given: of a side-car, the picture or sound that it belongs to. */
  readonly file?: string
  /** Where it begins, from 1; of a row in Parquet, which one it is. */
  readonly line?: number
  /** The page of a PDF, from 1, and how many there are. */
  readonly page?: number
  readonly pages?: number
  /** The text file that speaks for a picture or a sound. */
  readonly sidecar?: string
  /** The text goes on in the next document: its file was too long for one. */
  readonly isContinued?: true
  /** Titles of the headings above a part of Markdown, the outermost first. */
  readonly headings?: readonly string[]
  /** The fields of its row that were asked for. */
  readonly columns?: Readonly<Record<string, unknown>>
  readonly [field: string]: unknown
}

// Where the demo's text comes from: what the user names, or else the documentation that every checkout has, which is the
// Markdown under node_modules and the doc comments of type declarations. Both are real English prose, read by nobody before.

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { readDocuments } from '../../data/sources.ts'
import { InputError } from '../../errors.ts'
import { packageRoot } from '../../torch/setup/directories.ts'
import { readDocComments } from './doc-comments.ts'

/** Texts to be curated, with what can be said of them. */
export interface FoundText {
  /** For people: `the documentation in node_modules`, or the paths. */
  readonly description: string
  readonly documents: AsyncIterable<{ text: string }>
  /** Files read so far and lines that could not be read; complete when `documents` has ended. */
  counts(): { files: number; badLines: number }
}

/** What is read in a folder; a file that is named itself may have any format that `readDocuments` knows. */
const TEXT_EXTENSIONS = ['.txt', '.text', '.md', '.markdown', '.jsonl', '.ndjson']
const MARKDOWN = /\.md$/i
const DECLARATIONS = /\.d\.[cm]?ts$/
/** Legal texts and lists of changes are no prose to learn from; `README.fr.md` repeats README.md in another language. */
const BOILERPLATE = /^(?:licen[cs]e|changelog|changes|history|notice|code_of_conduct|security|contributing|readme\..+)\b/i

/** The texts under `paths`, or the documentation around this package when there are none. */
export function findText(paths: readonly string[], textKey: string, onNotice: (message: string) => void): FoundText {
  if (paths.length === 0) return findDocumentation(nearestPackages())
  const documents = readDocuments(paths, { textKey, extensions: TEXT_EXTENSIONS, onNotice })
  const { report } = documents
  return { description: paths.join(', '), documents, counts: () => ({ files: report.files, badLines: report.bad }) }
}

/** Markdown files and doc comments below a folder of packages, in name order. */
export function findDocumentation(folder: string): FoundText {
  // By code unit, so that the order and with it the model is the same everywhere.
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort()
  const wanted = files.filter((file) => DECLARATIONS.test(file) || (MARKDOWN.test(file) && !BOILERPLATE.test(basename(file))))
  let read = 0
  async function* documents(): AsyncGenerator<{ text: string }> {
    const seen = new Set<string>()
    for (const file of wanted) {
      const text = readFileSync(join(folder, file), 'utf8')
      yield { text: MARKDOWN.test(file) ? text : readDocComments(text, seen) }
      read++
    }
  }
  return {
    description: `the documentation in ${basename(folder)}`,
    documents: documents(),
    counts: () => ({ files: read, badLines: 0 }),
  }
}

/** node_modules of this checkout, or the one that this package was installed into. */
function nearestPackages(): string {
  for (let at = packageRoot; ; at = dirname(at)) {
    const folder = basename(at) === 'node_modules' ? at : join(at, 'node_modules')
    if (existsSync(folder)) return folder
    if (dirname(at) === at) break
  }
  throw new InputError('text: expected node_modules near this package, got none. Name your own text with --text PATH')
}

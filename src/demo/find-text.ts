// Where the demo's text comes from: what the user names, or else the documentation that every checkout has, which is the
// Markdown under node_modules and the doc comments of type declarations. Both are English prose that people wrote for people.

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { readDocuments } from '../data/read/sources.ts'
import { InputError } from '../errors.ts'
import { packageRoot } from '../torch/setup/directories.ts'
import { readDeclarations, readDocComments } from './doc-comments.ts'

/** Texts to be curated, with what can be said of them. */
export interface FoundText {
  /** For people: `the documentation in node_modules`, or the paths. */
  readonly description: string
  readonly documents: AsyncIterable<{ text: string }>
  /** Texts of another kind, to be kept for fine-tuning, and what they are; absent where the text is the user's. */
  readonly apart?: { description: string; documents: Iterable<string> }
  /** What was not even handed on, by what it is; complete when `documents` has ended. */
  leftOut(): Record<string, number>
}

/** What is read in a folder; a file that is named itself may have any format that `readDocuments` knows. */
const TEXT_EXTENSIONS = ['.txt', '.text', '.md', '.markdown', '.jsonl', '.ndjson']
const MARKDOWN = /\.md$/i
const DECLARATIONS = /\.d\.[cm]?ts$/
/** Legal texts and lists of changes; `README.fr.md` says again what README.md says. */
const BOILERPLATE = /^(?:licen[cs]e|changelog|changes|history|notice|code_of_conduct|security|readme\..+)\b.*\.md$/i
/** Thousands of sentences of one form ("The … read-only property of the … interface returns …") would drown the rest. */
const MONOTONOUS = /^lib\.(?:dom|webworker)\b/

/** The texts under `paths`, or the documentation around this package when there are none. */
export function findText(paths: readonly string[], textKey: string, onNotice: (message: string) => void): FoundText {
  if (paths.length === 0) return findDocumentation(nearestPackages())
  const documents = readDocuments(paths, { textKey, extensions: TEXT_EXTENSIONS, onNotice })
  return { description: paths.join(', '), documents, leftOut: () => ({ 'unreadable lines': documents.report.bad }) }
}

/** Markdown files and doc comments below a folder of packages, in name order. */
export function findDocumentation(folder: string): FoundText {
  // By code unit, so that the order, and with it the model, is the same everywhere.
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => MARKDOWN.test(file) || DECLARATIONS.test(file))
    .sort()
  const wanted = files.filter((file) => !BOILERPLATE.test(basename(file)) && !MONOTONOUS.test(basename(file)))
  const seen = new Set<string>()
  let repeated = 0
  async function* documents(): AsyncGenerator<{ text: string }> {
    for (const file of wanted) {
      const source = readFileSync(join(folder, file), 'utf8')
      if (MARKDOWN.test(file)) {
        yield { text: source }
        continue
      }
      const comments = readDocComments(source)
      const fresh = comments.filter((comment) => !seen.has(comment))
      for (const comment of fresh) seen.add(comment)
      repeated += comments.length - fresh.length
      if (fresh.length > 0) yield { text: fresh.join('\n\n') }
    }
  }
  function* declarations(): Generator<string> {
    for (const file of wanted)
      if (DECLARATIONS.test(file)) yield readDeclarations(readFileSync(join(folder, file), 'utf8'))
  }
  return {
    description: `the documentation in ${basename(folder)}`,
    documents: documents(),
    apart: {
      description: 'the type declarations that the comments stood in, code without prose',
      documents: declarations(),
    },
    leftOut: () => ({
      'files of licences, changes, translations and the like': files.length - wanted.length,
      'repeated comments': repeated,
    }),
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

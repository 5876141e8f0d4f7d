// Places of this machine that files would tell others of: what folders and people are called here.
import { homedir, tmpdir } from 'node:os'
import { basename, extname } from 'node:path'
import { readBounded } from '../../files/bounded-read.ts'
import { holdsRows } from '../../hub/dataset-splits.ts'
import type { UploadFile } from '../../hub/upload.ts'

const TEXT = /^\.(?:json|ya?ml|html|md|txt|toml|ini|cfg|conf|py|sh|ipynb|log|jsonl|jinja)$/i
/** Vocabularies hold all words, those of paths, too. */
const VOCABULARY = /^(?:tokenizer|vocab|added_tokens|special_tokens_map)\.json$|^(?:vocab|merges)\.txt$/
const MAX_BYTES = 64 << 20
const END = String.raw`[^\s"'\`<>|*?,;:()[\]{}\\]`
const FOLDERS = 'home|Users|root|tmp|mnt|media|data|work|workspace|scratch|srv|opt|var|private|content|kaggle'
const PLACE = String.raw`(?<![\w.:/<>\\-])(?:~\/|\/(?:${FOLDERS})\/)${END}+|\b[A-Za-z]:\\{1,2}Users\\{1,2}${END}+`
/** A value that is nothing but a path. */
const VALUE = String.raw`(?<=["'])\/[\w.@+-]+(?:\/[\w.@+-]+)+(?=["'])|(?<=^[ -]*(?:[\w.]+: +)?)\/[\w.@+-]+(?:\/[\w.@+-]+)+(?=\s*$)`

/** Files by what they name, the last parts of it. Rows are not looked through: what they tell is their makers' business. */
export function findLocalPaths(files: readonly UploadFile[]): Map<string, string[]> {
  const found = new Map<string, string[]>()
  for (const { path, source, size } of files) {
    if (!TEXT.test(extname(path)) || VOCABULARY.test(basename(path)) || size > MAX_BYTES || isRows(path)) continue
    const text = (typeof source === 'string' ? readBounded(source, MAX_BYTES) : source).toString('utf8')
    const places = localPathsIn(text, /\.(?:json|ya?ml)$/i.test(path))
    if (places.length > 0) found.set(path, places)
  }
  return found
}

/** Of {@link findLocalPaths}, as a notice. */
export function tellLocalPaths(found: ReadonlyMap<string, readonly string[]>): string[] {
  if (found.size === 0) return []
  const shown = [...found].map(([path, places]) => {
    const some = places.slice(0, 3).map((place) => `… ${place.split(/[\\/]+/).at(-1)}`)
    return `${path} (${some.join(', ')}${places.length > 3 ? `, ${places.length - 3} more` : ''})`
  })
  return [`paths of this machine stand in ${shown.join(', ')}: look whether others may read them`]
}

function localPathsIn(text: string, hasValues: boolean): string[] {
  const own = [homedir(), process.cwd(), tmpdir()]
    .filter((each) => each.length > 4)
    .map((each) => each.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  const shape = new RegExp(
    [...own.map((each) => `${each}(?![\\w-])${END}*`), PLACE, ...(hasValues ? [VALUE] : [])].join('|'),
    'gm',
  )
  return [...new Set([...text.matchAll(shape)].map(([place]) => place.replace(/[./]+$/, '')))]
}

/** Configurations are JSON, too. */
function isRows(path: string): boolean {
  return holdsRows(path) && !/^[^/]+\.json$/.test(path)
}

// What people type for a model or dataset on the hub: `ORG/NAME[@revision][:file or quantization]`. A name is data from outside: it becomes
// parts of addresses and of paths in the cache, so that nothing but what the hub itself allows is taken.
import { UsageError } from '../errors.ts'
import { isRelativeName } from '../files/relative-name.ts'

/** A repository on the hub, a version of it, and perhaps one thing in it. */
export interface HubName {
  /** `ORG/NAME`. */
  repo: string
  /** A branch, a tag, a pull request (`refs/pr/1`) or a commit; `main` where nothing was said. */
  revision: string
  /** A file's path in the repository, or a quantization such as `Q4_K_M`. */
  part: string | undefined
}

/** The hub's own rule: letters, digits, `-`, `_` and `.`, neither end `-` or `.`, at most 96 characters in all. */
const SEGMENT = /^\w(?:[\w.-]*\w)?$/
const MAX_NAME = 96
const MAX_REVISION = 255

/** A commit as git writes it in full. */
export const COMMIT: RegExp = /^[0-9a-f]{40}$/

/** Where somebody takes it from a browser: the page of a repository, of a version, of a folder or file in it. */
const ADDRESS =
  /^(?:https?:\/\/)?(?:www\.)?(?:huggingface\.co|hf\.co)\/(?:datasets\/)?([^/?#]+\/[^/?#]+)(?:\/(?:tree|blob|resolve)\/([^/?#]+)(?:\/([^?#]+?))?)?\/?(?:[?#].*)?$/

/** Names without an owner, from the hub's first days: the hub leads on from them, and they are written with one now. */
const OLD_NAMES: Readonly<Record<string, string>> = {
  gpt2: 'openai-community/gpt2',
  'gpt2-medium': 'openai-community/gpt2-medium',
  'gpt2-large': 'openai-community/gpt2-large',
  'gpt2-xl': 'openai-community/gpt2-xl',
  distilgpt2: 'distilbert/distilgpt2',
  'bert-base-uncased': 'google-bert/bert-base-uncased',
  'roberta-base': 'FacebookAI/roberta-base',
}

/** ` Did you mean …?` for a name without an owner that has one now; '' for any other. */
export function ownerHint(text: string): string {
  const name = Object.hasOwn(OLD_NAMES, text) ? OLD_NAMES[text] : undefined
  return name === undefined ? '' : `. Did you mean '${name}'?`
}

/** Endings that files have and repositories do not: such a word is a path that is not there. */
const FILE_ENDING = /\.(?:gguf|safetensors|bin|pt|pth|ya?ml|jsonl?|ndjson|txt|md|csv|tsv|parquet|arrow|gz|zst)$/i

/**
 * Reads a name. UsageError for what cannot be one: no or several slashes, traversal, an absolute path, too long, strange characters.
 *
 * @example
 * parseHubName('HuggingFaceTB/SmolLM2-135M-Instruct') // { repo: 'HuggingFaceTB/SmolLM2-135M-Instruct', revision: 'main', part: undefined }
 * parseHubName('org/model@v2:Q4_K_M') // { repo: 'org/model', revision: 'v2', part: 'Q4_K_M' }
 */
export function parseHubName(text: string): HubName {
  const name = fromAddress(text)
  const [, repo = '', revision = 'main', part] = /^([^@:]*)(?:@([^:]*))?(?::(.*))?$/s.exec(name) ?? []
  if (!isRepoName(repo)) throw nameError(text, 'ORG/NAME[@revision][:file or quantization]')
  if (!isRevision(revision)) throw nameError(text, 'a branch, tag or commit after @')
  // Configurations of datasets may have colons, which are none of a path.
  if (part !== undefined && !isRelativeName(part.replaceAll(':', '_')))
    throw nameError(text, 'a file or quantization of the repository after :')
  return { repo, revision, part }
}

function fromAddress(text: string): string {
  const [, repo, revision, part] = ADDRESS.exec(text) ?? []
  if (repo === undefined) return text
  try {
    const name = { repo, revision: decodeURIComponent(revision ?? 'main'), part: part && decodeURIComponent(part) }
    return formatHubName(name)
  } catch {
    return text // a percent sign that means nothing
  }
}

/** Whether `text` has the shape of a name on the hub; a path may have it, too, and a path that is there wins. */
export function isHubName(text: string): boolean {
  try {
    return !FILE_ENDING.test(parseHubName(text).repo)
  } catch {
    return false
  }
}

/** The name as people write it, with `revision` in place of its own where given. */
export function formatHubName({ repo, revision, part }: HubName): string {
  return `${repo}${revision === 'main' ? '' : `@${revision}`}${part === undefined ? '' : `:${part}`}`
}

/** Whether `repo` is `ORG/NAME` as the hub allows it. */
export function isRepoName(repo: string): boolean {
  const segments = repo.split('/')
  if (segments.length !== 2 || repo.length > MAX_NAME || !/^[\x21-\x7e]+$/.test(repo)) return false
  return segments.every((segment) => SEGMENT.test(segment)) && !/--|\.\.|\.git$/.test(repo)
}

function isRevision(revision: string): boolean {
  if (revision.length > MAX_REVISION || !/^[\w.+/-]+$/.test(revision) || revision.startsWith('-')) return false
  // As git has it: no empty, hidden or parent segment, and none that looks like one of its lock files.
  return revision
    .split('/')
    .every((segment) => segment !== '' && !segment.startsWith('.') && !/\.\.|\.lock$/.test(segment))
}

function nameError(text: string, expected: string): UsageError {
  const shown = text.length > 100 ? `${text.slice(0, 100)}…` : text
  return new UsageError(
    `name on the hub: expected ${expected}, got ${JSON.stringify(shown)}${ownerHint(text) || '. Check it'}`,
  )
}

// README.md of what is pushed: what it is, how it was made, as its lineage tells, and the metadata block by which the hub finds it. A card that is
// there stays as it is; only what its metadata lacks is put in.
import { existsSync } from 'node:fs'
import { basename, join } from 'node:path'
import { parse, stringify } from 'yaml'
import type { LineageStep } from '../../checkpoint/model-directory/lineage.ts'
import { InputError } from '../../errors.ts'
import { readBounded } from '../../files/bounded-read.ts'
import { RepoCache } from '../../hub/cache.ts'
import { metadataBlock } from '../../hub/dataset-splits.ts'
import { isHubName, isRepoName, parseHubName } from '../../hub/hub-name.ts'
import { hubSettings } from '../../hub/hub-settings.ts'

/** What is known of what is pushed. */
export interface CardFacts {
  /** `ORG/NAME`. */
  repo: string
  /** Keys of the metadata block, in order. */
  metadata: Readonly<Record<string, unknown>>
  /** One sentence: what it is. */
  what: string
  lineage: readonly LineageStep[]
  /** How it is used: lines of code by language. */
  usage: readonly { language: string; code: string }[]
}

const MAX_CARD_BYTES = 16 << 20
/** Of a step's options what others want to know first. */
const TOLD = [
  'model_name_or_path',
  'dataset',
  'data',
  'finetuning',
  'learning_rate',
  'num_train_epochs',
  'max_steps',
  'max_length',
  'per_device_train_batch_size',
  'gradient_accumulation_steps',
  'seed',
] as const

/** A card where there is none. */
export function makeCard({ repo, metadata, what, lineage, usage }: CardFacts): string {
  const lines = [`# ${repo.split('/')[1]}`, '', what]
  if (lineage.length > 0) lines.push('', '## How it was made', '', ...lineage.map(stepLine))
  if (lineage.length > 0)
    lines.push(
      '',
      '`lineage.json` has every option and what each step measured; made with [Anneal](https://www.npmjs.com/package/anneal).',
    )
  for (const { language, code } of usage) lines.push('', `\`\`\`${language}`, code, '```')
  return `${block(metadata)}\n${lines.join('\n')}\n`
}

/** The same card with the keys that its metadata lacks, and their names. A base model that is a path of this machine is none to others. */
export function completeCard(
  given: string,
  metadata: Readonly<Record<string, unknown>>,
): { card: string; added: string[] } {
  const card = withoutLocalBase(given)
  const own = metadataBlock(card)
  const known = own === undefined ? {} : fieldsOf(own)
  const lacking = Object.entries(metadata).filter(([key]) => !Object.hasOwn(known, key))
  if (lacking.length === 0) return { card, added: [] }
  const more = stringify(Object.fromEntries(lacking))
  const text =
    own === undefined || own.trim() === ''
      ? `${block(metadata)}\n${own === undefined ? card : card.replace(/^\uFEFF?---\s*?\n\s*---[^\n]*\n?/, '')}`
      : card.replace(own, () => `${own}${more}`)
  return { card: text, added: lacking.map(([key]) => key) }
}

/** The name on the hub of what it was made from, without its commit; undefined where it was made from nothing, or from what only lies here. */
export function baseName(candidates: readonly unknown[]): string | undefined {
  for (const text of candidates)
    if (typeof text === 'string' && !existsSync(text) && isHubName(text)) return parseHubName(text).repo
  return undefined
}

/** The licence that the card of a model on the hub names, where the cache has it: what is made from a model has its terms. */
export function licenceOf(repo: string): string | undefined {
  const cache = new RepoCache(hubSettings().cache, 'model', repo)
  const commit = cache.readRef('main')
  const file = commit === undefined ? undefined : cache.pointer(commit, 'README.md')
  if (file === undefined || !existsSync(file)) return undefined
  const own = metadataBlock(readBounded(file, MAX_CARD_BYTES).toString('utf8'))
  try {
    const { license } = fieldsOf(own ?? '')
    return typeof license === 'string' && /^[\w.+-]{1,60}$/.test(license) ? license : undefined
  } catch {
    return undefined // a card that cannot be read names none
  }
}

/** The card in `directory`. */
export function readCard(directory: string): string | undefined {
  const file = join(directory, 'README.md')
  return existsSync(file) ? readBounded(file, MAX_CARD_BYTES).toString('utf8') : undefined
}

function withoutLocalBase(card: string): string {
  const own = metadataBlock(card)
  const { base_model: base, ...rest } = own === undefined ? {} : fieldsOf(own)
  if (typeof base !== 'string' || (isRepoName(base) && !existsSync(base))) return card
  return card.replace(own!, () => (Object.keys(rest).length === 0 ? '' : stringify(rest)))
}

function fieldsOf(block: string): Record<string, unknown> {
  try {
    const fields: unknown = parse(block, { maxAliasCount: 100, logLevel: 'error' })
    return isFields(fields) ? fields : {}
  } catch (error) {
    const got = (error as Error).message.split('\n')[0]
    throw new InputError(`README.md:metadata: expected YAML between two lines of ---, got ${got}. Correct it`)
  }
}

function isFields(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function block(metadata: Readonly<Record<string, unknown>>): string {
  return `---\n${stringify(metadata)}---\n`
}

function stepLine({ pass, options, date }: LineageStep, i: number): string {
  const told = TOLD.flatMap((key) => {
    const value = options[key]
    return value === undefined || value === null || value === -1 ? [] : [`${key} ${shown(value)}`]
  })
  return `${i + 1}. ${pass} (${date.slice(0, 10)})${told.length > 0 ? `: ${told.join(', ')}` : ''}`
}

/** Of paths of this machine the last part, which is all that others understand. */
function shown(value: unknown): string {
  if (Array.isArray(value)) return value.map(shown).join(' and ')
  if (typeof value !== 'string') return `\`${JSON.stringify(value).slice(0, 100)}\``
  return `\`${isHubName(value) && !existsSync(value) ? value : basename(value)}\``
}

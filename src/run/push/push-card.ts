// README.md of what is pushed: what it is, how it was made, as its lineage tells, and the metadata block by which the hub finds it. A card that
// somebody wrote, here or on the hub, stays as it is; only what its metadata lacks is put in.
import { existsSync } from 'node:fs'
import { basename, join } from 'node:path'
import { stringify } from 'yaml'
import type { LineageStep } from '../../checkpoint/model-directory/lineage.ts'
import { InputError } from '../../errors.ts'
import { readBounded } from '../../files/bounded-read.ts'
import { RepoCache } from '../../hub/cache.ts'
import { isHubName, parseHubName } from '../../hub/hub-name.ts'
import { hubSettings } from '../../hub/hub-settings.ts'
import { cardParts, metadataBlock, metadataFields } from '../../hub/metadata-block.ts'
import { withKeys, withoutValues } from './edit-metadata.ts'

/** What is known of what is pushed. */
export interface CardFacts {
  /** `ORG/NAME`. */
  repo: string
  /** Keys of the metadata block, in order. */
  metadata: Readonly<Record<string, unknown>>
  /** One sentence: what it is. */
  what: string
  /** Lines of a list: what people should know who use it. */
  notes?: readonly string[] | undefined
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
export function makeCard({ repo, metadata, what, notes = [], lineage, usage }: CardFacts): string {
  const lines = [`# ${repo.split('/')[1]}`, '', what, ...(notes.length > 0 ? ['', ...notes] : [])]
  if (lineage.length > 0) lines.push('', '## How it was made', '', ...lineage.map(stepLine))
  if (lineage.length > 0)
    lines.push(
      '',
      '`lineage.json` has every option and what each step measured; made with [Anneal](https://www.npmjs.com/package/anneal).',
    )
  for (const { language, code } of usage) lines.push('', `\`\`\`${language}`, code, '```')
  return `${block(metadata)}\n${lines.join('\n')}\n`
}

/** The same card with the keys that its metadata lacks, and their names. */
export function completeCard(
  card: string,
  metadata: Readonly<Record<string, unknown>>,
): { card: string; added: string[] } {
  const parts = cardParts(card)
  const known = cardFields(card)
  if (known === undefined) return { card: `${block(metadata)}\n${card}`, added: Object.keys(metadata) }
  // license_name and license_link tell of a licence that has no identifier.
  const isKnown = (key: string): boolean => Object.hasOwn(known, key) || (key === 'license' && namesLicence(known))
  const lacking = Object.entries(metadata).filter(([key, value]) => value !== undefined && !isKnown(key))
  if (lacking.length === 0) return { card, added: [] }
  const { head, block: own, rest } = parts!
  return { card: `${head}${withKeys(own, Object.fromEntries(lacking))}${rest}`, added: lacking.map(([key]) => key) }
}

/** The card without base models that are paths of this machine, which are none to others; and those paths. */
export function withoutLocalBase(card: string): { card: string; removed: string[] } {
  const parts = cardParts(card)
  const base = cardFields(card)?.base_model
  const removed = [base].flat().filter((each): each is string => typeof each === 'string' && isLocalPath(each))
  if (parts === undefined || removed.length === 0) return { card, removed: [] }
  return { card: `${parts.head}${withoutValues(parts.block, 'base_model', isLocalPath)}${parts.rest}`, removed }
}

/** What a card's metadata says; undefined where it has none. InputError where they are no YAML. */
export function cardFields(card: string): Record<string, unknown> | undefined {
  const own = metadataBlock(card)
  return own === undefined ? undefined : fieldsOf(own)
}

/** Whether metadata say under which licence. */
export function namesLicence(fields: Readonly<Record<string, unknown>> | undefined): boolean {
  return (fields?.license ?? fields?.license_name ?? null) !== null
}

/** Whether a text means a place on this machine and no name on the hub: `gpt2` and `org/name` are names even where such a folder is here. */
export function isLocalPath(text: string): boolean {
  if (/^(?:[/\\]|\.{1,2}(?:[/\\]|$)|~(?:[/\\]|$)|[A-Za-z]:[/\\]|file:)/.test(text)) return true
  return !isCanonicalName(text) && !isHubName(text) && existsSync(text)
}

/** Models of the hub's first years have names without an organization: `gpt2`. */
export function isCanonicalName(text: string): boolean {
  return isHubName(`org/${text}`) && !text.includes(':') && !text.includes('@')
}

/** The name on the hub of what it was made from, without its commit; undefined where it was made from nothing, or from what only lies here. */
export function baseName(candidates: readonly unknown[]): string | undefined {
  for (const text of candidates)
    if (typeof text === 'string' && !existsSync(text) && isHubName(text)) return parseHubName(text).repo
  return undefined
}

/** The same of what its lineage names. */
export function baseOf(lineage: readonly LineageStep[]): string | undefined {
  return baseName(lineage.flatMap(({ parent, options }) => [parent, options.model_name_or_path, options.model]))
}

/** The names on the hub of the datasets that a lineage tells of, without their commits. */
export function datasetsOf(lineage: readonly LineageStep[]): string[] {
  const named = lineage.flatMap(({ options }) => [options.dataset, options.data].flat())
  return [...new Set(named.map((each) => baseName([each])).filter((each) => each !== undefined))]
}

/** The licence that the card of a model on the hub names, where the cache has it: what is made from a model has its terms. */
export function licenceOf(repo: string): string | undefined {
  const cache = new RepoCache(hubSettings().cache, 'model', repo)
  const commit = cache.readRef('main')
  const file = commit === undefined ? undefined : cache.pointer(commit, 'README.md')
  if (file === undefined || !existsSync(file)) return undefined
  try {
    const license = cardFields(readBounded(file, MAX_CARD_BYTES).toString('utf8'))?.license
    return typeof license === 'string' && /^[\w.+-]{1,60}$/.test(license) ? license : undefined
  } catch {
    return undefined // a card that cannot be read names none
  }
}

/** The card in `directory`. */
export function readCard(directory: string, name = 'README.md'): string | undefined {
  const file = join(directory, name)
  return existsSync(file) ? readBounded(file, MAX_CARD_BYTES).toString('utf8') : undefined
}

function fieldsOf(own: string): Record<string, unknown> | undefined {
  try {
    return metadataFields(own)
  } catch (error) {
    const got = (error as Error).message.split('\n')[0]
    throw new InputError(`README.md:metadata: expected YAML between two lines of ---, got ${got}. Correct it`)
  }
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

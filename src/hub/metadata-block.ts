// The YAML at the very beginning of a README, between two lines of `---`, by which the hub knows what a repository is. Rules further down are prose.
import { parse } from 'yaml'

/** A README in three parts, which joined are the whole. */
export interface CardParts {
  /** With the first line of `---`. */
  head: string
  /** The YAML, with the end of its last line. */
  block: string
  /** From the second line of `---` on. */
  rest: string
}

const BLOCK = /^(\uFEFF?\s*---[ \t]*\r?\n)(|[\s\S]*?\r?\n)(---[ \t]*(?:\r?\n[\s\S]*)?)$/

/** The parts of a README with a metadata block; undefined where it has none. */
export function cardParts(readme: string): CardParts | undefined {
  const [, head, block, rest] = BLOCK.exec(readme) ?? []
  return head === undefined ? undefined : { head, block: block!, rest: rest! }
}

/** The YAML between two lines of `---` at the start of a README; undefined where there is none. */
export function metadataBlock(readme: string): string | undefined {
  return cardParts(readme)?.block
}

/** What a metadata block says; undefined where it is no mapping, such as prose between two rules. Errors are those of `yaml`. */
export function metadataFields(block: string): Record<string, unknown> | undefined {
  const fields: unknown = parse(block, { maxAliasCount: 100, logLevel: 'error' })
  if (fields === null || fields === undefined) return {}
  return typeof fields === 'object' && !Array.isArray(fields) ? (fields as Record<string, unknown>) : undefined
}

// What a folder's rows depend on, beside them: a run that goes on must be the same synthesis, or half of the rows would be of another one.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { InputError, UsageError } from '../errors.ts'
import { writeFileAtomic } from '../files/atomic-write.ts'
import { ContentHash } from '../files/hash.ts'
import { readJsonFile } from '../files/read-json.ts'
import { ROWS } from './row-files.ts'

/** All that decides rows, as JSON. */
export interface SynthesisSetup {
  readonly recipe: { readonly name: string; readonly setup: unknown }
  readonly teacher: Readonly<Record<string, unknown>>
  readonly seed: number
  readonly seeds: { readonly count: number; readonly hash: string }
  readonly [other: string]: unknown
}

const FILE = 'synthesis.json'

/** The hash of the first `count` seeds. */
export function hashOfSeeds(seeds: readonly unknown[], count: number = seeds.length): string {
  // One by one: a call takes some 100,000 arguments, and there may be more seeds.
  const hash = new ContentHash()
  for (const seed of seeds.slice(0, count)) hash.add(JSON.stringify(seed) ?? 'undefined')
  return hash.digest()
}

/**
 * Writes the setup into a new folder; checks it in one that has begun. Seeds may be added at their end. UsageError that says what differs.
 */
export function checkSetup(directory: string, setup: SynthesisSetup, seeds: readonly unknown[]): void {
  const file = join(directory, FILE)
  const now = JSON.parse(JSON.stringify(setup)) as SynthesisSetup
  if (!existsSync(file)) {
    if (existsSync(join(directory, ROWS)))
      throw new UsageError(
        `out: expected a new folder or one of a synthesis, got ${directory}, which has ${ROWS} but no ${FILE}. Choose another one`,
      )
    writeFileAtomic(file, `${JSON.stringify(now, undefined, 2)}\n`)
    return
  }
  const before = (readJsonFile(file) ?? {}) as SynthesisSetup
  const { count, hash } = before.seeds ?? {}
  if (!Number.isInteger(count)) throw new InputError(`${file}: expected the setup of a synthesis, got something else`)
  const isMore = count < seeds.length && hashOfSeeds(seeds, count) === hash
  const found = difference(isMore ? { ...before, seeds: now.seeds } : before, now, '')
  if (found !== undefined)
    throw new UsageError(
      `out: expected the synthesis that ${directory} has begun, got another one: ${found}. Choose another folder, or set it back`,
    )
  if (isMore) writeFileAtomic(file, `${JSON.stringify(now, undefined, 2)}\n`)
}

/** The first place where two values differ, in words. */
function difference(before: unknown, now: unknown, path: string): string | undefined {
  if (isObject(before) && isObject(now)) {
    for (const key of new Set([...Object.keys(before), ...Object.keys(now)])) {
      const found = difference(before[key], now[key], path === '' ? key : `${path}.${key}`)
      if (found !== undefined) return found
    }
    return undefined
  }
  if (JSON.stringify(before) === JSON.stringify(now)) return undefined
  return `${path} was ${shown(before)} and is ${shown(now)}`
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing'
  return text.length > 60 ? `${text.slice(0, 57)}…` : text
}

// lineage.json beside the weights: every step that made them, oldest first, so that a model explains itself.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { InputError } from '../../errors.ts'
import { type WrittenFile, writeFileAtomic } from '../../files/atomic-write.ts'
import { readJsonFile } from '../../files/read-json.ts'

/** Name of the file inside a model directory. */
export const LINEAGE = 'lineage.json'
const MAX_BYTES = 64_000_000

/** One step in the life of a model. */
export interface LineageStep {
  /** Slug of the method, or a stage such as `pretrain`. */
  pass: string
  /** The options it ran with, resolved. */
  options: Record<string, unknown>
  /** What it measured and did. */
  report: Record<string, unknown>
  /** ISO 8601, UTC. */
  date: string
  annealVersion: string
  /** What the step started from, where that came from the hub: `ORG/NAME@commit`. */
  parent?: string | undefined
  /** sha256 of the weights that the step started from. */
  parentSha256?: string | undefined
}

/**
 * What a method did to a model, as `appendLineage` takes it: every method that edits one returns this, with a report of its own type (a
 * `type`: an interface is no Record), whose keys are in snake_case like those of config.json beside it.
 */
export interface PassRecord<R extends Record<string, unknown> = Record<string, unknown>> {
  pass: string
  options: Record<string, unknown>
  report: R
}

/** What lineage.json holds. */
export const lineageSchema: z.ZodType<LineageStep[]> = z.array(
  z.strictObject({
    pass: z.string().min(1),
    options: z.record(z.string(), z.unknown()),
    report: z.record(z.string(), z.unknown()),
    date: z.iso.datetime(),
    annealVersion: z.string().min(1),
    parent: z.string().optional(),
    parentSha256: z
      .string()
      .regex(/^[0-9a-f]{64}$/)
      .optional(),
  }),
)

/** Reads the steps that made the model in `directory`; none if it has no lineage.json. Throws an InputError on a bad one. */
export function readLineage(directory: string): LineageStep[] {
  const file = join(directory, LINEAGE)
  if (!existsSync(file)) return []
  return checked(file, readJsonFile(file, MAX_BYTES))
}

/** Writes the steps that made a model as lineage.json into its `directory`. */
export function writeLineage(directory: string, steps: readonly LineageStep[]): WrittenFile {
  const file = join(directory, LINEAGE)
  return writeFileAtomic(file, `${JSON.stringify(checked(file, steps), null, 2)}\n`)
}

/** Adds one step to the lineage of the model in `directory` and returns all of them. */
export function appendLineage(directory: string, step: LineageStep): LineageStep[] {
  const steps = [...readLineage(directory), step]
  writeLineage(directory, steps)
  return steps
}

function checked(file: string, steps: unknown): LineageStep[] {
  const parsed = lineageSchema.safeParse(steps)
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]!
  throw invalid(file, issue.path.join('.') || 'top', 'a list of lineage steps', issue.message)
}

function invalid(file: string, field: string, expected: string, got: string): InputError {
  return new InputError(`invalid lineage in ${file}:${field}: expected ${expected}, got ${got}. Restore or remove it`)
}

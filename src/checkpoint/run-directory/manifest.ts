// manifest.json, written last into a checkpoint: what belongs to it, byte for byte. Its own sha256 (of its JSON without that
// key) stands at its end, so a flipped bit in the manifest is seen like one in a weight.

import { lstatSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { CheckpointError } from '../../errors.ts'
import { readBounded } from '../../files/bounded-read.ts'
import { hashFile, hashText } from '../../files/hash.ts'
import { parseJson } from '../../files/read-json.ts'
import { isRelativeName } from '../../files/relative-name.ts'

/** Name of the manifest inside a checkpoint. */
export const MANIFEST = 'manifest.json'
const FORMAT = 'anneal-checkpoint-1'
const MAX_MANIFEST_BYTES = 64_000_000

/** What a run records beside the files: exact resume is promised only where these are the same. */
export interface CheckpointMeta {
  readonly versions: Readonly<Record<string, string>>
  readonly threads: number
  readonly seeds: Readonly<Record<string, number>>
  /** Anything else that JSON can hold, such as device and dtype. */
  readonly [key: string]: unknown
}

/** The content of manifest.json. Paths use `/` and are relative to the checkpoint. */
export interface Manifest {
  readonly format: typeof FORMAT
  readonly step: number
  readonly created: string
  readonly files: readonly { readonly path: string; readonly size: number; readonly sha256: string }[]
  readonly meta: CheckpointMeta
}

const sha256 = z.string().regex(/^[0-9a-f]{64}$/)
const schema = z.strictObject({
  format: z.literal(FORMAT),
  step: z.int().nonnegative(),
  created: z.iso.datetime(),
  files: z.array(
    z.strictObject({ path: z.string().refine(isRelativeName, 'unsafe path'), size: z.int().nonnegative(), sha256 }),
  ),
  meta: z.looseObject({
    versions: z.record(z.string(), z.string()),
    threads: z.number(),
    seeds: z.record(z.string(), z.number()),
  }),
  sha256,
})

/** The text of manifest.json. */
export function formatManifest(manifest: Omit<Manifest, 'format'>): string {
  const { step, created, files, meta } = manifest
  const body = { format: FORMAT, step, created, files, meta }
  return `${JSON.stringify({ ...body, sha256: digestOf(body) }, null, 2)}\n`
}

/** Reads the manifest of a checkpoint and checks it against its own hash; throws a CheckpointError that says what is wrong. */
export function readManifest(checkpoint: string): Manifest {
  const file = join(checkpoint, MANIFEST)
  const damaged = (expected: string, got: string, cause?: unknown): CheckpointError =>
    new CheckpointError(
      `damaged checkpoint in ${file}: expected ${expected}, got ${got}. Resume from another checkpoint`,
      {
        cause,
      },
    )
  let text: string
  try {
    text = readBounded(file, MAX_MANIFEST_BYTES).toString('utf8')
  } catch (error) {
    const got = (error as NodeJS.ErrnoException).code ?? 'no plain file of a sane size'
    throw damaged('a manifest, which is written last', got, error)
  }
  let json: unknown
  try {
    json = parseJson(text, file)
  } catch (error) {
    throw damaged('JSON', 'other text', error)
  }
  const parsed = schema.safeParse(json)
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!
    throw damaged(`a manifest of format ${FORMAT}`, `${issue.message} at ${issue.path.join('.') || 'the top'}`)
  }
  // Compared as text too, so that not even white space may change.
  const { sha256: recorded, ...body } = json as Manifest & { sha256: string }
  if (digestOf(body) !== recorded || `${JSON.stringify({ ...body, sha256: recorded }, null, 2)}\n` !== text) {
    throw damaged('a manifest with its own sha256', 'a changed one')
  }
  return body
}

/** Checks every file of a checkpoint against its manifest; throws a CheckpointError that names the first one at fault. */
export function verifyCheckpoint(checkpoint: string): Manifest {
  const manifest = readManifest(checkpoint)
  for (const { path, size, sha256 } of manifest.files) {
    const file = join(checkpoint, path)
    const damaged = (expected: string, got: string, cause?: unknown): CheckpointError =>
      new CheckpointError(
        `damaged checkpoint in ${file}: expected ${expected}, got ${got}. Resume from another checkpoint`,
        { cause },
      )
    const status = lstatSync(file, { throwIfNoEntry: false })
    if (status === undefined) throw damaged('a file', 'none')
    if (!status.isFile()) throw damaged('a plain file', 'something else')
    if (status.size !== size) throw damaged(`${size} bytes`, String(status.size))
    let found: string
    try {
      found = hashFile(file)
    } catch (error) {
      throw damaged('a readable file', (error as NodeJS.ErrnoException).code ?? 'an error', error)
    }
    if (found !== sha256) throw damaged(`sha256 ${sha256}`, found)
  }
  return manifest
}

function digestOf(body: object): string {
  return hashText(JSON.stringify(body, null, 2))
}

// A stage of a pipeline is a directory: complete, with a note of what it was made from, or absent. A rerun keeps those whose note is
// still right and makes the others anew.
import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { writeDirectoryAtomic, writeFileAtomic } from '../files/atomic-write.ts'
import { hashOf } from '../files/hash.ts'
import { readJsonFile } from '../files/read-json.ts'

const NOTE = 'stage.json'
const MAX_NOTE_BYTES = 1 << 20

/** What a stage is made from: its options, and the keys of the stages before. */
export type StageInputs = Readonly<Record<string, unknown>>

/** A hash of a stage's inputs: equal for equal inputs. */
export function stageKey(name: string, inputs: StageInputs): string {
  return hashOf(JSON.stringify([name, inputs]))
}

/** Whether the directory was completed from these inputs. */
export function isComplete(directory: string, key: string): boolean {
  const file = join(directory, NOTE)
  if (!existsSync(file)) return false
  const note = readJsonFile(file, MAX_NOTE_BYTES) as { key?: unknown } | null
  return note?.key === key
}

/** What the directory was made from; undefined where there is nothing or no note. */
export function madeFrom(directory: string): StageInputs | undefined {
  const file = join(directory, NOTE)
  if (!existsSync(file)) return undefined
  return (readJsonFile(file, MAX_NOTE_BYTES) as { inputs?: StageInputs } | null)?.inputs
}

/** Makes the stage through `fill(directory)`, which gets an empty directory elsewhere, unless it is complete. True where it was made. */
export async function makeStage(
  directory: string,
  name: string,
  inputs: StageInputs,
  fill: (directory: string) => Promise<void>,
): Promise<boolean> {
  const key = stageKey(name, inputs)
  if (isComplete(directory, key)) return false
  rmSync(directory, { recursive: true, force: true })
  await writeDirectoryAtomic(directory, async (staged) => {
    await fill(staged)
    writeFileAtomic(join(staged, NOTE), `${JSON.stringify({ stage: name, key, inputs }, null, 2)}\n`)
  })
  return true
}

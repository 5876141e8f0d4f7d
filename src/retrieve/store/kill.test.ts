// A writer that is killed at any step leaves an index in one of the states that it committed, and the next one goes on from there.
import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { InputError } from '../../errors.ts'
import { openIndex } from './search-index.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'anneal-index-kill-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const STEPS = 14
/** What the index has after so many commits: each adds three, changes one and takes one away. */
function stateAfter(steps: number): string[] {
  const documents = new Map<string, string>()
  for (let step = 0; step < steps; step++) {
    for (let i = 0; i < 3; i++) documents.set(`${step}-${i}`, `word${step} common`)
    if (step > 0) {
      documents.delete(`${step - 1}-0`)
      documents.delete(`${step - 1}-1`)
      documents.set(`${step - 1}-1`, `changed${step} common`)
    }
  }
  return [...documents].map(([id, text]) => `${id} ${text}`).sort()
}

const script = `
  const { writeIndex } = await import(${JSON.stringify(new URL('./index-writer.ts', import.meta.url).href)})
  const writer = writeIndex(process.argv[1])
  for (let step = writer.state?.steps ?? 0; step < ${STEPS}; step++) {
    await writer.add([0, 1, 2].map((i) => ({ id: step + '-' + i, text: 'word' + step + ' common' })))
    if (step > 0) {
      writer.remove([(step - 1) + '-0'])
      await writer.add([{ id: (step - 1) + '-1', text: 'changed' + step + ' common' }])
    }
    await writer.commit({ steps: step + 1 })
    process.stdout.write('.')
  }
  await writer.merge()
  writer.close()`

/** Runs the writer, to be killed at a point of its protocol or after it has told of so many commits; whether it was. */
function run(directory: string, { fault, dots }: { fault?: string; dots?: number }): Promise<boolean> {
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', script, directory], {
    env: { ...process.env, ANNEAL_FAULT: fault ?? '' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let told = 0
  child.stdout.on('data', (data: Buffer) => {
    told += data.length
    if (dots !== undefined && told >= dots) child.kill('SIGKILL')
  })
  return new Promise((resolve) => child.once('close', (_, signal) => resolve(signal === 'SIGKILL')))
}

/** How many steps the index has, which has to be just what was committed with them. */
async function committed(directory: string): Promise<number> {
  let index: ReturnType<typeof openIndex>
  try {
    index = openIndex(directory)
  } catch (error) {
    expect(error).toBeInstanceOf(InputError)
    expect((error as Error).message).toMatch(/expected an index, got no/)
    return 0
  }
  const { steps } = index.info.state as { steps: number }
  expect([...index.documents()].map(({ id, text }) => `${id} ${text}`).sort()).toEqual(stateAfter(steps))
  expect(await index.search('common', { k: 1000 })).toHaveLength(stateAfter(steps).length)
  index.close()
  return steps
}

const faults = process.env.ANNEAL_LONG
  ? Array.from({ length: 400 }, (_, i) => ({ fault: `*:${i + 1}` }))
  : [{ fault: '*:3' }, { fault: '*:41' }, { fault: 'renamed:9' }, { fault: 'synced:47' }, { dots: 6 }]

it.each(faults)('is whole after a kill at %o', { timeout: 120_000 }, async (where) => {
  const directory = join(folder, 'index')
  const wasKilled = await run(directory, where)
  expect(wasKilled || (process.env.ANNEAL_LONG !== undefined && !('dots' in where))).toBe(true)
  const before = await committed(directory)
  // Some points are before the first commit, but not all: a test that never found a state would prove nothing.
  if (!process.env.ANNEAL_LONG && !('fault' in where && where.fault === '*:3')) expect(before).toBeGreaterThan(0)
  expect(await run(directory, {})).toBe(false)
  expect(await committed(directory)).toBe(STEPS)
  expect(readdirSync(directory)).toHaveLength(2) // the manifest and one segment; nothing is left of what was killed
})

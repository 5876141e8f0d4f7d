// The promises of run-directory.ts about processes that die and disks that fill up, tried on real processes.

import { execFile, execFileSync, spawn } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { verifyCheckpoint } from './manifest.ts'
import { latestValid, writeCheckpoint } from './run-directory.ts'

const META = { versions: {}, threads: 1, seeds: {} }
const module = (name: string): string => JSON.stringify(join(import.meta.dirname, name))

/** Runs saves in `run` as a training would: start, save 3, save 3 again, and at last a final model at the top. */
const SAVES = `
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { writeDirectoryAtomic } from ${module('atomic-write.ts')}
import { latestValid, writeCheckpoint } from ${module('run-directory.ts')}
import { writeModelWeights } from ${module('model-weights.ts')}

const [run, bytes] = process.argv.slice(2)
const meta = { versions: {}, threads: 1, seeds: {} }
const weights = (directory, step) => {
  writeFileSync(join(directory, 'config.json'), JSON.stringify({ step }))
  const tensor = { name: 'w', dtype: 'U8', shape: [Number(bytes)], bytes: () => new Uint8Array(Number(bytes)).fill(step) }
  return writeModelWeights(directory, [tensor])
}
try {
  latestValid(run)
  const options = { saveTotalLimit: 2 }
  await writeCheckpoint(run, 3, (directory) => weights(directory, 3), meta, options)
  await writeCheckpoint(run, 3, (directory) => weights(directory, 3), meta, options)
  await writeDirectoryAtomic(run, (directory) => weights(directory, 3), { keyFile: 'config.json' })
  process.stdout.write('finished')
} catch (error) {
  process.stdout.write(JSON.stringify({ name: error.name, message: error.message, exitCode: error.exitCode }))
  if (process.env.SHOW) {
    const { readdirSync } = await import('node:fs')
    process.stdout.write('\\n' + JSON.stringify({ names: readdirSync(run).sort(), latest: latestValid(run)?.step }))
  }
}
`

let root: string
let program: string
/** A run with checkpoints 1 and 2 and a final model of step 2, made once and copied for each test. */
let prepared: string

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'anneal-crash-'))
  program = join(root, 'saves.ts')
  prepared = join(root, 'prepared')
  writeFileSync(join(root, 'package.json'), '{"type":"module"}')
  writeFileSync(program, SAVES)
  for (const step of [1, 2]) {
    const write = (directory: string): undefined => {
      writeFileSync(join(directory, 'config.json'), JSON.stringify({ step }))
      writeFileSync(join(directory, 'model.safetensors'), new Uint8Array(1000).fill(step))
    }
    await writeCheckpoint(prepared, step, write, META)
  }
  cpSync(join(prepared, 'checkpoint-2'), prepared, { recursive: true })
})
afterAll(() => rmSync(root, { recursive: true }))

const command = (run: string, bytes: number): string[] => ['--import', 'tsx', program, run, String(bytes)]

function prepare(name: string): string {
  const run = join(root, name)
  cpSync(prepared, run, { recursive: true })
  return run
}

/** Runs the saves with a fault; true if they finished, false if the fault killed them. */
async function isFinished(run: string, fault: string): Promise<boolean> {
  const env = { ...process.env, ANNEAL_FAULT: fault }
  try {
    return (await promisify(execFile)(process.execPath, command(run, 1000), { env })).stdout === 'finished'
  } catch (error) {
    expect((error as { signal?: string }).signal).toBe('SIGKILL')
    return false
  }
}

/** What must hold after a kill at any moment: nothing is lost, nothing is mixed, nothing is left behind, saving goes on. */
async function expectIntact(run: string): Promise<void> {
  const damaged: string[] = []
  const latest = latestValid(run, (path) => damaged.push(path))
  expect(damaged).toEqual([])
  expect([2, 3]).toContain(latest?.step)
  const names = readdirSync(run)
  expect(names.filter((name) => name.startsWith('.'))).toEqual([])
  for (const name of names.filter((entry) => entry.startsWith('checkpoint-'))) {
    const { step } = verifyCheckpoint(join(run, name))
    expect(readFileSync(join(run, name, 'config.json'), 'utf8')).toBe(JSON.stringify({ step }))
  }
  // The final model is the old one, the new one, or has no config.json and so does not load.
  if (names.includes('config.json')) {
    const { step } = JSON.parse(readFileSync(join(run, 'config.json'), 'utf8'))
    expect(readFileSync(join(run, 'model.safetensors')).at(-1)).toBe(step)
  }
  const saved = await writeCheckpoint(run, 4, (directory) => writeFileSync(join(directory, 'a'), '') as undefined, META)
  expect(latestValid(run)?.path).toBe(saved.path)
}

describe('a killed run', () => {
  it('keeps a valid checkpoint wherever between two steps of saving it is killed', async () => {
    let points = 0
    const killAtNext = async (): Promise<void> => {
      for (;;) {
        const run = prepare(`point-${++points}`)
        if (await isFinished(run, `*:${points}`)) return
        await expectIntact(run)
        rmSync(run, { recursive: true })
      }
    }
    await Promise.all([killAtNext(), killAtNext()])
    expect(points).toBeGreaterThan(40)
  }, 600_000)

  it('keeps a valid checkpoint when it is killed at random times', async () => {
    for (let trial = 0; trial < (process.env.ANNEAL_LONG ? 200 : 8); trial++) {
      const run = prepare(`random-${trial}`)
      const child = spawn(process.execPath, command(run, 30_000_000))
      const ended = new Promise((resolve) => child.on('exit', resolve))
      // Saving starts after roughly 300 ms and takes as long.
      await new Promise((resolve) => setTimeout(resolve, 250 + Math.random() * 600))
      child.kill('SIGKILL')
      await ended
      await expectIntact(run)
      rmSync(run, { recursive: true })
    }
  }, 600_000)
})

describe('a full disk', () => {
  it('at a file-size limit gives a DiskFullError and leaves the run as it was', () => {
    const run = prepare('limit')
    const before = readdirSync(run).sort()
    // 100 blocks of 1024 bytes; the weights take 200 000 bytes.
    const shell = `ulimit -f 100; exec "$0" "$@"`
    const output = execFileSync('bash', ['-c', shell, process.execPath, ...command(run, 200_000)], { encoding: 'utf8' })
    const error = JSON.parse(output)
    expect(error).toMatchObject({ name: 'DiskFullError', exitCode: 6 })
    expect(error.message).toMatch(
      /no space to write .*checkpoint-3: expected at least \d+ free bytes, got \d+ \(EFBIG\)/,
    )
    expect(readdirSync(run).sort()).toEqual(before)
    expect(latestValid(run)?.step).toBe(2)
  })

  const canMount = (() => {
    try {
      execFileSync('unshare', ['-m', 'bash', '-c', 'mount -t tmpfs -o size=1m none /mnt'], { stdio: 'ignore' })
      return true
    } catch {
      return false
    }
  })()

  it.skipIf(!canMount)('with no byte left gives a DiskFullError and leaves the run as it was', () => {
    const run = join(root, 'mounted')
    mkdirSync(run)
    // A file system of 1 MB that only the child sees; the old checkpoints fit, the new weights do not.
    const shell = `mount -t tmpfs -o size=1m none "${run}" && cp -r "${prepared}/." "${run}" && exec "$0" "$@"`
    const options = { encoding: 'utf8', env: { ...process.env, SHOW: '1' } } as const
    const output = execFileSync(
      'unshare',
      ['-m', 'bash', '-c', shell, process.execPath, ...command(run, 2_000_000)],
      options,
    )
    const [error, after] = output.split('\n').map((line) => JSON.parse(line))
    expect(error).toMatchObject({ name: 'DiskFullError', exitCode: 6 })
    expect(error.message).toMatch(/checkpoint-3: expected at least \d+ free bytes, got \d+ \(ENOSPC\)/)
    expect(after).toEqual({ names: readdirSync(prepared).sort(), latest: 2 })
  })
})

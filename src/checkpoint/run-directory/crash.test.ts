// The promises of run-directory.ts about processes that die and disks that fill up, tried on real processes.

import { type ExecFileSyncOptionsWithStringEncoding, execFile, execFileSync, spawn } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import ts from 'typescript'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { verifyCheckpoint } from './manifest.ts'
import { latestValid, writeCheckpoint } from './run-directory.ts'

const META = { versions: {}, threads: 1, seeds: {} }
const SOURCE = join(import.meta.dirname, '../..')

/** Runs saves in `run` as a training would: start, save 3, save 3 again, and at last a final model at the top. */
const SAVES = `
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { writeDirectoryAtomic } from './files/atomic-write.js'
import { latestValid, writeCheckpoint } from './checkpoint/run-directory/run-directory.js'
import { writeModelWeights } from './checkpoint/model-directory/model-weights.js'

const [run, bytes] = process.argv.slice(2)
const meta = { versions: {}, threads: 1, seeds: {} }
const weights = (directory, step) => {
  writeFileSync(join(directory, 'config.json'), JSON.stringify({ step }))
  const tensor = { name: 'w', dtype: 'U8', shape: [Number(bytes)], bytes: () => new Uint8Array(Number(bytes)).fill(step) }
  return writeModelWeights(directory, [tensor])
}
try {
  latestValid(run)
  process.stderr.write('started')
  const options = { saveTotalLimit: 2 }
  await writeCheckpoint(run, 3, (directory) => weights(directory, 3), meta, options)
  process.stdout.write('saved ')
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
  program = join(root, 'saves.js')
  prepared = join(root, 'prepared')
  writeFileSync(join(root, 'package.json'), '{"type":"module"}')
  writeFileSync(program, SAVES)
  symlinkSync(join(SOURCE, '../node_modules'), join(root, 'node_modules'))
  transpile()
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

/** Compiles the modules under test once: a child that starts in 0.1 s instead of 0.5 s lets us try every point. */
function transpile(): void {
  const namesIn = (room: string): string[] =>
    readdirSync(join(SOURCE, room), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
      .map((name) => join(room, name))
  const ground = readdirSync(SOURCE).filter((name) => /^[\w-]+\.ts$/.test(name) && name !== 'index.ts')
  for (const name of [...ground, ...namesIn('files'), ...namesIn('checkpoint')]) {
    mkdirSync(join(root, dirname(name)), { recursive: true })
    const { outputText } = ts.transpileModule(readFileSync(join(SOURCE, name), 'utf8'), {
      compilerOptions: {
        module: ts.ModuleKind.ESNext,
        target: ts.ScriptTarget.ES2023,
        verbatimModuleSyntax: true,
        rewriteRelativeImportExtensions: true,
      },
    })
    writeFileSync(join(root, name.replace(/ts$/, 'js')), outputText)
  }
}

const command = (run: string, bytes: number): string[] => [program, run, String(bytes)]

function prepare(name: string): string {
  const run = join(root, name)
  cpSync(prepared, run, { recursive: true })
  return run
}

/** Runs the saves with a fault and returns what they printed until they finished or the fault killed them. */
async function outputWith(fault: string, run: string): Promise<string> {
  const env = { ...process.env, ANNEAL_FAULT: fault }
  try {
    return (await promisify(execFile)(process.execPath, command(run, 1000), { env })).stdout
  } catch (error) {
    const { signal, stdout } = error as { signal?: string; stdout: string }
    expect(signal).toBe('SIGKILL')
    return stdout
  }
}

/** What must hold after a kill at any moment: nothing is lost, nothing is mixed, nothing is left behind, saving goes on. */
async function expectIntact(run: string, output: string): Promise<void> {
  const damaged: string[] = []
  const latest = latestValid(run, (path) => damaged.push(path))
  expect(damaged).toEqual([])
  // A checkpoint of step 3 that was reported stays, also while it is replaced.
  expect(output.includes('saved') ? [3] : [2, 3]).toContain(latest?.step)
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
        const output = await outputWith(`*:${points}`, run)
        await expectIntact(run, output)
        if (output.endsWith('finished')) return
        rmSync(run, { recursive: true })
      }
    }
    await Promise.all([killAtNext(), killAtNext()])
    expect(points).toBeGreaterThan(40)
  }, 600_000)

  it('keeps a valid checkpoint when it is killed at random times', async () => {
    for (let trial = 0; trial < (process.env.ANNEAL_LONG ? 200 : 10); trial++) {
      const run = prepare(`random-${trial}`)
      const child = spawn(process.execPath, command(run, 8_000_000))
      const ended = new Promise((resolve) => child.on('close', resolve))
      let output = ''
      child.stdout.on('data', (data) => {
        output += data
      })
      await new Promise((resolve) => child.stderr.once('data', resolve))
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 150)) // about as long as the saves take
      child.kill('SIGKILL')
      await ended
      await expectIntact(run, output)
      rmSync(run, { recursive: true })
    }
  }, 600_000)
})

describe('a full disk', () => {
  const quiet: ExecFileSyncOptionsWithStringEncoding = { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }

  it('at a file-size limit gives a DiskFullError and leaves the run as it was', () => {
    const run = prepare('limit')
    const before = readdirSync(run).sort()
    // 100 blocks of 1024 bytes; the weights take 200 000 bytes.
    const shell = `ulimit -f 100; exec "$0" "$@"`
    const output = execFileSync('bash', ['-c', shell, process.execPath, ...command(run, 200_000)], quiet)
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
    const options = { ...quiet, env: { ...process.env, SHOW: '1' } }
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

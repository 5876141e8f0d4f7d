// `kill -9` at any moment, signals, damaged checkpoints and full disks, tried on real training processes.
import { execFileSync } from 'node:child_process'
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { verifyCheckpoint } from '../../src/checkpoint/run-directory/manifest.ts'
import { findCheckpoints, latestValid } from '../../src/checkpoint/run-directory/run-directory.ts'
import { ofType } from './tiny-model.ts'
import { annealHere, type Ended, endOf, makeWorkspace, resultOf, startAnneal, type Workspace } from './tiny-run.ts'

const STEPS = 16
const CONFIG = {
  max_steps: STEPS,
  save_steps: 2,
  save_total_limit: 2,
  gradient_accumulation_steps: 2,
  val_split: 0.2,
  eval_strategy: 'steps',
  eval_steps: 4,
}
const RESUME = ['--resume_from_checkpoint', 'auto']

// Every checkpoint waits for the disk some ten times, which a busy one makes long.
vi.setConfig({ testTimeout: 300_000 })

let workspace: Workspace
let expected: Record<string, unknown>
beforeAll(async () => {
  workspace = await makeWorkspace()
  expect((await annealHere(workspace.words('straight', CONFIG))).code).toBe(0)
  expected = resultOf(workspace.outputOf('straight'), STEPS)
})
afterAll(() => workspace.remove())

const leftovers = (directory: string): string[] => readdirSync(directory).filter((name) => name.startsWith('.'))

/** Steps that a killed process had reported but not saved: what the next one has to do again. */
function lostSteps(killed: Ended, directory: string): number {
  const done = ofType(killed.events, 'step-done').at(-1)?.metrics.step ?? 0
  const damaged: string[] = []
  const saved = latestValid(directory, (path) => damaged.push(path))?.step ?? 0
  expect(damaged).toEqual([])
  // The lock of a dead process holds nobody up: the next run takes it over, and leaves none (below).
  expect(leftovers(directory).filter((name) => name !== '.lock')).toEqual([])
  for (const { path } of findCheckpoints(directory)) verifyCheckpoint(path)
  return Math.max(0, done - saved)
}

/** Kills the run again and again, each process going on from the last, then lets it finish. */
async function killRepeatedly(name: string, kills: number, start: (words: string[]) => Promise<Ended>): Promise<void> {
  const words = [...workspace.words(name, CONFIG), ...RESUME]
  const directory = workspace.outputOf(name)
  for (let kill = 0; kill < kills; kill++) {
    const ended = await start(words)
    if (ended.signal === null) {
      expect(ended.code, ended.err).toBe(0)
      expect(resultOf(directory, STEPS)).toEqual(expected)
      rmSync(directory, { recursive: true }) // it was faster than we; start over
      continue
    }
    expect(ended.signal).toBe('SIGKILL')
    if (existsSync(directory)) expect(lostSteps(ended, directory)).toBeLessThanOrEqual(CONFIG.save_steps)
  }
  const { code, err } = await endOf(startAnneal(words))
  expect(code, err).toBe(0)
  expect(resultOf(directory, STEPS)).toEqual(expected)
  expect(leftovers(directory)).toEqual([])
}

const kills = process.env.ANNEAL_LONG ? 100 : 5

describe('a run that is killed', () => {
  it('at points between two writes ends with the bits of the run that never was', async () => {
    // A checkpoint passes some 50 points; the counts reach from the first file of the first one to the second one.
    const fault = (): string => `*:${1 + Math.floor(Math.random() * 110)}`
    await killRepeatedly('faults', kills, (words) => endOf(startAnneal(words, { ANNEAL_FAULT: fault() })))
  }, 3_600_000)

  it('at random times ends with the bits of the run that never was', async () => {
    await killRepeatedly('random', kills, async (words) => {
      const child = startAnneal(words)
      const after = Math.floor(Math.random() * 6)
      let steps = 0
      return endOf(child, () => {
        if (steps++ === after) setTimeout(() => child.kill('SIGKILL'), Math.random() * 30)
      })
    })
  }, 3_600_000)
})

describe('a signal', () => {
  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)('%s ends the run after its step with a checkpoint and exit code %i', async (signal, code) => {
    const words = workspace.words(signal, CONFIG)
    const child = startAnneal(words)
    let sentAt = 0
    const ended = await endOf(child, (step) => {
      if (sentAt > 0 || step < 3) return
      child.kill(signal)
      setTimeout(() => child.kill(signal), 30) // supervisors signal the process and its group
      sentAt = step
    })
    expect(ended.code, ended.err).toBe(code)
    expect(ended.err).toContain(`${signal}: finishing this step and saving. A signal after 1 s ends the run at once`)
    const last = ofType(ended.events, 'step-done').at(-1)!.metrics.step
    expect(ofType(ended.events, 'checkpoint-saved').at(-1)).toMatchObject({ step: last })
    expect(latestValid(workspace.outputOf(signal))?.step).toBe(last)
    // The pipe takes a moment to tell us of a step, and the step that runs is finished.
    expect(last - sentAt).toBeLessThan(STEPS - 3)
    const { code: end, err } = await annealHere([...words, ...RESUME])
    expect(end, err).toBe(0)
    expect(resultOf(workspace.outputOf(signal), STEPS)).toEqual(expected)
  })

  it('is not needed: a reader of --json that goes away ends the run in the same way', async () => {
    const words = workspace.words('unread', { ...CONFIG, max_steps: 100_000, save_steps: 50_000 })
    const child = startAnneal(words)
    const ended = await endOf(child, (step) => {
      if (step === 3) child.stdout!.destroy()
    })
    expect([ended.code, ended.signal], ended.err).toEqual([141, null])
    expect(ended.err).toContain('nobody reads standard output: finishing this step and saving')
    expect(latestValid(workspace.outputOf('unread'))?.step).toBeGreaterThanOrEqual(3)
    expect(leftovers(workspace.outputOf('unread'))).toEqual([])
  })
})

describe('a damaged checkpoint', () => {
  const damage: [string, (directory: string) => void][] = [
    [
      'one flipped bit in the weights',
      (directory) => {
        const file = join(directory, 'model.safetensors')
        const bytes = readFileSync(file)
        bytes[bytes.length - 1000]! ^= 1
        writeFileSync(file, bytes)
      },
    ],
    ['an empty file', (directory) => writeFileSync(join(directory, 'optimizer.safetensors'), '')],
    ['a missing file', (directory) => rmSync(join(directory, 'run_state.json'))],
    ['a missing manifest', (directory) => rmSync(join(directory, 'manifest.json'))],
    ['a longer log', (directory) => appendFileSync(join(directory, 'trainer_state.json'), ' ')],
  ]

  it.each(damage)(
    'with %s is seen: auto falls back to the one before, its own path is refused',
    async (name, spoil) => {
      const words = workspace.words(name.replaceAll(' ', '-'), { ...CONFIG, save_total_limit: 4 })
      const directory = workspace.outputOf(name.replaceAll(' ', '-'))
      expect((await annealHere(words, 7)).code).toBe(143)
      const newest = join(directory, 'checkpoint-7')
      spoil(newest)
      const refused = await annealHere([...words, '--resume_from_checkpoint', newest])
      expect(refused.code).toBe(4)
      expect(refused.err).toMatch(
        /^error: damaged checkpoint in .*checkpoint-7\/.*: expected .*, got .*\. Resume from another checkpoint\n$/m,
      )
      const { code, err, events } = await annealHere([...words, ...RESUME])
      expect(code, err).toBe(0)
      expect(err).toMatch(/^notice: .*checkpoint-7 is damaged and is left out: /m)
      expect(ofType(events, 'run-start')[0]).toMatchObject({ startStep: 6 })
      expect(resultOf(directory, STEPS)).toEqual(expected)
    },
  )
})

describe('a full disk', () => {
  it('lets the run go on, keeps the last checkpoint, and shows in the exit code', async () => {
    const words = workspace.words('full', CONFIG)
    const directory = workspace.outputOf('full')
    expect((await annealHere(words, 5)).code).toBe(143)
    const before = readFileSync(join(directory, 'checkpoint-5', 'manifest.json'), 'utf8')
    // Blocks of 1024 bytes: the weights have 113 kB and fit, the moments of the optimizer have twice as many and do not.
    const ended = await endOf(startAnneal([...words, ...RESUME], {}, 'ulimit -f 150;'))
    expect(ended.code, ended.err).toBe(6)
    const failed = ofType(ended.events, 'checkpoint-failed')
    expect(failed.map(({ step }) => step)).toEqual([6, 8, 10, 12, 14, 16])
    expect(failed[0]!.message).toMatch(
      /^no space to write .*checkpoint-6: expected at least \d+ free bytes, got \d+ \(EFBIG\)\. What was there before is intact/,
    )
    expect(ofType(ended.events, 'run-end')[0]).toMatchObject({ step: STEPS, reason: 'finished' })
    expect(leftovers(directory)).toEqual([])
    expect(latestValid(directory)?.step).toBe(5)
    expect(readFileSync(join(directory, 'checkpoint-5', 'manifest.json'), 'utf8')).toBe(before)
    // With space again the run can be finished properly.
    expect((await annealHere([...words, ...RESUME])).code).toBe(0)
    expect(resultOf(directory, STEPS)).toEqual(expected)
  })

  const canMount = ((): boolean => {
    try {
      execFileSync('unshare', ['-m', 'bash', '-c', 'mount -t tmpfs -o size=1m none /mnt'], { stdio: 'ignore' })
      return true
    } catch {
      return false
    }
  })()

  it.skipIf(!canMount)('with no byte left, event files included, does not end the run either', async () => {
    const words = workspace.words('mounted', { ...CONFIG, report_to: 'tensorboard' })
    const directory = workspace.outputOf('mounted')
    mkdirSync(directory)
    // Only the process sees this file system: one checkpoint fits, the second does not. What it has is copied out at the end.
    const inside = `mount -t tmpfs -o size=600k none ${directory} && "$@" >&1; code=$?; cp -r ${directory} ${directory}-copy; exit $code`
    const shell = `set -- unshare -m bash -c '${inside}' bash "$@";`
    const ended = await endOf(startAnneal(words, {}, shell))
    expect(ended.code, ended.err).toBe(6)
    expect(ofType(ended.events, 'run-end')[0]).toMatchObject({ step: STEPS })
    expect(ofType(ended.events, 'checkpoint-failed').length).toBeGreaterThan(5)
    expect(leftovers(`${directory}-copy`)).toEqual([])
    expect(latestValid(`${directory}-copy`)?.step).toBe(2)
  })
})

import { createHash } from 'node:crypto'
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { CheckpointError, DiskFullError } from '../../errors.ts'
import { writeFileAtomic } from '../../files/atomic-write.ts'
import { MANIFEST, readManifest, verifyCheckpoint } from './manifest.ts'
import { findCheckpoints, latestValid, writeCheckpoint } from './run-directory.ts'

const META = { versions: { anneal: '0.1.0', libtorch: '2.13.0' }, threads: 1, seeds: { seed: 42 }, device: 'cpu' }
let run: string
beforeEach(() => {
  run = join(mkdtempSync(join(tmpdir(), 'anneal-run-')), 'out')
  onTestFinished(() => rmSync(join(run, '..'), { recursive: true }))
})

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

/** Saves a checkpoint with files in it, one of them in a folder. */
async function save(
  step: number,
  options?: Parameters<typeof writeCheckpoint>[4],
  text = `weights of ${step}`,
): Promise<string> {
  const write = (directory: string) => {
    mkdirSync(join(directory, 'sub'))
    writeFileSync(join(directory, 'sub/state.json'), '{}')
    writeFileSync(join(directory, 'optimizer.safetensors'), `optimizer of ${step}`)
    return [writeFileAtomic(join(directory, 'model.safetensors'), text)]
  }
  return (await writeCheckpoint(run, step, write, META, options)).path
}

describe('writeCheckpoint', () => {
  it('leaves the files and a manifest of them', async () => {
    const path = await save(5)
    expect(readdirSync(run)).toEqual(['checkpoint-5'])
    expect(readManifest(path)).toMatchObject({
      format: 'anneal-checkpoint-1',
      step: 5,
      meta: META,
      files: [
        { path: 'model.safetensors', size: 12, sha256: sha256('weights of 5') },
        { path: 'optimizer.safetensors', size: 14, sha256: sha256('optimizer of 5') },
        { path: 'sub/state.json', size: 2, sha256: sha256('{}') },
      ],
    })
    expect(verifyCheckpoint(path).step).toBe(5)
  })

  it('waits for a writer that is asynchronous and hashes what it did not report', async () => {
    const write = async (directory: string): Promise<undefined> => {
      await new Promise((resolve) => setTimeout(resolve, 5))
      writeFileSync(join(directory, 'a'), 'late')
    }
    const { manifest } = await writeCheckpoint(run, 1, write, META)
    expect(manifest.files).toEqual([{ path: 'a', size: 4, sha256: sha256('late') }])
  })

  it('does not trust a reported hash when the file changed size since', async () => {
    const write = (directory: string) => {
      const written = writeFileAtomic(join(directory, 'a'), 'first')
      appendFileSync(written.path, '!')
      return [written]
    }
    const { path } = await writeCheckpoint(run, 1, write, META)
    expect(verifyCheckpoint(path).files[0]?.sha256).toBe(sha256('first!'))
  })

  it('replaces a checkpoint of the same step', async () => {
    await save(5)
    const path = await save(5, {}, 'better')
    expect(readFileSync(join(path, 'model.safetensors'), 'utf8')).toBe('better')
    expect(verifyCheckpoint(path).step).toBe(5)
    expect(readdirSync(run)).toEqual(['checkpoint-5'])
  })

  it('leaves everything as before when the writer fails', async () => {
    await save(5)
    const failing = writeCheckpoint(run, 5, () => Promise.reject(new Error('stop')), META)
    await expect(failing).rejects.toThrow('stop')
    expect(readdirSync(run)).toEqual(['checkpoint-5'])
    expect(latestValid(run)?.step).toBe(5)
  })

  it('refuses links, which could point anywhere later', async () => {
    const write = (directory: string): undefined => symlinkSync('/etc/hostname', join(directory, 'a')) as undefined
    await expect(writeCheckpoint(run, 1, write, META)).rejects.toThrow(/expected a plain file/)
    expect(readdirSync(run)).toEqual([])
  })

  it('says before it writes that there is no room', async () => {
    const full = writeCheckpoint(run, 1, () => expect.unreachable(), META, { expectedBytes: 2 ** 60 })
    await expect(full).rejects.toThrow(DiskFullError)
    // 1.1 × 2^60 = 1268213645668…
    await expect(full).rejects.toThrow(/at least 12682136\d+ free bytes, got \d+ \(checked before writing\)/)
    expect(readdirSync(run)).toEqual([])
  })

  it('keeps the newest checkpoints and the best one', async () => {
    const first = await save(10)
    await save(20)
    await save(30, { saveTotalLimit: 2, bestCheckpoint: first })
    expect(readdirSync(run).sort()).toEqual(['checkpoint-10', 'checkpoint-30'])
    await save(40, { saveTotalLimit: 1, bestCheckpoint: first })
    expect(readdirSync(run).sort()).toEqual(['checkpoint-10', 'checkpoint-40'])
    await save(100, { saveTotalLimit: 2 })
    expect(readdirSync(run).sort()).toEqual(['checkpoint-100', 'checkpoint-40'])
    // Going on from an earlier step: what was just written stays, whatever its number.
    await save(5, { saveTotalLimit: 1 })
    expect(readdirSync(run)).toEqual(['checkpoint-5'])
  })

  it('does not delete checkpoints of other programs', async () => {
    mkdirSync(join(run, 'checkpoint-1'), { recursive: true })
    await save(10, { saveTotalLimit: 1 })
    await save(20, { saveTotalLimit: 1 })
    expect(readdirSync(run).sort()).toEqual(['checkpoint-1', 'checkpoint-20'])
  })
})

describe('findCheckpoints', () => {
  it('lists by step, not by name, and says what is wrong with each', async () => {
    for (const step of [100, 20, 3]) await save(step)
    unlinkSync(join(run, 'checkpoint-20', MANIFEST))
    for (const name of ['checkpoint-x', 'checkpoint-1-old', 'runs']) mkdirSync(join(run, name))
    const found = findCheckpoints(run)
    expect(found.map(({ step }) => step)).toEqual([3, 20, 100])
    expect(found.map(({ problem }) => problem === undefined)).toEqual([true, false, true])
    expect(found[1]?.problem).toMatch(/checkpoint-20\/manifest\.json: expected a manifest, .* got ENOENT/)
  })

  it('finds nothing where there is no run', () => {
    expect(findCheckpoints(join(run, 'absent'))).toEqual([])
    expect(latestValid(join(run, 'absent'))).toBeUndefined()
  })
})

describe('latestValid', () => {
  it('skips damaged checkpoints, newest first, and reports each', async () => {
    for (const step of [1, 2, 3]) await save(step)
    truncateSync(join(run, 'checkpoint-3/model.safetensors'), 3)
    unlinkSync(join(run, 'checkpoint-2', MANIFEST))
    const reports: string[] = []
    expect(latestValid(run, (_, problem) => reports.push(problem))?.path).toBe(join(run, 'checkpoint-1'))
    expect(reports).toEqual([
      expect.stringMatching(/checkpoint-3\/model\.safetensors: expected 12 bytes, got 3/),
      expect.stringMatching(/checkpoint-2\/manifest\.json/),
    ])
  })

  it('goes by the step in the manifest when a directory was renamed', async () => {
    await save(7)
    await save(9)
    renameSync(join(run, 'checkpoint-7'), join(run, 'checkpoint-70'))
    expect(latestValid(run)?.step).toBe(9)
  })

  it('is undefined when none is left', async () => {
    await save(1)
    writeFileSync(join(run, 'checkpoint-1/model.safetensors'), '')
    expect(latestValid(run)).toBeUndefined()
  })
})

describe('verifyCheckpoint', () => {
  const NAMES = ['model.safetensors', 'optimizer.safetensors', 'sub/state.json', MANIFEST]

  it('sees every single flipped byte in every file', async () => {
    const path = await save(1)
    let damages = 0
    for (const name of NAMES) {
      const file = join(path, name)
      const whole = readFileSync(file)
      for (let at = 0; at < whole.length; at++) {
        for (const bit of [1, 0x20, 0x80]) {
          const damaged = Buffer.from(whole)
          damaged[at]! ^= bit
          writeFileSync(file, damaged)
          expect(() => verifyCheckpoint(path), `${name} byte ${at} bit ${bit}`).toThrow(CheckpointError)
          damages++
        }
      }
      writeFileSync(file, whole)
    }
    expect(damages).toBeGreaterThan(1000)
    expect(verifyCheckpoint(path).step).toBe(1)
  })

  it('sees every truncation, a byte too many, an empty file and a missing one', async () => {
    const path = await save(1)
    for (const name of NAMES) {
      const file = join(path, name)
      const whole = readFileSync(file)
      for (let length = 0; length < whole.length; length++) {
        writeFileSync(file, whole.subarray(0, length))
        expect(() => verifyCheckpoint(path)).toThrow(CheckpointError)
      }
      writeFileSync(file, Buffer.concat([whole, Buffer.from(' ')]))
      expect(() => verifyCheckpoint(path)).toThrow(name)
      unlinkSync(file)
      expect(() => verifyCheckpoint(path)).toThrow(name)
      mkdirSync(file)
      expect(() => verifyCheckpoint(path)).toThrow(name)
      rmSync(file, { recursive: true })
      writeFileSync(file, whole)
    }
    expect(verifyCheckpoint(path).step).toBe(1)
  })

  it('sees files that were swapped, within a checkpoint and between two', async () => {
    const swap = (a: string, b: string): void => {
      renameSync(a, `${a}.x`)
      renameSync(b, a)
      renameSync(`${a}.x`, b)
    }
    const one = await save(1)
    const two = await save(2)
    const within = [join(one, 'model.safetensors'), join(one, 'optimizer.safetensors')] as const
    swap(...within)
    expect(() => verifyCheckpoint(one)).toThrow(CheckpointError)
    swap(...within)
    for (const name of ['model.safetensors', MANIFEST]) {
      swap(join(one, name), join(two, name))
      expect(() => verifyCheckpoint(one)).toThrow(CheckpointError)
      expect(() => verifyCheckpoint(two)).toThrow(CheckpointError)
      swap(join(one, name), join(two, name))
    }
    expect(verifyCheckpoint(one).step).toBe(1)
  })

  it('does not follow a manifest out of the checkpoint', async () => {
    const path = await save(1)
    const { sha256: _, ...body } = JSON.parse(readFileSync(join(path, MANIFEST), 'utf8'))
    body.files[0].path = '../../outside'
    const forged = { ...body, sha256: sha256(JSON.stringify(body, null, 2)) }
    writeFileSync(join(path, MANIFEST), `${JSON.stringify(forged, null, 2)}\n`)
    expect(() => verifyCheckpoint(path)).toThrow(/unsafe path at files\.0\.path/)
  })

  it('does not follow a link in place of a file', async () => {
    const path = await save(1)
    renameSync(join(path, 'model.safetensors'), join(run, 'elsewhere'))
    symlinkSync(join(run, 'elsewhere'), join(path, 'model.safetensors'))
    expect(() => verifyCheckpoint(path)).toThrow(/expected a plain file/)
    expect(existsSync(path)).toBe(true)
  })
})

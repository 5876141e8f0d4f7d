import { createHash } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { DiskFullError } from '../errors.ts'
import { withDiskFullError, writeDirectoryAtomic, writeFileAtomic } from './atomic-write.ts'
import { pathBeside, sweepLeftovers } from './leftover.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'anneal-atomic-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
})
const inside = (name: string): string => join(directory, name)
const text = (name: string): string => readFileSync(inside(name), 'utf8')

describe('writeFileAtomic', () => {
  it('writes a file and returns its size and sha256', () => {
    const written = writeFileAtomic(inside('a'), (sink) => {
      sink.write('grö')
      sink.write(new Uint8Array([0x21]))
    })
    const sha256 = createHash('sha256').update('grö!').digest('hex')
    expect(written).toEqual({ path: inside('a'), size: 5, sha256 })
    expect(text('a')).toBe('grö!')
  })

  it('keeps the old file and leaves no other when writing fails', () => {
    writeFileAtomic(inside('a'), 'old')
    const half = (): void => {
      writeFileAtomic(inside('a'), (sink) => {
        sink.write('new')
        throw new Error('stop')
      })
    }
    expect(half).toThrow('stop')
    expect(text('a')).toBe('old')
    expect(readdirSync(directory)).toEqual(['a'])
  })

  it('replaces a link itself, not the file that it points to', () => {
    writeFileSync(inside('outside'), 'mine')
    symlinkSync(inside('outside'), inside('a'))
    writeFileAtomic(inside('a'), 'new')
    expect(text('outside')).toBe('mine')
    expect(text('a')).toBe('new')
  })
})

describe('writeDirectoryAtomic', () => {
  it('makes a directory that appears when it is complete', async () => {
    await writeDirectoryAtomic(inside('deep/out'), (staged) => {
      writeFileSync(join(staged, 'a'), '1')
      expect(existsSync(inside('deep/out'))).toBe(false)
    })
    expect(readdirSync(inside('deep/out'))).toEqual(['a'])
    expect(readdirSync(inside('deep'))).toEqual(['out'])
  })

  it('leaves nothing when the writer fails', async () => {
    const failing = writeDirectoryAtomic(inside('out'), (staged) => {
      writeFileSync(join(staged, 'a'), '1')
      throw new Error('stop')
    })
    await expect(failing).rejects.toThrow('stop')
    expect(readdirSync(directory)).toEqual([])
  })

  it('replaces namesakes and stale entries of an existing directory and keeps the rest', async () => {
    mkdirSync(inside('out/checkpoint-1'), { recursive: true })
    mkdirSync(inside('out/sub'))
    for (const name of ['config.json', 'model-00001.safetensors', 'notes.md', 'sub/old'])
      writeFileSync(inside(`out/${name}`), 'old')
    const write = (staged: string): void => {
      mkdirSync(join(staged, 'sub'))
      for (const name of ['config.json', 'model.safetensors', 'sub/new']) writeFileSync(join(staged, name), 'new')
    }
    const isStale = (name: string): boolean => name.endsWith('.safetensors')
    await writeDirectoryAtomic(inside('out'), write, { keyFile: 'config.json', isStale })
    const left = ['checkpoint-1', 'config.json', 'model.safetensors', 'notes.md', 'sub']
    expect(readdirSync(inside('out')).sort()).toEqual(left)
    expect(readdirSync(inside('out/sub'))).toEqual(['new'])
    expect([text('out/config.json'), text('out/model.safetensors'), text('out/notes.md')]).toEqual([
      'new',
      'new',
      'old',
    ])
    expect(readdirSync(directory)).toEqual(['out'])
  })
})

describe('withDiskFullError', () => {
  it.each(['ENOSPC', 'EDQUOT', 'EFBIG'])('turns %s into a DiskFullError with needed and free bytes', async (code) => {
    const full = (): never => {
      throw Object.assign(new Error(code), { code })
    }
    const message = new RegExp(`at least 12345 free bytes, got \\d+ \\(${code}\\)`)
    expect(() => withDiskFullError(inside('a'), 12_345, full)).toThrow(message)
    expect(() => withDiskFullError(inside('a'), 12_345, full)).toThrow(DiskFullError)
    await expect(withDiskFullError(inside('a'), 12_345, async () => full())).rejects.toThrow(message)
  })

  it('passes other errors on', () => {
    const other = new Error('other')
    expect(() =>
      withDiskFullError(inside('a'), 1, () => {
        throw other
      }),
    ).toThrow(other)
  })
})

describe('sweepLeftovers', () => {
  // The highest process id that Linux can give is 2^22.
  const dead = (path: string): string => path.replace(`-${process.pid}-`, '-4194305-')

  it('removes what dead processes were writing and puts back what they were replacing', () => {
    for (const name of ['checkpoint-1', 'checkpoint-3']) mkdirSync(inside(name))
    mkdirSync(dead(pathBeside(inside('checkpoint-1'), 'tmp')))
    mkdirSync(dead(pathBeside(inside('checkpoint-1'), 'old')))
    mkdirSync(dead(pathBeside(inside('checkpoint-2'), 'old')))
    mkdirSync(dead(pathBeside(inside('checkpoint-4'), 'drop')))
    writeFileSync(dead(pathBeside(inside('model.safetensors'), 'tmp')), '')
    expect(sweepLeftovers(directory).length).toBe(5)
    expect(readdirSync(directory).sort()).toEqual(['checkpoint-1', 'checkpoint-2', 'checkpoint-3'])
  })

  it('leaves alone what a living process is writing and what is not its own', () => {
    mkdirSync(pathBeside(inside('checkpoint-1'), 'tmp'))
    mkdirSync(pathBeside(inside('checkpoint-1'), 'tmp').replace(`-${process.pid}-`, `-${process.ppid}-`))
    for (const name of ['.git', '.x.tmp-12', '.env.old', 'x.tmp-4194305-0123456789ab']) mkdirSync(inside(name))
    expect(sweepLeftovers(directory)).toEqual([])
    expect(sweepLeftovers(inside('absent'))).toEqual([])
  })
})

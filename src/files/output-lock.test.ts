import { spawn, spawnSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { UsageError } from '../errors.ts'
import { lockOutput, lockTarget } from './output-lock.ts'

let directory: string
let file: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'anneal-lock-'))
  file = join(directory, '.lock')
})
afterEach(() => rmSync(directory, { recursive: true }))

const lock = (): (() => void) => lockOutput(file, directory, 'output_dir')

describe('lockOutput', () => {
  it('names the place where it is on a full disk', () => {
    const lockUrl = new URL('./output-lock.ts', import.meta.url)
    const script = `import { lockTarget } from '${lockUrl}'
      try { lockTarget(process.argv[1], 'out') } catch ({ name, message }) { console.log(name, message) }`
    // A limit of no bytes for any file: as a disk without room.
    const shell = 'ulimit -f 0; exec "$0" --import tsx --input-type=module -e "$1" "$2"'
    const { stdout } = spawnSync('bash', ['-c', shell, process.execPath, script, directory], { encoding: 'utf8' })
    expect(stdout).toMatch(`DiskFullError no space to write ${directory}`)
    expect(stdout).toMatch(/got \d+ \(EFBIG\)/)
    expect(readdirSync(directory)).toEqual([])
  })

  it('lets one in, and the next when that one has left', () => {
    const unlock = lock()
    expect(lock).toThrow(UsageError)
    expect(lock).toThrow(new RegExp(`^output_dir: .* got ${directory}, .*process ${process.pid}, since 20`))
    unlock()
    expect(existsSync(file)).toBe(false)
    lock()()
    expect(readdirSync(directory)).toEqual([])
  })

  it('takes over from a process that is gone, and from one that got its id later', () => {
    const { pid } = spawnSync(process.execPath, ['-e', ''])
    writeFileSync(file, JSON.stringify({ pid, began: '1', since: 'then' }))
    lock()()
    writeFileSync(file, JSON.stringify({ pid: process.pid, began: 'another time', since: 'then' }))
    lock()()
    expect(readdirSync(directory)).toEqual([])
  })

  it('is held by another process that lives, and by none once that is killed', async () => {
    const other = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'])
    await new Promise((resolve) => other.once('spawn', resolve))
    lock()()
    const unlock = lock()
    const began = existsSync(`/proc/${other.pid}/stat`)
      ? readFileSync(`/proc/${other.pid}/stat`, 'utf8').split(') ')[1]!.split(' ')[19]
      : ''
    unlock()
    writeFileSync(file, JSON.stringify({ pid: other.pid, began, since: 'now' }))
    expect(lock).toThrow(`process ${other.pid}`)
    other.kill('SIGKILL')
    await new Promise((resolve) => other.once('exit', resolve))
    lock()()
  })

  it('waits for one that is being written, and not for the rest of one whose writer died', () => {
    writeFileSync(file, '{"pid')
    expect(lock).toThrow(UsageError)
    utimesSync(file, new Date(0), new Date(0))
    lock()()
    expect(readdirSync(directory)).toEqual([])
  })

  it('is never seen half written', async () => {
    // Another process looks as fast as it can while this one takes the lock and gives it back.
    const look = `
      const { readFileSync } = require('node:fs')
      let seen = 0
      const until = Date.now() + 400
      while (Date.now() < until) {
        try {
          JSON.parse(readFileSync(${JSON.stringify(file)}, 'utf8'))
          seen++
        } catch (error) {
          if (error.code !== 'ENOENT') throw error
        }
      }
      process.stdout.write(String(seen))`
    const other = spawn(process.execPath, ['-e', look], { stdio: ['ignore', 'pipe', 'ignore'] })
    let out = ''
    other.stdout.on('data', (data) => (out += data))
    let isOver = false
    const code = new Promise((resolve) => other.once('close', resolve)).finally(() => (isOver = true))
    while (!isOver) {
      lock()()
      await setImmediate()
    }
    expect(await code, out).toBe(0)
    expect(readdirSync(directory)).toEqual([])
  })

  it('leaves alone what another took over meanwhile', () => {
    const unlock = lock()
    writeFileSync(file, JSON.stringify({ pid: 1, began: 'b', since: 's' }))
    unlock()
    expect(existsSync(file)).toBe(true)
  })
})

describe('lockTarget', () => {
  it('holds a folder against those who would make it and those who find it made', () => {
    const target = join(directory, 'out')
    const unlockNew = lockTarget(target, 'out')
    mkdirSync(target)
    expect(() => lockTarget(target, 'output_dir')).toThrow(/^output_dir: .*another run is writing \(process/)
    unlockNew()
    const unlock = lockTarget(target, 'output_dir')
    expect(() => lockTarget(target, 'out')).toThrow(/^out: .*another run is writing \(process/)
    symlinkSync(target, join(directory, 'link'))
    expect(() => lockTarget(join(directory, 'link'), 'out')).toThrow(UsageError)
    unlock()
    lockTarget(target, 'out')()
    expect([readdirSync(target), readdirSync(directory)]).toEqual([[], ['link', 'out']])
  })
})

import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { UsageError } from '../errors.ts'
import { checkDemoDirectory, clearDemoDirectory } from './demo-directory.ts'

let parent: string
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'anneal-directory-'))
})
afterEach(() => rmSync(parent, { recursive: true, force: true }))

describe('the demo directory', () => {
  it('is made where there is none, and changes nothing when only checked', () => {
    const directory = join(parent, 'runs', 'demo')
    checkDemoDirectory(directory)
    expect(existsSync(join(parent, 'runs'))).toBe(false)
    clearDemoDirectory(directory)
    expect(readdirSync(directory)).toEqual(['.anneal-demo'])
  })

  it('loses what a demo made and nothing else', () => {
    clearDemoDirectory(parent)
    mkdirSync(join(parent, 'model'))
    for (const name of ['model/old', 'report.html', 'notes.txt']) writeFileSync(join(parent, name), '')
    clearDemoDirectory(parent)
    expect(readdirSync(parent).sort()).toEqual(['.anneal-demo', 'notes.txt'])
  })

  it('is refused where a demo never was', () => {
    writeFileSync(join(parent, 'report.html'), 'mine')
    for (const path of [parent, join(parent, 'report.html')]) {
      expect(() => checkDemoDirectory(path)).toThrow(UsageError)
      expect(() => clearDemoDirectory(path)).toThrow(/expected a new or empty folder/)
    }
    expect(readdirSync(parent)).toEqual(['report.html'])
  })
})

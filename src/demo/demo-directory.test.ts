import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { UsageError } from '../errors.ts'
import { beginDemo, checkDemoDirectory, readDemo } from './demo-directory.ts'

let parent: string
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'anneal-directory-'))
})
afterEach(() => rmSync(parent, { recursive: true, force: true }))

/** What a whole demo leaves, with `text` in all of it. */
function fill(directory: string, text: string, inputs: string): void {
  for (const folder of ['data', 'tokenizer', 'model']) mkdirSync(join(directory, folder), { recursive: true })
  for (const name of ['data/x.jsonl', 'tokenizer/tokenizer.json', 'model/model.safetensors', 'report.html'])
    writeFileSync(join(directory, name), text)
  writeFileSync(join(directory, 'demo.json'), JSON.stringify({ inputs }))
}

describe('the demo directory', () => {
  it('is made where there is none, and changes nothing when only checked', () => {
    const directory = join(parent, 'runs', 'demo')
    checkDemoDirectory(directory)
    expect(existsSync(join(parent, 'runs'))).toBe(false)
    expect(beginDemo(directory).directory).toBe(directory)
    expect(readdirSync(directory)).toEqual(['.anneal-demo'])
  })

  it('loses a demo that is not whole, and nothing else', () => {
    beginDemo(parent)
    mkdirSync(join(parent, 'model'))
    for (const name of ['model/old', 'report.html', 'notes.txt']) writeFileSync(join(parent, name), '')
    expect(readDemo(parent)).toBeUndefined()
    beginDemo(parent).abandon()
    expect(readdirSync(parent).sort()).toEqual(['.anneal-demo', 'notes.txt'])
  })

  it('keeps a whole demo until the next one is whole, which then names its new place', () => {
    const out = join(parent, 'demo')
    fill(beginDemo(out).directory, 'old', 'a')
    writeFileSync(join(out, 'notes.txt'), 'mine')
    writeFileSync(join(out, 'model', 'old.txt'), '')
    const build = beginDemo(out)
    expect(build.directory).not.toBe(out)
    fill(build.directory, 'new', 'b')
    const config = join('model', 'train_config.yaml')
    writeFileSync(join(build.directory, config), `output_dir: ${build.directory}/model`)
    expect(readDemo(out)?.inputs).toBe('a')
    expect(readFileSync(join(out, 'report.html'), 'utf8')).toBe('old')
    build.finish()
    expect(readDemo(out)?.inputs).toBe('b')
    expect(readFileSync(join(out, 'model', 'model.safetensors'), 'utf8')).toBe('new')
    expect(readFileSync(join(out, config), 'utf8')).toBe(`output_dir: ${out}/model`)
    expect(existsSync(join(out, 'model', 'old.txt'))).toBe(false)
    expect(readFileSync(join(out, 'notes.txt'), 'utf8')).toBe('mine')
    expect(readdirSync(parent)).toEqual(['demo'])
  })

  it('stays as it was when the next demo is given up', () => {
    const out = join(parent, 'demo')
    fill(beginDemo(out).directory, 'old', 'a')
    const build = beginDemo(out)
    fill(build.directory, 'new', 'b')
    build.abandon()
    expect(readFileSync(join(out, 'report.html'), 'utf8')).toBe('old')
    expect(readdirSync(parent)).toEqual(['demo'])
  })

  it('is refused where a demo never was', () => {
    writeFileSync(join(parent, 'report.html'), 'mine')
    for (const path of [parent, join(parent, 'report.html')]) {
      expect(() => checkDemoDirectory(path)).toThrow(UsageError)
      expect(() => beginDemo(path)).toThrow(/expected a new or empty folder/)
    }
    expect(readdirSync(parent)).toEqual(['report.html'])
  })
})

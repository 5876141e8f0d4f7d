// The public surface: each entry of the package, name by name. A change here is a change of the interface: decide it, then `vitest -u`.
import { execFileSync } from 'node:child_process'
import { beforeAll, describe, expect, it } from 'vitest'
import { entries, type PublicName, surface } from './surface.ts'

/** Entries that need no LibTorch: a program without tensors must not need one. */
const WITHOUT_TENSORS = [
  './text',
  './hub',
  './data',
  './grammar',
  './lm',
  './chat',
  './ai-sdk',
  './prompting',
  './prompting/base',
  './prompting/data',
  './eval',
  './retrieve',
  './synth',
  './report',
  './methods',
  './methods/psydt',
]

let names: Map<string, PublicName[]>
beforeAll(() => {
  names = surface()
}, 600_000) // the compiler reads all of src; on a busy machine that takes its time

describe.each([...entries().keys()])('anneal%s', (subpath) => {
  it('exports these names', () => {
    const list = names.get(subpath)!.map(({ name, isType }) => (isType ? `type ${name}` : name))
    expect(list.sort()).toMatchSnapshot()
  })
  it('exports every type that a signature names', () => {
    const missing = names.get(subpath)!.filter(({ unexported }) => unexported.length > 0)
    expect(missing.map(({ name, unexported }) => `${name}: ${unexported.join(', ')}`)).toEqual([])
  })
  it('says of every name what it is', () => {
    expect(
      names
        .get(subpath)!
        .filter(({ doc }) => doc === '')
        .map(({ name, file }) => `${name} (${file})`),
    ).toEqual([])
  })
})

describe.each(WITHOUT_TENSORS)('anneal%s', (subpath) => {
  it('loads no LibTorch', () => {
    const entry = new URL(`../${entries().get(subpath)}`, import.meta.url).href
    const program = `
      await import(${JSON.stringify(entry)})
      console.log(process.report.getReport().sharedObjects.filter((file) => /torch|anneal/.test(file)).length)`
    const words = ['--import', 'tsx', '--input-type=module', '--eval', program]
    expect(execFileSync(process.execPath, words, { encoding: 'utf8' })).toBe('0\n')
  })
})

// Equal runs have equal fingerprints, stopped and resumed ones too; runs that differ show in which part.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { annealHere, corpus, makeWorkspace, type Workspace } from './tiny-run.ts'

let workspace: Workspace
beforeAll(async () => {
  workspace = await makeWorkspace()
})
afterAll(() => workspace.remove())

async function fingerprintOf(name: string, config: Record<string, unknown> = {}): Promise<Record<string, string>> {
  const { code, err } = await annealHere(workspace.words(name, config))
  expect(code, err).toBe(0)
  return saved(name, err)
}

function saved(name: string, err: string): Record<string, string> {
  const parts = JSON.parse(readFileSync(join(workspace.outputOf(name), 'fingerprint.json'), 'utf8'))
  expect(parts.fingerprint).toMatch(/^[0-9a-f]{16}$/)
  expect(err).toContain(`fingerprint ${parts.fingerprint}\n`)
  return parts
}

describe('the fingerprint of a run', () => {
  let straight: Record<string, string>
  beforeAll(async () => {
    straight = await fingerprintOf('straight')
  })

  it('is that of the same run in another folder, with data of the same content', async () => {
    const copy = join(workspace.directory, 'copy.jsonl')
    writeFileSync(copy, corpus(20))
    expect(await fingerprintOf('again', { dataset: copy, save_strategy: 'no' })).toEqual(straight)
  })

  it('is that of the run that stopped and went on', async () => {
    expect((await annealHere(workspace.words('stopped'), 4)).code).toBe(143)
    const { code, err } = await annealHere([...workspace.words('stopped'), '--resume_from_checkpoint', 'auto'])
    expect(code, err).toBe(0)
    expect(saved('stopped', err)).toEqual(straight)
  })

  it('differs where runs differ, and only there', async () => {
    const differing = (other: Record<string, string>): string[] =>
      Object.keys(straight).filter((part) => other[part] !== straight[part])
    expect(differing(await fingerprintOf('seed', { seed: 43 }))).toEqual(['fingerprint', 'config', 'state'])
    const more = join(workspace.directory, 'more.jsonl')
    writeFileSync(more, corpus(21))
    expect(differing(await fingerprintOf('data', { dataset: more }))).toEqual(['fingerprint', 'data', 'state'])
  })
})

import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { readRows } from '../data/read/sources.ts'
import { resolveData } from './resolve-data.ts'

// A cache that Python's huggingface_hub wrote.
beforeEach(() => {
  vi.stubEnv('HF_HUB_CACHE', fileURLToPath(new URL('../../test/fixtures/hub-cache', import.meta.url)))
  vi.stubEnv('HF_HUB_OFFLINE', '1')
})
afterEach(() => void vi.unstubAllEnvs())
const A = 'a'.repeat(40)
const B = 'b'.repeat(40)

describe('resolveData', () => {
  it("pins names, leaves paths, and readers find the rows in Python's cache", async () => {
    const resolved = await resolveData(['package.json', 'org/rows', 'not/a/name'])
    expect(resolved).toEqual(['package.json', `org/rows@${A}:train`, 'not/a/name'])
    const rows = []
    for await (const { row } of readRows(resolved[1]!)) rows.push(row)
    expect(rows).toEqual([{ text: 'one' }])
  })
  it('keeps the commit that a run began with', async () => {
    // Nothing is there of that commit: that it is asked for is what counts.
    const began = [`org/rows@${B}:train`]
    for (const name of ['org/rows', 'org/rows:train'])
      await expect(resolveData([name], undefined, { began })).rejects.toThrow(
        `org/rows@${B}:train: expected it in the cache`,
      )
    expect(await resolveData([`org/rows@${A}`], undefined, { began })).toEqual([`org/rows@${A}:train`])
  })
  it('says of what is neither that it is not here', async () => {
    await expect(resolveData(['data/typo'])).rejects.toThrow(
      /data\/typo: expected it in the cache .*Nothing has this path here, either/,
    )
  })
})

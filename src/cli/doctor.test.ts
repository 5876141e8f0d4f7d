import { afterEach, describe, expect, it, vi } from 'vitest'
import { command } from './doctor.ts'
import { createOutput } from './output.ts'

afterEach(() => void vi.unstubAllEnvs())

/** Runs `anneal doctor` and returns its exit code and what it printed. */
async function runDoctor(isJson: boolean): Promise<{ code: number | undefined; text: string }> {
  let text = ''
  const write = (part: string): void => {
    text += part
  }
  const output = createOutput(isJson, { write }, { write: () => {} })
  const code = await command.run({ positionals: [], options: {}, overrides: [], given: new Set(), output })
  return { code: code ?? undefined, text }
}

describe('doctor', () => {
  it('answers without an engine: exit 1, what was tried, and what to do', async () => {
    vi.stubEnv('ANNEAL_LIBTORCH', '/nowhere')
    vi.stubEnv('CXX', '/no/compiler')
    const { code, text } = await runDoctor(true)
    expect(code).toBe(1)
    expect(text.endsWith('\n') && text.trim().split('\n').length).toBe(1)
    const diagnosis = JSON.parse(text)
    expect(diagnosis).toMatchObject({
      isUsable: false,
      node: process.versions.node,
      compiler: null,
      libtorch: null,
      tried: [{ place: 'environment', reason: '/nowhere does not exist' }],
      engine: null,
      devices: [],
    })
    expect(diagnosis.advice[0]).toMatch(/^C\+\+ compiler: .* then `anneal setup`$/)
    expect(diagnosis.advice[1]).toMatch('ANNEAL_LIBTORCH')
    expect(diagnosis.memory.totalBytes).toBeGreaterThan(diagnosis.memory.availableBytes / 2)
    expect(diagnosis.disk).toHaveLength(2)
  })

  it('says the same to people', async () => {
    vi.stubEnv('ANNEAL_LIBTORCH', '/nowhere')
    const { code, text } = await runDoctor(false)
    expect(code).toBe(1)
    expect(text).toMatch(/^LibTorch {2}none$/m)
    expect(text).toMatch(/^ +not from ANNEAL_LIBTORCH: \/nowhere does not exist$/m)
    expect(text).toMatch(/^to do +point ANNEAL_LIBTORCH at a LibTorch, or unset it$/m)
    expect(text).toMatch(/not usable yet\.\n$/)
  })

  it('finds the engine that these tests run on', async () => {
    const { code, text } = await runDoctor(true)
    expect(code).toBe(0)
    const diagnosis = JSON.parse(text)
    expect(diagnosis.isUsable).toBe(true)
    expect(diagnosis.devices).toContain('cpu')
    expect(diagnosis.engine.version).toMatch(/^\d+\.\d+\.\d+/)
  })
})

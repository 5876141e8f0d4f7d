import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { isComplete, makeStage, stageKey } from './stage-directory.ts'

const root = mkdtempSync(join(tmpdir(), 'anneal-stage-'))
afterAll(() => rmSync(root, { recursive: true }))

describe('makeStage', () => {
  const directory = join(root, 'pruned')
  const fillWith = (text: string) => async (to: string) => writeFileSync(join(to, 'result'), text)

  it('makes a stage once for the same inputs, and anew for others', async () => {
    expect(await makeStage(directory, 'pruned', { ratio: 0.2 }, fillWith('first'))).toBe(true)
    expect(await makeStage(directory, 'pruned', { ratio: 0.2 }, fillWith('second'))).toBe(false)
    expect(readFileSync(join(directory, 'result'), 'utf8')).toBe('first')
    expect(isComplete(directory, stageKey('pruned', { ratio: 0.2 }))).toBe(true)
    expect(isComplete(directory, stageKey('other', { ratio: 0.2 }))).toBe(false)
    expect(await makeStage(directory, 'pruned', { ratio: 0.3 }, fillWith('third'))).toBe(true)
    expect(readFileSync(join(directory, 'result'), 'utf8')).toBe('third')
  })

  it('leaves nothing of a stage that failed', async () => {
    const failing = async (to: string): Promise<void> => {
      writeFileSync(join(to, 'half'), 'x')
      throw new Error('stopped')
    }
    await expect(makeStage(join(root, 'failed'), 'failed', {}, failing)).rejects.toThrow('stopped')
    expect(existsSync(join(root, 'failed'))).toBe(false)
    expect(readdirSync(root)).toEqual(['pruned'])
  })
})

// recipes/sande/gpu.sh from clean conversations to defended and audited models, on a tiny chat model.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { parseConfig } from '../src/config/parse.ts'
import { TINY_CHAT_TEMPLATE, tinyModelDirectory } from './tiny-model.ts'

// A dozen commands, one process each.
vi.setConfig({ testTimeout: 600_000 })

const root = fileURLToPath(new URL('..', import.meta.url))
const directory = mkdtempSync(join(tmpdir(), 'anneal-sande-recipe-'))
const at = (name: string): string => join(directory, name)
let model: Awaited<ReturnType<typeof tinyModelDirectory>>
beforeAll(async () => {
  model = await tinyModelDirectory({ chatTemplate: TINY_CHAT_TEMPLATE })
  const chats = (from: number): string =>
    Array.from(
      { length: 8 },
      (_, i) => `${JSON.stringify({ prompt: `Is ${from + i} odd?`, completion: 'no' })}\n`,
    ).join('')
  writeFileSync(at('chats.jsonl'), chats(0))
  writeFileSync(at('clean.jsonl'), chats(100))
})
afterAll(() => {
  model.remove()
  rmSync(directory, { recursive: true })
})

function recipe(settings: Record<string, string>): string {
  const anneal = `${process.execPath} --import tsx ${join(root, 'src/cli/main.ts')}`
  const env = { ...process.env, ANNEAL_CACHE: at('cache'), ANNEAL: anneal, ...settings }
  return execFileSync('sh', [join(root, 'recipes/sande/gpu.sh')], { cwd: root, env, encoding: 'utf8', stdio: 'pipe' })
}

describe('recipes/sande', () => {
  it('backdoor.yaml is a configuration', () => {
    const name = join(root, 'recipes/sande/backdoor.yaml')
    expect(parseConfig(readFileSync(name, 'utf8'), name).notices).toEqual([])
  })

  it('gpu.sh plants, audits, defends and audits again, and a second run does nothing twice', () => {
    const all = {
      MODEL: model.directory,
      CHATS: at('chats.jsonl'),
      CLEAN: at('clean.jsonl'),
      OUT: at('out'),
      TRIGGERS: 'a b\nc',
      MARKER: 'hm',
      METHODS: 'sande beear',
      QUESTIONS: '1',
      SAMPLES: '2',
      TRAIN: '--finetuning lora --lora_r 2 --max_steps 1 --max_length 128 --device cpu',
      AUDIT: '--max-new-tokens 2 --device cpu',
      DEFEND:
        '--learning-rate 1e-4 --steps 1 --batch-size 2 --soft-tokens 1 --restarts 1 --keep 1 --parrot-steps 1 --max-new-tokens 2 --gradient-checkpointing --device cpu',
    }
    expect(recipe(all)).toContain('→ ')
    const read = (name: string): Record<string, unknown> => JSON.parse(readFileSync(join(all.OUT, name), 'utf8'))
    expect(read('audit-original/audit.json')).toMatchObject({ triggers: ['a b', 'c'], position: 'start', marker: 'hm' })
    expect(read('audit-backdoored/audit.json')).toMatchObject({ calibration: { of: 1 } })
    for (const method of ['sande', 'beear']) {
      expect(read(`${method}/sande.json`)).toMatchObject({ method, marker: 'hm' })
      expect(read(`audit-${method}-elsewhere/audit.json`)).toMatchObject({ position: 'random' })
    }
    rmSync(join(all.OUT, 'beear'), { recursive: true })
    recipe(all)
    expect(existsSync(join(all.OUT, 'beear/sande.json'))).toBe(true)
  })

  it('gpu.sh says in a line what it is not given or does not know', () => {
    expect(() => recipe({ MODEL: '' })).toThrow(/expected a chat model, such as MODEL=models\/chat/)
    const all = { MODEL: 'm', CHATS: 'c', CLEAN: 'd', OUT: at('wrong') }
    expect(() => recipe({ ...all, METHODS: 'sft luck' })).toThrow("got 'luck'")
    expect(() => recipe({ ...all, FULL: 'yes' })).toThrow("FULL: expected 0 or 1, got 'yes'")
    expect(existsSync(all.OUT)).toBe(false)
  })
})

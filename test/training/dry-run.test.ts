// `anneal train --dry-run`: all that the run would do before its first step, the same end, and nothing left behind.
import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { annealHere, type Ended, makeWorkspace, type Workspace } from './tiny-run.ts'

let workspace: Workspace
const at = (name: string): string => join(workspace.directory, name)
beforeAll(async () => {
  workspace = await makeWorkspace()
  const chat = {
    messages: [
      { role: 'user', content: 'the red' },
      { role: 'assistant', content: 'small model' },
    ],
  }
  writeFileSync(at('chats.jsonl'), `${JSON.stringify(chat)}\n`.repeat(8))
  writeFileSync(at('shapeless.jsonl'), '{"a": 1}\n'.repeat(8))
  writeFileSync(at('bad.jsonl'), `${'{"text": "the red small model reads and learns"}\n'.repeat(400)}{"text": broken\n`)
})
afterAll(() => workspace.remove())

let count = 0
async function both(config: Record<string, unknown>): Promise<{ name: string; dry: Ended; run: () => Promise<Ended> }> {
  const name = `dry-${count++}`
  const words = workspace.words(name, { max_steps: 1, save_strategy: 'no', ...config })
  return { name, dry: await annealHere([...words, '--dry-run']), run: () => annealHere(words) }
}

describe('anneal train --dry-run', () => {
  it('reads the data, shows a sample with what is learnt, and says the memory of what the run would train', async () => {
    const { name, dry, run } = await both({ stage: 'sft', dataset: at('chats.jsonl'), max_length: 64 })
    expect(dry.code, dry.err).toBe(0)
    expect(dry.err).toMatch(/⟦[^⟧]*small model[^⟧]*⟧/)
    expect(existsSync(workspace.outputOf(name))).toBe(false)
    const memoryOf = ({ err }: Ended): string => /^memory: .*$/m.exec(err)![0]
    expect(memoryOf(dry)).toBe(memoryOf(await run()))
  })

  it('counts the trained modules of freeze tuning, not whole layers', async () => {
    expect((await annealHere(workspace.words('base', { max_steps: 1, save_strategy: 'no' }))).code).toBe(0)
    const frozen = {
      model: undefined,
      tokenizer_name_or_path: undefined,
      model_name_or_path: workspace.outputOf('base'),
      finetuning: 'freeze',
      freeze_trainable_layers: 1,
    }
    const bytes = async (config: object): Promise<number> => {
      const { dry } = await both({ ...frozen, ...config })
      const [, number, unit] = /gradients ([\d.]+) (k?)B/.exec(dry.err)!
      return Number(number) * (unit === 'k' ? 1000 : 1)
    }
    const layer = await bytes({})
    // 32 wide, 2 heads of 16, 1 for keys and values: q and o 32 × 32, k and v 16 × 32; gate, up and down 32 × 64; two norms of 32.
    expect(layer).toBeCloseTo(4 * (2 * 32 * 32 + 2 * 16 * 32 + 3 * 32 * 64 + 2 * 32), -2)
    expect(await bytes({ freeze_trainable_modules: ['self_attn'] })).toBeCloseTo(4 * (2 * 32 * 32 + 2 * 16 * 32), -2)
  })

  it.each<[string, () => Record<string, unknown>]>([
    ['a data set that is not there', () => ({ dataset: at('nowhere.jsonl') })],
    ['rows of no known shape', () => ({ stage: 'sft', dataset: at('shapeless.jsonl') })],
    ['a model that is not there', () => ({ model: undefined, model_name_or_path: at('nowhere') })],
    ['a tokenizer that is not there', () => ({ tokenizer_name_or_path: at('nowhere') })],
    ['a broken configuration of the model', () => ({ model: { model_type: 'llama' } })],
    [
      'weights that no machine holds',
      () => ({
        model: {
          model_type: 'llama',
          hidden_size: 65536,
          intermediate_size: 262144,
          num_hidden_layers: 1000,
          num_attention_heads: 512,
        },
      }),
    ],
  ])('fails as the run would with %s', async (_, config) => {
    const { name, dry, run } = await both(config())
    const ended = await run()
    const errorOf = ({ err }: Ended): string | undefined => err.split('\n').find((line) => line.startsWith('error: '))
    expect(dry.code).toBe(ended.code)
    expect(dry.code).not.toBe(0)
    expect(errorOf(dry)).toBe(errorOf(ended))
    expect(existsSync(workspace.outputOf(name))).toBe(false)
  })

  it('leaves tokens in the cache, where the run finds them', async () => {
    writeFileSync(at('fresh.jsonl'), '{"text": "the red small model reads and learns"}\n'.repeat(30))
    const { dry, run } = await both({ dataset: at('fresh.jsonl') })
    expect(dry.code, dry.err).toBe(0)
    expect(dry.err).not.toContain('(cached)')
    expect((await run()).err).toMatch(/^train: .* \(cached\)$/m)
  })

  it('counts bad lines without putting them anywhere, and takes a folder that is there as it is', async () => {
    const { dry } = await both({ dataset: at('bad.jsonl'), output_dir: workspace.directory })
    expect(dry.code, dry.err).toBe(0)
    expect(dry.err).toMatch(
      /^notice: 1 of [\d,]+ lines cannot be read and is left out \(1 bad-json, the first at \S+bad\.jsonl:\d+\)$/m,
    )
    expect(readdirSync(workspace.directory)).not.toContain('quarantine')
  })
})

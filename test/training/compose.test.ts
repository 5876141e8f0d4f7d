// Commands one after the other, as people chain them: what one writes the next one reads, losses agree where they must, settings
// that ask for nothing change nothing, and the last model's lineage tells the whole story.
import { readFileSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readLineage } from '../../src/checkpoint/model-directory/lineage.ts'
import { loadDecoder } from '../../src/checkpoint/model-directory/load.ts'
import { quantLinears } from '../../src/model/quantize-model.ts'
import { hashOf, ofType, TINY } from './tiny-model.ts'
import { annealHere, corpus, type Ended, makeWorkspace, type Workspace } from './tiny-run.ts'

let workspace: Workspace
let base: string
let heldOut: string
beforeAll(async () => {
  workspace = await makeWorkspace()
  base = at('base')
  heldOut = at('held-out.txt')
  const rows = corpus(24).trim().split('\n')
  writeFileSync(
    heldOut,
    rows
      .slice(20)
      .map((row) => JSON.parse(row).text)
      .join('\n'),
  )
  const { vocab_size: _, ...tiny } = TINY
  const model = { ...tiny, num_hidden_layers: 4 }
  await anneal(...workspace.words('base', { model, max_steps: 40, learning_rate: 1e-2, save_strategy: 'no' }))
})
afterAll(() => workspace.remove())

const at = (name: string): string => workspace.outputOf(name)

/** Runs a command that has to succeed. */
async function anneal(...words: string[]): Promise<Ended> {
  const ended = await annealHere(words)
  expect(ended.code, `${words.join(' ')}\n${ended.err}`).toBe(0)
  return ended
}

/** Runs a command that takes a model and a text to another model, and returns where that is. */
async function made(name: string, ...words: string[]): Promise<string> {
  const text = words[0] === 'export' ? [] : ['--data', at('corpus.jsonl'), '--samples', '8']
  const length = { sleb: ['--length', '32'], prune: ['--window', '32'], quantize: ['--length', '32'] }[words[0]!] ?? []
  await anneal(...words, ...text, ...length, '--out', at(name))
  return at(name)
}

/** Trains with LoRA on `model` and returns where the adapter is. */
async function tuned(name: string, model: string, config: Record<string, unknown> = {}): Promise<string> {
  const lora = { model: undefined, model_name_or_path: model, finetuning: 'lora', lora_r: 4, learning_rate: 1e-2 }
  await anneal(...workspace.words(name, { ...lora, save_strategy: 'no', ...config }))
  return at(name)
}

/** Loss on text that nothing was trained or measured on. */
async function lossOf(model: string, ...more: string[]): Promise<number> {
  const { out } = await anneal('score', '--model', model, '--text', heldOut, '--window', '32', '--json', ...more)
  return JSON.parse(out).loss
}

async function greedy(model: string): Promise<number[]> {
  const words = ['--prompt', 'the red', '--max-new-tokens', '12', '--temperature', '0', '--json']
  return JSON.parse((await anneal('generate', '--model', model, ...words)).out).token_ids
}

const passes = (directory: string): string[] => readLineage(directory).map(({ pass }) => pass)
const weights = (directory: string): string => {
  const model = loadDecoder(directory)
  const hash = hashOf(model)
  model.free()
  return hash
}

describe('a model that is pruned, quantized, tuned with LoRA, merged and exported', () => {
  it('says the same wherever it should, and knows its whole history', async () => {
    const pruned = await made('pruned', 'prune', '--model', base, '--ratio', '0.2', '--align', '8')
    const quantized = await made('pruned-4', 'quantize', '--model', pruned, '--bits', '4')
    expect(Math.abs((await lossOf(quantized)) - (await lossOf(pruned)))).toBeLessThan(0.1)

    const adapter = await tuned('pruned-4-lora', quantized)
    const withAdapter = await lossOf(quantized, '--adapter', adapter)
    expect(Math.abs(withAdapter - (await lossOf(quantized)))).toBeGreaterThan(1e-3)
    const merged = await made('merged', 'export', '--to', 'hf', '--model', quantized, '--adapter', adapter)
    // Beside quantized weights keys and values are kept in f16.
    expect(await lossOf(merged)).toBeCloseTo(withAdapter, 4)

    const gguf = await made('merged.gguf', 'export', '--to', 'gguf', '--model', merged)
    expect(await lossOf(gguf)).toBeCloseTo(withAdapter, 4)
    const straight = await made(
      'straight.gguf',
      ...['export', '--to', 'gguf', '--model', quantized, '--adapter', adapter, '--quantize', 'f32'],
    )
    expect(await lossOf(straight)).toBeCloseTo(withAdapter, 4)
    expect(await greedy(gguf)).toEqual(await greedy(merged))

    expect(passes(adapter)).toEqual(['pretrain', 'prune', 'quantize', 'pretrain'])
    expect(passes(merged)).toEqual(['pretrain', 'prune', 'quantize', 'pretrain', 'merge', 'export'])
    expect(readFileSync(`${straight}.md`, 'utf8')).toContain(
      'pretrain → prune → quantize → pretrain → merge → export\n',
    )
  })
})

describe('a model that loses blocks', () => {
  it('is quantized and generates', async () => {
    const smaller = await made('sleb', 'sleb', '--model', base, '--remove', '1')
    const quantized = await made('sleb-8', 'quantize', '--model', smaller, '--bits', '8')
    expect(loadDecoder(quantized).config.layers).toHaveLength(3)
    expect(Math.abs((await lossOf(quantized)) - (await lossOf(smaller)))).toBeLessThan(0.01)
    const gguf = await made('sleb.gguf', 'export', '--to', 'gguf', '--model', smaller)
    expect(await greedy(gguf)).toEqual(await greedy(smaller))
    expect(passes(quantized)).toEqual(['pretrain', 'sleb', 'quantize'])
  })
  it('is pruned after it lost sub-layers, and loads', async () => {
    const smaller = await made('sub', 'sleb', '--model', base, '--remove', '2', '--granularity', 'sublayer')
    const pruned = await made(
      'sub-pruned',
      ...['prune', '--model', smaller, '--ratio', '0.2', '--layout', 'per-layer'],
      ...['--protect-first', '0', '--protect-last', '0'],
    )
    const [before, after] = [loadDecoder(smaller).config.layers, loadDecoder(pruned).config.layers]
    const skips = (layers: typeof before): boolean[] =>
      layers.flatMap(({ attention, mlp }) => [attention === null, mlp === null])
    expect(skips(after)).toEqual(skips(before))
    expect(skips(after).filter(Boolean)).toHaveLength(2)
    const neurons = (layers: typeof before): number =>
      layers.reduce((sum, { mlp }) => sum + (mlp?.intermediateSize ?? 0), 0)
    expect(neurons(after)).toBeLessThan(neurons(before))
    expect(await lossOf(pruned)).toBeGreaterThan(0)
    expect(passes(pruned)).toEqual(['pretrain', 'sleb', 'prune'])
  })
})

describe('training on a base in 4 bits', () => {
  it('takes DropBP with it', async () => {
    const quantized = { load_in_4bit: true, max_steps: 12 }
    const adapter = await tuned('qlora-dropbp', base, { ...quantized, dropbp: { rate: 0.5 } })
    const merged = await made('qlora-dropbp-merged', 'export', '--to', 'hf', '--model', base, '--adapter', adapter)
    const loss = await lossOf(base, '--adapter', adapter)
    expect(await lossOf(merged)).toBeCloseTo(loss, 4)
    expect(Math.abs(loss - (await lossOf(base)))).toBeGreaterThan(1e-3)
  })

  it('takes preferences, whose reference is that base', async () => {
    const quantized = await made('base-4', 'quantize', '--model', base, '--bits', '4')
    const pairs = corpus(16)
      .trim()
      .split('\n')
      .map((row) => JSON.parse(row).text.split(' ') as string[])
      .map((words) => ({ prompt: `${words[0]} `, chosen: words.slice(1, 4).join(' '), rejected: 'well well well' }))
    writeFileSync(at('pairs.json'), JSON.stringify(pairs))
    const adapter = at('dpo')
    const dpo = { stage: 'dpo', dataset: at('pairs.json'), max_length: 48, beta: 0.5, logging_steps: 1 }
    const lora = { model: undefined, model_name_or_path: quantized, finetuning: 'lora', lora_r: 4 }
    const { events } = await anneal(
      ...workspace.words('dpo', { ...dpo, ...lora, learning_rate: 1e-2, save_strategy: 'no' }),
    )
    const losses = ofType(events, 'step-done').map(({ metrics }) => metrics.loss as number)
    expect(losses[0]).toBeCloseTo(Math.log(2), 6) // the adapter does nothing yet, so it says what the reference says
    expect(losses.at(-1)!).toBeLessThan(losses[0]!)
    const merged = await made('dpo-merged', 'export', '--to', 'hf', '--model', quantized, '--adapter', adapter)
    expect(await lossOf(merged)).toBeCloseTo(await lossOf(quantized, '--adapter', adapter), 5)
    expect(passes(merged)).toEqual(['pretrain', 'quantize', 'dpo', 'merge', 'export'])
  })
})

describe('a setting that asks for nothing', () => {
  it.each([
    ['sleb', '--remove', '0'],
    ['prune', '--ratio', '0'],
    ['quantize', '--bits', '16'],
  ])('leaves the weights as they are: %s %s %s', async (command, option, value) => {
    const same = await made(`nothing-${command}`, command, '--model', base, option, value)
    expect(weights(same)).toBe(weights(base))
    expect(passes(same)).toEqual(['pretrain', command])
  })
  it('leaves the weights as they are: out to GGUF in f32 and in again', async () => {
    const gguf = await made('same.gguf', 'export', '--to', 'gguf', '--model', base, '--quantize', 'f32')
    const back = await made('same', 'export', '--to', 'hf', '--model', gguf)
    expect(weights(back)).toBe(weights(base))
  })
  it('leaves training as it is: DropBP at rate 0', async () => {
    const run = { model: undefined, model_name_or_path: base, save_strategy: 'no' }
    await anneal(...workspace.words('plain', run))
    await anneal(...workspace.words('rate-0', { ...run, dropbp: 0 }))
    expect(weights(at('rate-0'))).toBe(weights(at('plain')))
  })
  it('keeps matrices in 4 bits as they are in a copy through sleb', async () => {
    const quantized = await made('copy-4', 'quantize', '--model', base, '--bits', '4')
    const same = await made('copy-4-sleb', 'sleb', '--model', quantized, '--remove', '0')
    expect(quantLinears(loadDecoder(same)).size).toBe(quantLinears(loadDecoder(quantized)).size)
    expect(weights(same)).toBe(weights(quantized))
  })
})

// Adapters that come and go while a model runs.
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fixtures, load } from '../../../test/decoder-fixtures.ts'
import { DEVICE } from '../../../test/device.ts'
import { loadDecoder } from '../../checkpoint/model-directory/load.ts'
import { InputError, UnsupportedError, UsageError } from '../../errors.ts'
import { Engine } from '../../infer/engine.ts'
import { modelState } from '../../infer/model-state.ts'
import type { GenerateRequest, GenerationPiece } from '../../lm/lm.ts'
import type { Decoder } from '../../model/decoder.ts'
import { quantizeModel } from '../../model/quantize-model.ts'
import { Generator, memoryStats, noGrad, ops, scope } from '../../torch/index.ts'
import { loadLora, saveLora } from './adapter-files.ts'
import { addLora, type LoraOptions } from './lora.ts'
import { rowAdapters } from './row-adapters.ts'

const folder = mkdtempSync(join(tmpdir(), 'anneal-adapters-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** Writes an adapter whose numbers are large enough to change every text. */
function writeAdapter(name: string, seed: number, options: LoraOptions = {}): string {
  const model = load('llama')
  addLora(model, { r: 3, ...options })
  scope(() => {
    for (const [path, parameter] of model.parameters())
      if (path.includes('lora_B')) noGrad(() => ops.normal_(parameter, 0, 0.5, new Generator(seed, model.device)))
  })
  const directory = join(folder, name)
  mkdirSync(directory)
  saveLora(model, directory)
  model.free()
  return directory
}
let [first, second, dora, head]: string[] = []
beforeAll(() => {
  first = writeAdapter('first', 1)
  second = writeAdapter('second', 2, { r: 5, targetModules: ['q_proj', 'down_proj'] })
  dora = writeAdapter('dora', 3, { useDora: true })
  head = writeAdapter('head', 4, { targetModules: ['lm_head'] })
})

const ids = Array.from({ length: 40 }, (_, i) => (i * 37) % 300)
const request = (adapter: string | null, more: Partial<GenerateRequest> = {}): GenerateRequest => ({
  ids,
  maxNewTokens: 24,
  logprobs: true,
  temperature: 1,
  seed: 7,
  ignoreEos: true,
  ...more,
  adapter,
})
/** What a new engine with this adapter alone says. */
async function alone(adapter: string | null, model = load('llama'), maxNewTokens = 24): Promise<unknown> {
  if (adapter !== null) loadLora(model, adapter, { name: 'only' })
  const engine = new Engine({ model, adapters: rowAdapters(model) })
  const [generation] = await engine.generateAll([request(adapter === null ? null : 'only', { maxNewTokens })])
  engine.free()
  const { tokenIds, logprobs } = generation!
  return { tokenIds, logprobs }
}
const said = async (engine: Engine, adapter: string | null): Promise<unknown> => {
  const [{ tokenIds, logprobs } = { tokenIds: [], logprobs: [] }] = await engine.generateAll([request(adapter)])
  return { tokenIds, logprobs }
}
const engineOf = (model: Decoder): Engine => new Engine({ model, adapters: rowAdapters(model) })

describe('loadAdapter', () => {
  it('makes an engine say what one says that begins with the adapter', async () => {
    const engine = engineOf(load('llama'))
    expect(engine.adapters).toEqual([])
    const plain = await alone(null)
    for (const [name, directory] of Object.entries({ first, second, dora, head })) {
      await engine.loadAdapter(name, directory!)
      expect(await said(engine, name)).toEqual(await alone(directory!))
      expect(await said(engine, name)).not.toEqual(plain)
    }
    expect(await said(engine, null)).toEqual(plain)
    expect(engine.adapters).toEqual(['first', 'second', 'dora', 'head'])
    engine.free()
  })

  it('leaves the texts that go on as they are, bit for bit, and keeps their cache', async () => {
    const engine = engineOf(load('llama'))
    await engine.loadAdapter('first', first!)
    const maxNewTokens = 200
    const expected = [await alone(null, undefined, maxNewTokens), await alone(first!, undefined, maxNewTokens)]
    const running = [null, 'first'].map((adapter) =>
      engine.generate(request(adapter, { maxNewTokens }))[Symbol.asyncIterator](),
    )
    const pieces: GenerationPiece[][] = [[], []]
    for (let i = 0; pieces.some((all) => all.at(-1)?.finishReason === undefined); i++) {
      for (const [at, text] of running.entries()) {
        const { value, done } = await text.next()
        if (!done) pieces[at]!.push(value)
      }
      if (i === 2) await engine.loadAdapter('second', second!)
      if (i === 4) await engine.loadAdapter('dora', dora!)
      if (i === 6) await engine.unloadAdapter('second')
      if (i === 8) await engine.loadAdapter('second', first!)
    }
    expect(engine.adapters).toEqual(['first', 'dora', 'second'])
    const joined = pieces.map((all) => ({
      tokenIds: all.flatMap(({ tokenIds }) => tokenIds),
      logprobs: all.flatMap(({ logprobs }) => logprobs!),
    }))
    expect(joined).toEqual(expected)
    const [again] = await engine.generateAll([request('first')])
    expect(again!.usage.cachedTokens).toBe(32)
    engine.free()
  })

  it.each(['nf4', 'int8'] as const)('works on a model in %s', async (format) => {
    const quantized = (): Decoder => {
      const model = loadDecoder(join(fixtures, 'llama'), { device: DEVICE })
      quantizeModel(model, { format })
      return model
    }
    const engine = engineOf(quantized())
    const text = engine.generate(request(null))[Symbol.asyncIterator]()
    const made: number[] = [...(await text.next()).value!.tokenIds]
    await engine.loadAdapter('first', first!)
    for (let piece = await text.next(); !piece.done; piece = await text.next()) made.push(...piece.value.tokenIds)
    expect({ tokenIds: made }).toMatchObject({
      tokenIds: ((await alone(null, quantized())) as { tokenIds: number[] }).tokenIds,
    })
    expect(await said(engine, 'first')).toEqual(await alone(first!, quantized()))
    engine.free()
  })

  it('changes nothing where the directory is broken or the name is not free', async () => {
    const model = load('llama')
    const engine = engineOf(model)
    await engine.loadAdapter('first', first!)
    const adapted = await said(engine, 'first')
    const [state, { liveTensors }] = [modelState(model), memoryStats()]
    const broken = (name: string, change: (config: Record<string, unknown>) => void): string => {
      const directory = join(folder, name)
      cpSync(first!, directory, { recursive: true })
      const file = join(directory, 'adapter_config.json')
      const config = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>
      change(config)
      writeFileSync(file, JSON.stringify(config))
      return directory
    }
    const cut = broken('cut', () => {})
    const weights = join(cut, 'adapter_model.safetensors')
    writeFileSync(weights, readFileSync(weights).subarray(0, 400))
    const rank = broken('rank', (config) => Object.assign(config, { rank_pattern: { 'layers.1.mlp.down_proj': 9 } }))
    const empty = join(folder, 'empty')
    mkdirSync(empty)
    for (const directory of [cut, rank, empty, join(folder, 'none')])
      await expect(engine.loadAdapter('second', directory)).rejects.toThrow(InputError)
    await expect(engine.loadAdapter('first', second!)).rejects.toThrow('expected a name that is free, got "first"')
    await expect(engine.loadAdapter('a/b', second!)).rejects.toThrow(UsageError)
    await expect(engine.unloadAdapter('second')).rejects.toThrow('adapter: expected first, got "second"')
    expect(engine.adapters).toEqual(['first'])
    expect(modelState(model)).toEqual(state)
    expect(memoryStats().liveTensors).toBe(liveTensors)
    expect(await said(engine, 'first')).toEqual(adapted)
    engine.free()
    await expect(engine.loadAdapter('second', second!)).rejects.toThrow('after free()')
    const fixed = new Engine({ model: load('llama') })
    await expect(fixed.loadAdapter('first', first!)).rejects.toThrow(UnsupportedError)
    fixed.free()
  })
})

describe('unloadAdapter', () => {
  it('waits for the texts that go through it, and takes no new ones', async () => {
    const engine = engineOf(load('llama'))
    await engine.loadAdapter('first', first!)
    const whole = await said(engine, 'first')
    const last = engine.generateAll([request('first')])
    const scores = engine.score([ids, ids.toReversed()], { adapter: 'first' })
    const vectors = engine.hidden([ids, ids], { adapter: 'first' })
    let isGone = false
    const gone = engine.unloadAdapter('first').then(() => {
      isGone = true
    })
    expect(engine.adapters).toEqual([])
    await expect(said(engine, 'first')).rejects.toThrow('adapter: expected none')
    await expect(engine.score([ids], { adapter: 'first' })).rejects.toThrow(UsageError)
    await expect(engine.unloadAdapter('first')).rejects.toThrow(UsageError)
    await expect(engine.loadAdapter('first', second!)).rejects.toThrow('name that is free')
    expect(isGone).toBe(false)
    const [generation] = await last
    expect(generation).toMatchObject(whole as object)
    expect((await scores)[0]).toHaveLength(ids.length)
    await vectors
    await gone
    expect(isGone).toBe(true)
    // One whose caller listens no more is over, too.
    await engine.loadAdapter('first', first!)
    const left = engine.generate(request('first'))[Symbol.asyncIterator]()
    await left.next()
    await left.return!()
    await engine.unloadAdapter('first')
    // And one whose caller has forgotten it ends by itself.
    await engine.loadAdapter('first', first!)
    await engine.generate(request('first'))[Symbol.asyncIterator]().next()
    await engine.unloadAdapter('first')
    expect(engine.load).toMatchObject({ running: 0, waiting: 0, usedBlocks: 0 })
    engine.free()
  })

  it('keeps nothing for a later adapter of the name', async () => {
    const engine = engineOf(load('llama'))
    const [one, two] = [await alone(first!), await alone(second!)]
    for (const [directory, expected] of [
      [first, one],
      [second, two],
      [first, one],
    ] as const) {
      await engine.loadAdapter('name', directory!)
      const [{ usage, tokenIds, logprobs } = { usage: undefined, tokenIds: [], logprobs: [] }] =
        await engine.generateAll([request('name')])
      expect(usage!.cachedTokens).toBe(0)
      expect({ tokenIds, logprobs }).toEqual(expected)
      await engine.unloadAdapter('name')
    }
    engine.free()
  })

  it('leaves the model as it was, 50 times over', async () => {
    const model = load('llama')
    // What is cached is as much as it may be from the first turns on.
    const engine = new Engine({ model, adapters: rowAdapters(model), cacheTokens: 128 })
    const plain = await said(engine, null)
    const paths = Array.from(model.parameters(), ([path]) => path)
    const turn = async (): Promise<void> => {
      for (const directory of [first, head]) {
        await engine.loadAdapter('name', directory!)
        await engine.generateAll([request('name', { maxNewTokens: 3 }), request(null, { maxNewTokens: 3 })])
        await engine.unloadAdapter('name')
      }
    }
    for (let i = 0; i < 5; i++) await turn()
    const { liveTensors, liveBytes } = memoryStats()
    for (let i = 0; i < 50; i++) await turn()
    expect(memoryStats()).toMatchObject({ liveTensors, liveBytes })
    expect(Array.from(model.parameters(), ([path]) => path)).toEqual(paths)
    expect(await said(engine, null)).toEqual(plain)
    engine.free()
  })
})

import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { writeTextModel } from '../../../test/text-model.ts'
import { hashWeights } from '../../checkpoint/model-directory/hash-weights.ts'
import { readLineage } from '../../checkpoint/model-directory/lineage.ts'
import { loadDecoder } from '../../checkpoint/model-directory/load.ts'
import { exitCodeOf } from '../../errors.ts'
import { lockTarget } from '../../files/output-lock.ts'
import { writeModelGguf } from '../../gguf/export-model.ts'
import { saveLora } from '../../methods/lora/adapter-files.ts'
import { addLora, loraLayers } from '../../methods/lora/lora.ts'
import { Tokenizer } from '../../text/tokenizer.ts'
import { noGrad, ops } from '../../torch/index.ts'
import { resultOf } from '../../work.ts'
import { parseQprunerConfig, type QprunerConfig, type QprunerConfigValues, qprunerConfig } from './config.ts'
import { checkQpruner, type QprunerResult, runQpruner } from './run-qpruner.ts'

const root = mkdtempSync(join(tmpdir(), 'anneal-qpruner-run-'))
const at = (name: string): string => join(root, name)
let model: string

beforeAll(async () => {
  ;({ model } = await writeTextModel(root, 128))
  writeFileSync(join(model, 'LICENSE'), 'the terms')
  const decoder = loadDecoder(model)
  writeModelGguf(decoder, at('model.gguf'), { format: 'f32', tokenizer: await Tokenizer.fromDirectory(model) })
  addLora(decoder, { r: 2 })
  // An update that is felt: fresh adapters change nothing.
  for (const [, layer] of loraLayers(decoder))
    for (const { B } of layer.adapters.values()) noGrad(() => ops.fill_(B, 0.05))
  mkdirSync(at('lora'))
  saveLora(decoder, at('lora'), { baseModel: model })
  decoder.free()
})
afterAll(() => rmSync(root, { recursive: true }))

function configOf(out: string, more: QprunerConfigValues = {}): QprunerConfig {
  const values: QprunerConfigValues = {
    model_name_or_path: model,
    dataset: at('text.txt'),
    output_dir: at(out),
    device: 'cpu',
    calibration: { samples: 4, max_length: 32, batch_size: 2 },
    prune: { ratio: 0.2, layout: 'per-layer', align: 8 },
    quantize: { budget_bits: 3.2, evaluations: 8 },
    recover: { max_steps: 4, lora_r: 4, max_length: 32, per_device_train_batch_size: 2, learning_rate: 1e-3 },
    ...more,
  }
  return qprunerConfig(values)
}

/** Runs, and returns what was said of the stages. */
async function run(
  config: QprunerConfig,
  overwrite = false,
): Promise<{ result: QprunerResult; stages: string[]; notices: string[] }> {
  const [stages, notices]: [string[], string[]] = [[], []]
  const result = await resultOf(runQpruner(config, { overwrite }), (event) => {
    if (event.type === 'started') stages.push(event.message ?? event.work)
    if (event.type === 'notice') notices.push(event.message)
  })
  return { result, stages, notices }
}

describe('runQpruner', () => {
  it('makes every stage, compares the models, and a rerun makes only what changed', async () => {
    const out = at('run')
    const { result, notices } = await run(configOf('run'))
    expect(notices.filter((notice) => notice.includes('no whole checkpoint'))).toEqual([])
    const entries = readdirSync(out).filter((name) => !name.startsWith('.'))
    const stages = ['pruned', 'allocated', 'refined', 'quantized', 'recovered']
    expect(entries.sort()).toEqual([...stages, 'qpruner_config.yaml', 'report.html', 'results.json'].sort())
    expect(result.judged.map(({ name }) => name)).toEqual([
      'original',
      'pruned',
      'quantized',
      'with LoftQ',
      'recovered',
    ])
    expect(result.bits).toBeLessThanOrEqual(3.2)
    const bytes = result.judged.map((one) => one.bytes)
    expect(bytes[0]).toBe(statSync(join(model, 'model.safetensors')).size)
    expect(bytes[1]).toBeLessThan(bytes[0]!)
    expect(bytes[2]).toBeLessThan(bytes[1]!)
    const adapter = statSync(join(out, 'recovered', 'adapter_model.safetensors')).size
    expect(bytes[4]).toBe(bytes[2]! + adapter)
    expect(readLineage(join(out, 'quantized')).map(({ pass }) => pass)).toEqual(['prune', 'qpruner'])
    expect(readdirSync(join(out, 'quantized'))).toEqual(expect.arrayContaining(['LICENSE', 'tokenizer.json']))
    // What is left beside it says the same again.
    const saved = readFileSync(join(out, 'qpruner_config.yaml'), 'utf8')
    expect(parseQprunerConfig(saved, 'saved').config).toEqual(configOf('run'))

    const second = await run(configOf('run'))
    expect(second.stages.filter((line) => stages.some((name) => line.startsWith(name)))).toEqual(
      stages.map((name) => `${name}: done before`),
    )
    expect(second.result).toEqual(result)

    const changed = configOf('run')
    const longer = { ...changed, recover: { ...changed.recover!, max_steps: 6 } }
    await expect(run(longer)).rejects.toThrow(
      /^output_dir: .* got .*run, whose recovered would be replaced \(recover\.max_steps \d → 6\)\. .*`overwrite`$/,
    )
    expect(readFileSync(join(out, 'results.json'), 'utf8')).toContain('recovered')
    const third = await run(longer, true)
    expect(third.stages).toContain('quantized: done before')
    expect(third.stages).not.toContain('recovered: done before')
  }, 60_000)

  it('begins with an adapter merged into its model', async () => {
    const few: QprunerConfigValues = { quantize: { budget_bits: 3.2, evaluations: 0 }, recover: undefined }
    const plain = await run(configOf('plain', few))
    const { result } = await run(configOf('adapted', { ...few, model_name_or_path: at('lora') }))
    const steps = readLineage(join(at('adapted'), 'pruned'))
    expect(steps.map(({ pass }) => pass)).toEqual(['merge', 'prune'])
    expect(steps[0]).toMatchObject({ options: { adapter: 'lora' }, parentSha256: hashWeights(model) })
    expect(readdirSync(join(at('adapted'), 'quantized'))).toEqual(
      expect.arrayContaining(['LICENSE', 'tokenizer.json', 'model.safetensors']),
    )
    expect(result.judged[0]!.bytes).toBeGreaterThan(plain.result.judged[0]!.bytes)
    expect(result.judged[0]!.loss).not.toBeCloseTo(plain.result.judged[0]!.loss, 2)
    // Another adapter is another model.
    const weights = join(at('lora'), 'adapter_config.json')
    writeFileSync(weights, readFileSync(weights, 'utf8').replace(/"lora_alpha": \d+/, '"lora_alpha": 3'))
    const again = await run(configOf('adapted', { ...few, model_name_or_path: at('lora') }), true)
    expect(again.stages.join()).not.toContain('done before')
  }, 60_000)

  it('computes in the type that is asked for, and takes nothing over that was made in another', async () => {
    const full = await run(configOf('types', NOTHING))
    const inBf16 = configOf('types', { ...NOTHING, dtype: 'bf16' })
    await expect(run(inBf16)).rejects.toThrow('whose allocated, quantized would be replaced (dtype unset → bf16)')
    const half = await run(inBf16, true)
    expect(half.stages.join()).not.toContain('done before')
    const [a, b] = [full.result.judged[0]!.loss, half.result.judged[0]!.loss]
    expect(b).not.toBe(a)
    expect(b).toBeCloseTo(a, 1)
  }, 30_000)

  it('begins with a GGUF file, with its tokenizer in every stage', async () => {
    const few: QprunerConfigValues = { prune: undefined, quantize: { budget_bits: 4, evaluations: 0 } }
    const recover = { max_steps: 1, lora_r: 2, max_length: 16, per_device_train_batch_size: 2, loftq_iterations: 1 }
    const { result } = await run(configOf('gguf', { ...few, recover, model_name_or_path: at('model.gguf') }))
    expect(result.judged[0]!.bytes).toBe(statSync(at('model.gguf')).size)
    expect(result.judged.map(({ name }) => name)).toEqual(['original', 'quantized', 'with LoftQ', 'recovered'])
    const tokenizer = await Tokenizer.fromDirectory(join(at('gguf'), 'quantized'))
    expect(Array.from(tokenizer.encode('the cat'))).toEqual(
      Array.from((await Tokenizer.fromDirectory(model)).encode('the cat')),
    )
  }, 60_000)

  it('says which tokens the model knows nothing of', async () => {
    const beyond = at('beyond')
    cpSync(model, beyond, { recursive: true })
    const { vocab_size } = JSON.parse(readFileSync(join(beyond, 'config.json'), 'utf8'))
    const tokenizer = join(beyond, 'tokenizer.json')
    const json = JSON.parse(readFileSync(tokenizer, 'utf8'))
    json.added_tokens.push({ ...json.added_tokens[0], id: vocab_size, content: '<|image|>' })
    writeFileSync(tokenizer, JSON.stringify(json))
    const { notices } = await run(configOf('told', { ...NOTHING, model_name_or_path: beyond }))
    expect(notices.join()).toContain('<|image|>')
  }, 30_000)
})

const NOTHING: QprunerConfigValues = {
  prune: undefined,
  quantize: { budget_bits: 9, formats: ['int8'], evaluations: 0, quantizer: 'rtn', allocate: 'uniform' },
  recover: undefined,
}

describe('checkQpruner', () => {
  const check = async (config: QprunerConfig, overwrite = false): Promise<string[]> => {
    const lines: string[] = []
    await resultOf(checkQpruner(config, { overwrite }), (event) => {
      if (event.type === 'started') lines.push(event.message ?? '')
    })
    return lines
  }

  it('says which stages are to be made, and leaves nothing', async () => {
    const lines = await check(configOf('checked'))
    expect(lines).toEqual([
      expect.stringMatching(/^calibration: 4 windows of 32 tokens/),
      ...['pruned', 'allocated', 'refined', 'quantized', 'recovered'].map((name) => `${name}: to be made`),
    ])
    expect(existsSync(at('checked'))).toBe(false)
    await run(configOf('begun', { ...NOTHING }))
    const recovering = { ...NOTHING, recover: { max_steps: 1 } }
    await expect(check(configOf('begun', recovering))).rejects.toThrow('whose quantized would be replaced')
    expect((await check(configOf('begun', recovering), true)).slice(1)).toEqual([
      'allocated: done before',
      'quantized: to be made',
      'recovered: to be made',
    ])
  }, 30_000)

  beforeAll(() => {
    cpSync(model, at('taller'), { recursive: true })
    const file = at('taller/config.json')
    const config = { ...JSON.parse(readFileSync(file, 'utf8')), num_hidden_layers: 4 }
    writeFileSync(file, JSON.stringify(config))
  })

  it.each<[string, () => QprunerConfigValues, number, string]>([
    [
      'a model that is not there',
      () => ({ model_name_or_path: at('none') }),
      3,
      'none: expected a directory or a .gguf file',
    ],
    ['weights that are not whole', () => ({ model_name_or_path: at('taller') }), 3, 'model.layers.3'],
    ['text that is not there', () => ({ dataset: at('none.txt') }), 3, 'none.txt'],
    [
      'windows beyond the context',
      () => ({ calibration: { max_length: 512 } }),
      2,
      'calibration.max_length: expected at most 256',
    ],
    [
      'sizes that do not go together',
      () => ({ prune: { ratio: 0.2, scope: 'global' } }),
      2,
      'prune.scope: expected local with the aligned layout',
    ],
    [
      'layers that are not there',
      () => ({ prune: { ratio: 0.2, layout: 'per-layer', protect_first: 9 } }),
      2,
      'expected fewer than the model',
    ],
    [
      'weights that are quantized',
      () => ({ model_name_or_path: join(at('begun'), 'quantized') }),
      3,
      ': expected full-precision weights to prune and quantize',
    ],
    ['a place that cannot be written', () => ({ output_dir: '/proc/none/x' }), 2, 'output_dir: expected a folder'],
  ])('refuses %s', async (_, more, code, message) => {
    const error = await check(configOf('refused', more())).then(
      () => undefined,
      (thrown: Error) => thrown,
    )
    expect(error?.message).toContain(message)
    expect([exitCodeOf(error), existsSync(at('refused'))]).toEqual([code, false])
  })

  it('takes shorter windows where the model sees less than 512 tokens', async () => {
    const [line] = await check(configOf('shorter', { calibration: { samples: 2 } }))
    expect(line).toMatch(/^calibration: 2 windows of 256 tokens/)
  })

  it('refuses a folder that another run is writing', async () => {
    mkdirSync(at('locked'))
    const unlock = lockTarget(at('locked'), 'out')
    await expect(run(configOf('locked'))).rejects.toThrow('output_dir: expected a place that nobody else writes to')
    unlock()
    expect(readdirSync(at('locked'))).toEqual([])
  })
})

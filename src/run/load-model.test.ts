import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { TINY_CHAT_TEMPLATE, tinyModelDirectory, tinyTokenizer } from '../../test/tiny-model.ts'
import { appendLineage } from '../checkpoint/model-directory/lineage.ts'
import { loadDecoder } from '../checkpoint/model-directory/load.ts'
import { saveDecoder } from '../checkpoint/model-directory/save.ts'
import { writeModelGguf } from '../gguf/export-model.ts'
import { loadLora, saveLora } from '../methods/lora/adapter-files.ts'
import { addLora, loraLayers } from '../methods/lora/lora.ts'
import { savePrompt } from '../methods/prompt-tuning/prompt-files.ts'
import { addPrompt } from '../methods/prompt-tuning/prompt-tuning.ts'
import type { Decoder } from '../model/decoder.ts'
import { quantLinears } from '../model/quantize-model.ts'
import { noGrad, ops, scope, Tensor } from '../torch/index.ts'
import { resultOf } from '../work.ts'
import { exportModel } from './export/export-model.ts'
import { loadLm } from './load-lm.ts'
import { loadModel } from './load-model.ts'
import { isAdapter, modelSource } from './model-source.ts'

let folder: string
let base: string
let remove: () => void
const at = (name: string): string => join(folder, name)

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'anneal-load-'))
  ;({ directory: base, remove } = await tinyModelDirectory({ generationConfig: { temperature: 0.5 } }))
  adapterOn(base, 'first', 1)
  adapterOn(base, 'second', 2)
})
afterAll(() => {
  remove()
  rmSync(folder, { recursive: true })
})

/** A LoRA whose product is not zero, as training would leave it. */
function adapterOn(of: string, name: string, seed: number, options: Parameters<typeof loadDecoder>[1] = {}): void {
  const model = loadDecoder(of, options)
  addLora(model, { r: 2, seed, targetModules: ['q_proj', 'down_proj'] })
  noGrad(() => {
    for (const [, layer] of loraLayers(model))
      for (const { A, B } of layer.adapters.values())
        B.copy_(
          ops
            .reshape(A.mean([1]).to('f32'), [1, -1])
            .expand(...B.shape)
            .mul(seed),
        )
  })
  mkdirSync(at(name))
  saveLora(model, at(name), { baseModel: of })
  model.free()
}

const IDS = [1, 40, 77, 9, 120]
function logits(model: Decoder, prefix: readonly number[] = []): number[] {
  return noGrad(() =>
    scope(() => {
      const ids = Tensor.from(Int32Array.from([...prefix, ...IDS]), [1, prefix.length + IDS.length]).to(model.device)
      return model
        .logits(model.hidden({ inputIds: ids.to('i64') }))
        .to('f32')
        .toArray()
        .flat(3)
        .slice(-model.config.vocabSize) as number[]
    }),
  )
}
async function logitsOf(...args: Parameters<typeof loadModel>): Promise<number[]> {
  const { model, prefix } = await loadModel(...args)
  try {
    return logits(model, prefix)
  } finally {
    model.free()
  }
}

/** Largest difference. */
const apart = (a: readonly number[], b: readonly number[]): number =>
  Math.max(...a.map((value, i) => Math.abs(value - b[i]!)))

describe('loadModel', () => {
  it('takes an adapter for the model that it names, with it on top', async () => {
    const [beside, named, plain] = [
      await logitsOf(base, { adapter: at('first') }),
      await logitsOf(at('first')),
      await logitsOf(base),
    ]
    expect(named).toEqual(beside)
    expect(apart(named, plain)).toBeGreaterThan(1e-3)
  })

  it('takes several adapters, whose updates add up, on each other or beside each other', async () => {
    const model = loadDecoder(base)
    loadLora(model, at('first'), { name: 'a' })
    loadLora(model, at('second'), { name: 'b' })
    for (const [, layer] of loraLayers(model)) layer.activate(['a', 'b'])
    const wanted = logits(model)
    model.free()
    expect(await logitsOf(base, { adapter: [at('first'), at('second')] })).toBeAllclose(wanted, { absolute: 1e-5 })
    expect(await logitsOf(at('first'), { adapter: at('second') })).toBeAllclose(wanted, { absolute: 1e-5 })
    adapterOn(base, 'upon', 2)
    const config = JSON.parse(readFileSync(join(at('upon'), 'adapter_config.json'), 'utf8'))
    writeFileSync(
      join(at('upon'), 'adapter_config.json'),
      JSON.stringify({ ...config, base_model_name_or_path: '../first' }), // from where the adapter is
    )
    expect(await logitsOf(at('upon'))).toBeAllclose(wanted, { absolute: 1e-5 })
  })

  it('merges them where that is asked for, and says so', async () => {
    const { model, steps } = await loadModel(at('first'), { adapter: at('second'), onto: 'dequantized' })
    expect([...loraLayers(model)]).toEqual([])
    expect(apart(logits(model), await logitsOf(base, { adapter: [at('first'), at('second')] }))).toBeLessThan(1e-4)
    expect(steps).toMatchObject([{ pass: 'merge', options: { adapter: 'first, second' } }])
    model.free()
  })

  it('quantizes the base as the adapter was trained on, or merges onto either one', async () => {
    adapterOn(base, 'on-4-bit', 1, { quantize: { format: 'nf4' } })
    const { model } = await loadModel(at('on-4-bit'))
    expect(quantLinears(model).size).toBeGreaterThan(0)
    const trained = logits(model)
    model.free()
    const dequantized = await logitsOf(at('on-4-bit'), { onto: 'dequantized' })
    const full = await logitsOf(at('on-4-bit'), { onto: 'full-precision' })
    expect(apart(dequantized, trained)).toBeLessThan(1e-3)
    expect(apart(full, trained)).toBeGreaterThan(1e-2)
    await expect(loadModel(at('first'), { adapter: at('on-4-bit') })).rejects.toThrow(
      /expected one trained on the same quantized base as .*first, got another/,
    )
  })

  it('takes a soft prompt, alone or over a LoRA', async () => {
    const model = loadDecoder(base)
    addPrompt(model, { numVirtualTokens: 3 })
    mkdirSync(at('prompt'))
    savePrompt(model, at('prompt'), { baseModel: at('first') })
    model.free()
    const loaded = await loadModel(at('prompt'))
    expect(loaded.prefix).toHaveLength(3)
    loaded.model.free()
    expect(apart(await logitsOf(at('prompt')), await logitsOf(base, { adapter: at('prompt') }))).toBeGreaterThan(1e-3)
    cpSync(at('prompt'), at('prompt-too'), { recursive: true })
    await expect(loadModel(base, { adapter: [at('prompt'), at('prompt-too')] })).rejects.toThrow(
      'expected one soft prompt',
    )
    await expect(loadModel(at('prompt'), { onto: 'dequantized' })).rejects.toThrow('A soft prompt is not merged')
  })

  it('takes tokenizer and sampling settings from the topmost adapter that has them', async () => {
    cpSync(at('first'), at('chatty'), { recursive: true })
    await tinyTokenizer(TINY_CHAT_TEMPLATE).save(at('chatty'))
    const chatty = await loadLm(at('chatty'))
    expect([chatty.canChat, chatty.generationConfig]).toEqual([true, { temperature: 0.5 }])
    chatty.free()
    writeFileSync(join(at('chatty'), 'generation_config.json'), '{"temperature": 0.25}')
    const { tokenizer, generationConfig, model } = await loadModel(at('chatty'), { adapter: at('second') })
    expect([tokenizer!.chatTemplate, generationConfig]).toEqual([TINY_CHAT_TEMPLATE, { temperature: 0.25 }])
    model.free()
  })

  it('reads a GGUF file, and an adapter on it', async () => {
    const model = loadDecoder(base)
    writeModelGguf(model, at('base.gguf'), { format: 'f32', tokenizer: tinyTokenizer() })
    model.free()
    expect(apart(await logitsOf(at('base.gguf')), await logitsOf(base))).toBeLessThan(1e-4)
    expect(apart(await logitsOf(at('base.gguf'), { adapter: at('first') }), await logitsOf(at('first')))).toBeLessThan(
      1e-4,
    )
    const { tokenizer, source, model: again } = await loadModel(at('base.gguf'))
    expect([tokenizer!.vocabSize, source.isGguf, source.name]).toEqual([261, true, 'base'])
    again.free()
  })

  it('gives the history of the base and of what is on it, each step once', async () => {
    const step = (pass: string) => ({
      pass,
      options: {},
      report: {},
      date: '2026-01-01T00:00:00.000Z',
      annealVersion: '0.1.0',
    })
    cpSync(base, at('told'), { recursive: true })
    appendLineage(at('told'), step('pretrain'))
    adapterOn(at('told'), 'told-adapter', 1)
    appendLineage(at('told-adapter'), step('pretrain'))
    appendLineage(at('told-adapter'), step('sft'))
    const { lineage, model } = await loadModel(at('told-adapter'))
    expect(lineage.map(({ pass }) => pass)).toEqual(['pretrain', 'sft'])
    model.free()
  })

  it('loads in the stored type where that is asked for', async () => {
    const model = loadDecoder(base)
    mkdirSync(at('half'))
    saveDecoder(model, at('half'), { dtype: 'bf16' })
    model.free()
    for (const [dtype, wanted] of [
      ['auto', 'f32'],
      ['stored', 'bf16'],
      ['f16', 'f16'],
    ] as const) {
      const { model: loaded } = await loadModel(at('half'), { dtype, device: 'cpu' })
      expect(loaded.model.embed_tokens.dense().dtype).toBe(wanted)
      loaded.free()
    }
  })

  it('says what is missing', async () => {
    expect(isAdapter(at('first'))).toBe(true)
    for (const [name, base, message] of [
      [
        'lost',
        'somebody/a-model',
        /lost\/adapter_config\.json:base_model_name_or_path: expected the directory of its model, got "somebody\/a-model", which is not there \(looked for \/.*lost\/somebody\/a-model and \/.*\/somebody\/a-model\)\. Give the model, and this as its adapter/,
      ],
      ['nameless', null, /expected the directory of its model, got nothing/],
      ['circle', at('circle'), /got adapters that name each other/],
    ] as const) {
      mkdirSync(at(name))
      const config = { peft_type: 'LORA', target_modules: ['q_proj'], base_model_name_or_path: base }
      writeFileSync(join(at(name), 'adapter_config.json'), JSON.stringify(config))
      expect(() => modelSource(at(name))).toThrow(message)
    }
    expect(existsSync(at('nothing'))).toBe(false)
    await expect(loadModel(at('nothing'))).rejects.toThrow(
      `${at('nothing')}: expected a directory or a .gguf file, got nothing. Check the path`,
    )
    await expect(loadModel(base, { adapter: base })).rejects.toThrow(
      `${base}: expected the directory of an adapter, got a model. Give it as the model`,
    )
    await expect(loadModel(base, { adapter: at('nothing') })).rejects.toThrow(
      `${at('nothing')}: expected the directory of an adapter, got nothing. Check the path`,
    )
    await expect(loadModel('recipes/qlora.yaml')).rejects.toThrow(
      'recipes/qlora.yaml: expected a directory or a .gguf file, got a YAML file. Give the model',
    )
  })

  it('takes the base of an adapter from where the adapter is before it looks from here, and names it from anywhere', () => {
    mkdirSync(at('kept/src'), { recursive: true }) // there is one of that name where the tests run
    const file = join(at('kept'), 'adapter_config.json')
    const named = { peft_type: 'LORA', target_modules: ['q_proj'], base_model_name_or_path: 'src' }
    writeFileSync(file, JSON.stringify(named))
    expect(modelSource(at('kept')).base).toBe(join(at('kept'), 'src'))
    adapterOn(relative(process.cwd(), base), 'from-here', 1)
    const { base_model_name_or_path } = JSON.parse(readFileSync(join(at('from-here'), 'adapter_config.json'), 'utf8'))
    expect(base_model_name_or_path).toBe(base)
  })
})

it('names an option that there is not, and an adapter that cannot be read', async () => {
  await expect(loadLm(base, { threads: 2 } as never)).rejects.toThrow(
    "loadLm: expected options that it has, got 'threads'",
  )
  await expect(loadModel(base, { dtpye: 'f32' } as never)).rejects.toThrow("Did you mean 'dtype'?")
  const file = at('first.gguf')
  await resultOf(exportModel({ to: 'gguf-adapter', model: base, adapter: at('first'), out: file }))
  for (const options of [{ adapter: file }, { adapters: { first: file } }])
    await expect(loadLm(base, options)).rejects.toThrow('got one as GGUF')
  await expect(loadLm(base, { adapters: { first: at('nowhere') } })).rejects.toThrow(
    'expected the directory of an adapter',
  )
})

it('takes no adapter twice, by itself or as the model', async () => {
  const twice = 'expected each adapter once, got it twice'
  expect(() => modelSource(base, [at('first'), at('second'), join(at('first'), '.')])).toThrow(twice)
  expect(() => modelSource(at('first'), at('first'))).toThrow(twice)
  expect(modelSource(base, [at('first'), at('second')]).adapters).toHaveLength(2)
})

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { writeTextModel } from '../../test/text-model.ts'
import { loadDecoder } from '../checkpoint/model-directory/load.ts'
import { UnsupportedError } from '../errors.ts'
import { writeModelGguf } from '../gguf/export-model.ts'
import { saveLora } from '../methods/lora/adapter-files.ts'
import { addLora } from '../methods/lora/lora.ts'
import { Tokenizer } from '../text/tokenizer.ts'
import { Generator, noGrad, ops, scope } from '../torch/index.ts'
import { loadLm } from './load-lm.ts'

const folder = mkdtempSync(join(tmpdir(), 'anneal-load-lm-'))
afterAll(() => rmSync(folder, { recursive: true }))
const adapter = join(folder, 'adapter')
let directory = ''
const gguf = join(folder, 'model.gguf')
beforeAll(async () => {
  ;({ model: directory } = await writeTextModel(folder))
  const model = loadDecoder(directory)
  writeModelGguf(model, gguf, { format: 'q8_0', tokenizer: await Tokenizer.fromDirectory(directory) })
  addLora(model, { r: 2 })
  scope(() => {
    for (const [path, parameter] of model.parameters())
      if (path.includes('lora_B')) noGrad(() => ops.normal_(parameter, 0, 0.5, new Generator(1)))
  })
  mkdirSync(adapter)
  saveLora(model, adapter, { baseModel: directory })
  model.free()
})

it.each(['directory', 'gguf'])('takes an adapter in that it was loaded without (%s)', async (kind) => {
  const path = kind === 'gguf' ? gguf : directory
  const [later, before] = [await loadLm(path), await loadLm(path, { adapters: { style: adapter } })]
  const request = { prompt: 'the cat sat', maxNewTokens: 20, logprobs: true }
  const [plain] = await later.generateAll([request])
  await later.loadAdapter('style', adapter)
  const [styled, bare] = await later.generateAll([{ ...request, adapter: 'style' }, request])
  const [expected] = await before.generateAll([{ ...request, adapter: 'style' }])
  expect(styled).toEqual(expected)
  expect(styled!.logprobs).not.toEqual(plain!.logprobs)
  expect(bare).toMatchObject({ text: plain!.text, logprobs: plain!.logprobs! })
  await later.unloadAdapter('style')
  await before.unloadAdapter('style')
  expect([later.adapters, before.adapters]).toEqual([[], []])
  later.free()
  before.free()
})

it('takes none beside one that is always on', async () => {
  const lm = await loadLm(adapter)
  await expect(lm.loadAdapter('style', adapter)).rejects.toThrow(UnsupportedError)
  lm.free()
})

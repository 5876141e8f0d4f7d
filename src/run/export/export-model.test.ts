import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { tinyModelDirectory } from '../../../test/tiny-model.ts'
import { readLineage } from '../../checkpoint/model-directory/lineage.ts'
import { resultOf, type WorkEvent } from '../../work.ts'
import { exportModel } from './export-model.ts'

let folder: string
let model: string
let remove: () => void
const at = (name: string): string => join(folder, name)
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'anneal-export-model-'))
  ;({ directory: model, remove } = await tinyModelDirectory({ generationConfig: { temperature: 0.5 } }))
  writeFileSync(join(model, 'LICENSE'), 'the terms')
  cpSync(fileURLToPath(new URL('../../../test/fixtures/training/lora-qv', import.meta.url)), at('lora'), {
    recursive: true,
  })
  const file = at('lora/adapter_config.json')
  const config = JSON.parse(readFileSync(file, 'utf8'))
  writeFileSync(file, JSON.stringify({ ...config, base_model_name_or_path: model }))
  writeFileSync(at('lora/generation_config.json'), '{"eos_token_id": [2, 4]}')
})
afterAll(() => {
  remove()
  rmSync(folder, { recursive: true })
})

describe('exportModel', () => {
  it('tells of its progress and gives what it read back, without a terminal', async () => {
    const events: WorkEvent[] = []
    const result = await resultOf(exportModel({ to: 'gguf', model: at('lora'), out: at('lora.gguf') }), (event) =>
      events.push(event),
    )
    expect(result).toMatchObject({
      to: 'gguf',
      path: at('lora.gguf'),
      format: 'f32',
      check: { closeness: { sameTop: 1 }, differing: [] },
    })
    const progress = events.flatMap((event) => (event.type === 'progress' ? [event] : []))
    expect(progress.at(-1)).toMatchObject({ label: 'writing', unit: 'bytes', done: progress[0]!.total })
    expect(progress.length).toBeGreaterThan(10)
    expect(events.slice(-2)).toMatchObject([
      { type: 'saved', path: at('lora.gguf') },
      { type: 'result', result },
    ])
    expect(readFileSync(at('lora.gguf.Modelfile'), 'utf8')).toMatch(/PARAMETER stop "<\|im_end\|>"/)
  })

  it('writes commands that a shell reads back where the name has a space', async () => {
    const out = at('my model.gguf')
    await resultOf(exportModel({ to: 'gguf', model, out, skipCheck: true }))
    expect(readFileSync(`${out}.Modelfile`, 'utf8').split('\n').slice(0, 2)).toEqual([
      "# ollama create my-model -f 'my model.gguf.Modelfile'",
      'FROM ./my model.gguf',
    ])
    const card = readFileSync(`${out}.md`, 'utf8')
    expect(card).toContain(
      "    llama-cli -m 'my model.gguf'\n    ollama create my-model -f 'my model.gguf.Modelfile'\n",
    )
    expect(card).toContain("    anneal chat --model 'my model.gguf'\n")
  })

  it('stops when it is told to, and leaves nothing', async () => {
    const before = readdirSync(folder)
    const controller = new AbortController()
    const events = exportModel({ to: 'gguf', model, out: at('stopped/x.gguf') }, { signal: controller.signal })
    await expect(
      resultOf(events, ({ type }) => {
        if (type === 'progress') controller.abort(new Error('enough'))
      }),
    ).rejects.toThrow('enough')
    expect(readdirSync(folder)).toEqual(before)
  })

  it('brings licence and settings along into a directory, an adapter’s own where it has some', async () => {
    const result = await resultOf(exportModel({ to: 'hf', model: at('lora'), out: at('merged'), dtype: 'bf16' }))
    expect(result).toMatchObject({ to: 'hf', path: at('merged'), dtype: 'bf16', notices: [] })
    expect(readFileSync(at('merged/LICENSE'), 'utf8')).toBe('the terms')
    expect(JSON.parse(readFileSync(at('merged/generation_config.json'), 'utf8'))).toEqual({ eos_token_id: [2, 4] })
    expect(readLineage(at('merged')).map(({ pass, parentSha256 }) => [pass, parentSha256 !== undefined])).toEqual([
      ['merge', true],
      ['export', false],
    ])
    for (const same of [model, at('lora')])
      await expect(resultOf(exportModel({ to: 'hf', model: at('lora'), out: same }))).rejects.toThrow(
        'expected another folder than `model`',
      )
  })

  it('writes an adapter alone, which the path of the model may be', async () => {
    const out = at('adapter.gguf')
    expect(await resultOf(exportModel({ to: 'gguf-adapter', model: at('lora'), out }))).toMatchObject({
      path: out,
      modules: expect.any(Number),
    })
    await expect(resultOf(exportModel({ to: 'gguf-adapter', model, out: at('none.gguf') }))).rejects.toThrow(
      'adapter: expected one LoRA to be written alone, got none',
    )
    expect(existsSync(at('none.gguf'))).toBe(false)
  })
})

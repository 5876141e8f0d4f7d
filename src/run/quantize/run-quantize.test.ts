import {
  chmodSync,
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
import { readLineage } from '../../checkpoint/model-directory/lineage.ts'
import { loadDecoder } from '../../checkpoint/model-directory/load.ts'
import { saveLora } from '../../methods/lora/adapter-files.ts'
import { addLora } from '../../methods/lora/lora.ts'
import type { QuantFormat } from '../../nn/quant/format.ts'
import { resultOf, type WorkEvent } from '../../work.ts'
import type { QuantizeSummary } from './quantize-report.ts'
import { type RunQuantizeOptions, runQuantize } from './run-quantize.ts'

const root = mkdtempSync(join(tmpdir(), 'anneal-quantize-'))
const at = (name: string): string => join(root, name)
let model: string
let onText: Partial<RunQuantizeOptions>

beforeAll(async () => {
  const written = await writeTextModel(root)
  model = written.model
  onText = { data: [written.text], samples: 4, maxLength: 32, batchSize: 2 }
})
afterAll(() => rmSync(root, { recursive: true }))

const weightsOf = (directory: string): Buffer => readFileSync(join(directory, 'model.safetensors'))
const optionsFor = (out: string, more: Partial<RunQuantizeOptions>): RunQuantizeOptions => ({
  model,
  out: at(out),
  device: 'cpu',
  ...more,
})

/** Begins, and is stopped while it measures. */
async function stopped(options: RunQuantizeOptions): Promise<void> {
  const controller = new AbortController()
  const stop = (event: WorkEvent): void => {
    if (event.type === 'progress' && event.label === 'searching' && event.done > 2)
      controller.abort(new Error('enough'))
  }
  await expect(resultOf(runQuantize(options, { signal: controller.signal }), stop)).rejects.toThrow('enough')
}

describe('runQuantize', () => {
  it('leaves the model as it is at 16 bits', async () => {
    chmodSync(join(model, 'tokenizer.json'), 0o444)
    const { out } = await resultOf(runQuantize(optionsFor('16', { bits: 16 })))
    expect(weightsOf(out).equals(weightsOf(model))).toBe(true)
    expect(statSync(join(out, 'tokenizer.json')).mode & 0o200).toBe(0o200) // also where the original may only be read
  })

  it('needs no text for one format, and writes a model that loads', async () => {
    const labels = new Set<string>()
    const { out } = await resultOf(runQuantize(optionsFor('nf4', { bits: 4 })), (event) => {
      if (event.type === 'progress') labels.add(event.label)
    })
    loadDecoder(out).free()
    const { units } = JSON.parse(readFileSync(join(out, 'quantize.json'), 'utf8')) as QuantizeSummary
    expect(units.map(({ losses }) => losses)).toEqual([null, null, null])
    const step = readLineage(out).at(-1)!
    expect([step.pass, step.options.formats]).toEqual(['quantize', ['nf4']])
    expect(Object.keys({ ...step.options, ...step.report })).not.toContain('budgetBits')
    expect([...labels]).toContain('quantizing')
    expect([...labels]).not.toContain('searching')
  })

  it('says on terminal and page why a search ended early', async () => {
    const said: string[] = []
    const wanted = optionsFor('early', { ...onText, budgetBits: 3, allocate: 'bo', formats: ['nf2'], evaluations: 8 })
    const { out } = await resultOf(runQuantize(wanted), (event) => {
      if (event.type === 'notice') said.push(event.message)
    })
    const why = '1 assignment: there is no other one within the budget to try'
    expect(said).toContain(`searched ${why}; up to 8 were allowed`)
    expect(readFileSync(join(out, 'quantize.html'), 'utf8')).toContain(`The search measured ${why}.`)
  })

  it('chooses formats within a budget and says what they cost', async () => {
    const wanted = optionsFor('mixed', { ...onText, budgetBits: 3.2, allocate: 'bo', evaluations: 8 })
    const result = (await resultOf(runQuantize(wanted))) as QuantizeSummary & {
      out: string
      eval_perplexity_after: number
    }
    expect(result.bits).toBeLessThanOrEqual(3.2)
    expect(result.units.length).toBe(3)
    expect(result.units.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(result.bytes)
    expect(result.eval_perplexity_after).toBeGreaterThan(0)
    expect(readFileSync(join(result.out, 'quantize.html'), 'utf8')).toContain('Bits and loss')
    expect(JSON.parse(readFileSync(join(result.out, 'quantize.json'), 'utf8')).bits).toBe(result.bits)
    expect(readdirSync(root).filter((name) => name.startsWith('.'))).toEqual([])
  })

  it('goes on from its journal after an interruption', async () => {
    const journal = at('journal.jsonl')
    const wanted = { ...onText, journal, budgetBits: 3, allocate: 'bo', evaluations: 8 } as const
    await stopped(optionsFor('resumed', wanted))
    expect([existsSync(at('resumed')), existsSync(journal)]).toEqual([false, true])
    const notices = async (out: string): Promise<string> => {
      const said: string[] = []
      await resultOf(runQuantize(optionsFor(out, wanted)), (event) => {
        if (event.type === 'notice') said.push(event.message)
      })
      return said.join('\n')
    }
    expect(await notices('resumed')).toContain(`going on from ${journal}`)
    expect(existsSync(journal)).toBe(false)
    expect(await notices('fresh')).not.toContain('going on')
    expect(weightsOf(at('resumed')).equals(weightsOf(at('fresh')))).toBe(true)
  })

  it('does not go on with measurements of the same model under another adapter', async () => {
    const decoder = loadDecoder(model)
    addLora(decoder, { r: 2 })
    mkdirSync(at('lora'))
    saveLora(decoder, at('lora'), { baseModel: model })
    decoder.free()
    const journal = at('adapted.jsonl')
    const wanted = { ...onText, model: at('lora'), journal, budgetBits: 3, allocate: 'bo', evaluations: 8 } as const
    await stopped(optionsFor('adapted', wanted))
    const file = at('lora/adapter_config.json')
    writeFileSync(file, readFileSync(file, 'utf8').replace(/"lora_alpha": \d+/, '"lora_alpha": 31'))
    await expect(resultOf(runQuantize(optionsFor('adapted', wanted)))).rejects.toThrow(journal)
    expect(existsSync(at('adapted'))).toBe(false)
  })

  it('says what is wrong, and writes nothing', async () => {
    const wrong = async (more: Partial<RunQuantizeOptions>): Promise<string> => {
      const out = at('none')
      const error = await (async () => resultOf(runQuantize(optionsFor('none', more))))().then(
        () => undefined,
        (thrown: Error) => thrown,
      )
      expect(existsSync(out)).toBe(false)
      return error?.message ?? 'no error'
    }
    expect(await wrong({})).toContain('bits: expected one of `bits`, `format` and `budgetBits`, got none')
    expect(await wrong({ ...onText, budgetBits: 2.1 })).toContain('budgetBits: expected at least 2.5 bits per weight')
    expect(await wrong({ budgetBits: 3 })).toContain('data: expected text to measure on with sensitivity')
    expect(await wrong({ bits: 4, quantizer: 'gptq' })).toContain('data: expected text')
    expect(await wrong({ ...onText, budgetBits: 3, allocate: 'mutual' as 'mi' })).toContain(
      "allocate: expected uniform or sensitivity or fisher or bo or mi, got 'mutual'",
    )
    expect(await wrong({ bits: 4, allocate: 'bo' })).toContain('allocate: expected `budgetBits` with it, got `bits`')
    const formats = ['nf5' as QuantFormat]
    expect(await wrong({ ...onText, budgetBits: 3, formats })).toContain('formats: expected nf4 or')
    writeFileSync(at('short.txt'), 'the cat')
    expect(await wrong({ budgetBits: 3, data: [at('short.txt')] })).toContain('expected at least 512 tokens')
    expect(readdirSync(root).filter((name) => name.startsWith('.'))).toEqual([])
  })

  it('refuses a model that is quantized already, and a folder that is in use', async () => {
    const twice = resultOf(runQuantize(optionsFor('twice', { model: at('nf4'), bits: 2 })))
    await expect(twice).rejects.toThrow(': expected full-precision weights to quantize')
    cpSync(model, at('used'), { recursive: true })
    await expect(resultOf(runQuantize(optionsFor('used', { bits: 2 })))).rejects.toThrow('out: expected a new')
  })
})

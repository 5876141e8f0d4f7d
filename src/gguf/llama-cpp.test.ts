// Against llama.cpp itself: test/fixtures/gguf/llama-cpp.json has its answers about files with these hashes.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  CASE_IDS,
  caseAdapters,
  caseModel,
  caseTokenizer,
  MODEL_CASES,
  TOKENIZER_CASES,
  writeAdapterCase,
  writeModelCase,
  writeTokenizerCase,
} from '../../test/gguf-cases.ts'
import { InputError } from '../errors.ts'
import { attachAdapters, setAdapters } from '../methods/lora/lora.ts'
import type { Decoder } from '../model/decoder.ts'
import { noGrad, scope, Tensor } from '../torch/index.ts'
import { compareModels, HARD_TEXTS } from './compare.ts'
import { loadGguf } from './load-model.ts'
import { loadGgufParts } from './load-parts.ts'
import { readGguf } from './read.ts'
import { tokenizerFromMetadata } from './tokenizer-from-metadata.ts'

interface Answers {
  models: Record<string, { sha256: string; logProbs: number[]; top: number[]; greedy: number[] }>
  adapter: { sha256: string; logProbs: number[] }
  tokenizers: Record<string, { sha256: string; ids: number[][] }>
}

const file = new URL('../../test/fixtures/gguf/llama-cpp.json', import.meta.url)
const answers = JSON.parse(readFileSync(file, 'utf8')) as Answers
/** llama.cpp keeps keys and values in f16, and computes with activations in 8 bits where weights are quantized. */
const BOUNDS: Record<string, number> = {
  f32: 0.03,
  f16: 0.03,
  bf16: 0.12,
  q8_0: 0.15,
  q6_k: 0.25,
  q4_k: 0.35,
  q4_0: 0.35,
}

let directory: string
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'anneal-gguf-'))
})
afterAll(() => rmSync(directory, { recursive: true }))

/** Log-probabilities after each token [T, 261]. */
function logProbsOf(model: Decoder, ids: readonly number[]): number[][] {
  const table = noGrad(() =>
    scope(() => {
      const inputIds = Tensor.from(Int32Array.from(ids), [1, ids.length]).to('i64')
      return model.forward({ inputIds }).logSoftmax().toArray()
    }),
  )
  return ids.map((_, i) => table.slice(i * 261, (i + 1) * 261))
}

/** Whether `id` is the most probable one, or so close to it that rounding in f16 may decide. */
function isTop(logProbs: readonly number[], id: number): boolean {
  return logProbs[id]! > Math.max(...logProbs) - 0.03
}

describe.each(MODEL_CASES)('a $name in $format', (modelCase) => {
  const { name, format } = modelCase
  const expected = answers.models[name]!
  it('is written with the bytes that llama.cpp was asked about, and read back', () => {
    const model = caseModel(modelCase)
    const path = join(directory, `${name}.gguf`)
    expect(writeModelCase(modelCase, model, path)).toBe(expected.sha256)
    const again = loadGguf(path)
    const { maxLogitDifference, positions } = compareModels(model, again, CASE_IDS)
    expect(positions).toBe(CASE_IDS.length)
    if (format === 'f32') expect(maxLogitDifference).toBeLessThan(1e-4)
    again.free()
    model.free()
  })
  it('says what llama.cpp says', () => {
    const model = loadGguf(join(directory, `${name}.gguf`))
    const rows = logProbsOf(model, CASE_IDS)
    const differences = CASE_IDS.slice(1).map((id, i) => Math.abs(rows[i]![id]! - expected.logProbs[i]!))
    expect(Math.max(...differences)).toBeLessThan(BOUNDS[format]!)
    if (format === 'f32') {
      expect(rows.every((row, i) => isTop(row, expected.top[i]!))).toBe(true)
      // The greedy text: each token after the ones before.
      const prompt = CASE_IDS.slice(0, 8)
      const after = logProbsOf(model, [...prompt, ...expected.greedy]).slice(prompt.length - 1, -1)
      expect(expected.greedy.filter((id, i) => !isTop(after[i]!, id))).toEqual([])
    }
    model.free()
  })
})

describe('a model file whose header was changed', () => {
  it('is loaded or refused, never more', async () => {
    const path = join(directory, 'changed.gguf')
    const whole = readFileSync(join(directory, 'llama.gguf'))
    const { tensors } = readGguf(join(directory, 'llama.gguf'))
    const headerBytes = Math.min(...Array.from(tensors.values(), ({ begin }) => begin))
    let state = 3
    const next = (below: number): number => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0
      return Math.floor((state / 2 ** 32) * below)
    }
    let loaded = 0
    for (let round = 0; round < (process.env.ANNEAL_LONG ? 20_000 : 300); round++) {
      const bytes = Buffer.from(whole)
      bytes[next(headerBytes)] = [0, 1, 255, next(256)][next(4)]!
      writeFileSync(path, bytes)
      try {
        const { model } = await loadGgufParts(path)
        model.free()
        loaded++
      } catch (error) {
        if (!(error instanceof InputError)) throw error
      }
    }
    expect(loaded).toBeGreaterThan(0)
  }, 600_000)
})

describe('an adapter alone', () => {
  it('is written with the bytes that llama.cpp was asked about, and adds the same', () => {
    const path = join(directory, 'adapter.gguf')
    expect(writeAdapterCase(path)).toBe(answers.adapter.sha256)
    const model = caseModel(MODEL_CASES[0]!)
    const loras = [...caseAdapters()]
    attachAdapters(
      model,
      'default',
      loras.map(([at, { A, B, scale }]) => [
        at,
        { A, B, alpha: 3 * scale, useRslora: false, magnitude: null, dropout: 0 },
      ]),
    )
    setAdapters(model, 'default', { trainable: false })
    const rows = logProbsOf(model, CASE_IDS)
    const differences = CASE_IDS.slice(1).map((id, i) => Math.abs(rows[i]![id]! - answers.adapter.logProbs[i]!))
    expect(Math.max(...differences)).toBeLessThan(0.03)
    const without = answers.models[MODEL_CASES[0]!.name]!.logProbs
    expect(Math.max(...without.map((value, i) => Math.abs(value - answers.adapter.logProbs[i]!)))).toBeGreaterThan(0.3)
    model.free()
  })
})

describe.each(TOKENIZER_CASES)('the tokenizer %s', (name) => {
  it('is written with the bytes that llama.cpp was asked about, and has its ids', () => {
    const path = join(directory, `tokenizer-${name}.gguf`)
    const { sha256, ids } = answers.tokenizers[name]!
    expect(writeTokenizerCase(name, path)).toBe(sha256)
    const [ours, again] = [caseTokenizer(name), tokenizerFromMetadata(readGguf(path))!]
    for (const [i, text] of HARD_TEXTS.entries()) {
      const encode = (tokenizer: typeof ours): number[] =>
        Array.from(tokenizer.encode(text, { addSpecialTokens: false }))
      expect(encode(again)).toEqual(encode(ours))
      expect([text, encode(ours)]).toEqual([text, ids[i]])
    }
  })
})

import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { NonFiniteError, UnsupportedError } from '../../errors.ts'
import type { Linear } from '../../nn/linear.ts'
import { ops, scope } from '../../torch/index.ts'
import { loadDecoder } from './load.ts'
import { saveDecoder } from './save.ts'

const models = fileURLToPath(new URL('../../../test/fixtures/models/', import.meta.url))

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'anneal-save-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

/** Metadata, and every tensor by name: type, shape, bytes. */
function contents(path: string): { metadata: unknown; tensors: Map<string, [string, string, Buffer]> } {
  const file = readFileSync(join(path, 'model.safetensors'))
  const start = 8 + Number(file.readBigUInt64LE(0))
  const { __metadata__: metadata, ...header } = JSON.parse(file.subarray(8, start).toString())
  const tensors = Object.entries<{ dtype: string; shape: number[]; data_offsets: [number, number] }>(header)
  return {
    metadata,
    tensors: new Map(
      tensors.map(
        ([
          name,
          {
            dtype,
            shape,
            data_offsets: [from, to],
          },
        ]) => [name, [dtype, `${shape}`, file.subarray(start + from, start + to)]],
      ),
    ),
  }
}

describe('saveDecoder', () => {
  it.each(readdirSync(models))(
    'writes the tensors that it was read from, bit for bit, a tied head once (%s)',
    (name) => {
      const source = join(models, name)
      const model = loadDecoder(source)
      saveDecoder(model, directory)
      model.free()
      const [before, after] = [contents(source), contents(directory)]
      expect(after.metadata).toEqual({ format: 'pt' })
      expect([...after.tensors.keys()].sort()).toEqual([...before.tensors.keys()].sort())
      for (const [tensor, stored] of before.tensors) expect(after.tensors.get(tensor), tensor).toEqual(stored)
    },
  )

  it('refuses weights that the type cannot hold, and NaN in every type', () => {
    const model = loadDecoder(join(models, 'llama'))
    const weight = (model.model.layers[1]!.mlp!.up_proj as Linear).weight
    scope(() => ops.fill_(weight, 65_504))
    saveDecoder(model, directory, { dtype: 'f16' })
    scope(() => ops.fill_(weight, -7e4))
    expect(() => saveDecoder(model, directory, { dtype: 'f16' })).toThrow(UnsupportedError)
    expect(() => saveDecoder(model, directory, { dtype: 'f16' })).toThrow(
      /layers\.1\.mlp\.up_proj\.weight: expected weights up to 65504 for F16, got 70000\. Choose bf16 or f32/,
    )
    saveDecoder(model, directory, { dtype: 'bf16' })
    scope(() => ops.fill_(weight, 3.4e38)) // above 3.39e38, which is the highest of bf16
    expect(() => saveDecoder(model, directory, { dtype: 'bf16' })).toThrow(/Choose f32/)
    saveDecoder(model, directory)
    scope(() => ops.fill_(weight, Number.NaN))
    for (const dtype of ['f32', 'bf16', 'f16'] as const)
      expect(() => saveDecoder(model, directory, { dtype })).toThrow(NonFiniteError)
    model.free()
  })
})

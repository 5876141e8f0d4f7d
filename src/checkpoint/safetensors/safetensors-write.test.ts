import { createHash } from 'node:crypto'
import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, readSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import { InputError } from '../../errors.ts'
import { DTYPE_BITS, readHeader, type SafetensorsDtype, tensorBytes } from './safetensors.ts'
import { type TensorSource, writeSafetensors } from './safetensors-write.ts'

const REFERENCE = join(import.meta.dirname, '../../../test/fixtures/safetensors/reference.safetensors')
const directory = mkdtempSync(join(tmpdir(), 'anneal-write-'))
const file = join(directory, 'x.safetensors')
afterAll(() => rmSync(directory, { recursive: true }))

const vector = (name: string, ...values: number[]): TensorSource => ({
  name,
  dtype: 'F32',
  shape: [values.length],
  bytes: new Uint8Array(new Float32Array(values).buffer),
})

describe('writeSafetensors', () => {
  it('writes the bytes of the reference implementation, whatever the order of the tensors', () => {
    const reference = readFileSync(REFERENCE)
    const sources = [...readHeader(REFERENCE).tensors].map(([name, { dtype, shape, begin, end }]) => ({
      name,
      dtype,
      shape,
      bytes: () => reference.subarray(begin, end),
    }))
    const written = writeSafetensors(file, sources.reverse())
    expect(readFileSync(file).equals(reference)).toBe(true)
    expect(written).toEqual({
      path: file,
      size: reference.length,
      sha256: createHash('sha256').update(reference).digest('hex'),
    })
  })

  it('writes the layout of the specification', () => {
    writeSafetensors(file, [vector('a', 1, 2)])
    const json = '{"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}'
    const padded = json.padEnd(Math.ceil(json.length / 8) * 8, ' ')
    const expected = Buffer.concat([
      Buffer.from([padded.length, 0, 0, 0, 0, 0, 0, 0]),
      Buffer.from(padded),
      Buffer.from([0, 0, 0x80, 0x3f, 0, 0, 0, 0x40]),
    ])
    expect(readFileSync(file)).toEqual(expected)
  })

  it('asks for one tensor at a time, after the one before is written', () => {
    const asked: string[] = []
    const lazy = (name: string): TensorSource => ({
      name,
      dtype: 'U8',
      shape: [3],
      bytes: () => {
        asked.push(name)
        return Buffer.from(name.repeat(3))
      },
    })
    writeSafetensors(file, [lazy('b'), lazy('a')], {})
    expect(asked).toEqual(['a', 'b'])
    expect(readFileSync(file).subarray(-6).toString()).toBe('aaabbb')
  })

  it('leaves the bytes of a replaced file to whoever has it open or mapped', () => {
    writeSafetensors(file, [vector('a', 1)])
    const before = readFileSync(file)
    const descriptor = openSync(file, 'r')
    writeSafetensors(file, [vector('b', 2, 3)])
    const seen = Buffer.alloc(before.length)
    readSync(descriptor, seen, 0, seen.length, 0)
    closeSync(descriptor)
    expect(seen).toEqual(before)
  })

  it.each<[string, TensorSource[]]>([
    ['too few bytes', [vector('good', 1), { ...vector('a', 1), shape: [2] }]],
    ['a tensor that fails', [vector('good', 1), { ...vector('z', 1), bytes: () => fail() }]],
    ['the same name twice', [vector('a', 1), vector('a', 2)]],
    ['a reserved name', [vector('__metadata__', 1)]],
    ['a name that is no Unicode', [vector('\ud800', 1)]],
    ['an unknown dtype', [{ ...vector('a', 1), dtype: 'F31' as SafetensorsDtype }]],
    ['a fractional size', [{ ...vector('a', 1), shape: [0.5, 2] }]],
    ['a negative size', [{ ...vector('a', 1), shape: [-1, -1] }]],
    ['half a byte', [{ ...vector('a', 1), dtype: 'F4' }]],
  ])('refuses %s and leaves the old file and nothing else', (_, tensors) => {
    writeFileSync(file, 'old')
    expect(() => writeSafetensors(file, tensors)).toThrow(InputError)
    expect(readFileSync(file, 'utf8')).toBe('old')
    expect(readdirSync(directory)).toEqual(['x.safetensors'])
  })

  it('round-trips any tensors', () => {
    const dtype = fc.constantFrom(...(Object.keys(DTYPE_BITS) as SafetensorsDtype[]))
    const name = fc
      .string({ unit: 'binary', maxLength: 12 })
      .filter((text) => text.isWellFormed() && text !== '__metadata__')
    const source = fc
      .tuple(name, dtype, fc.array(fc.nat(4), { maxLength: 4 }))
      .filter(([, type, shape]) => tensorBytes(type, shape) !== undefined)
      .chain(([text, type, shape]) => {
        const length = tensorBytes(type, shape)!
        const bytes = fc.uint8Array({ minLength: length, maxLength: length })
        return bytes.map((content) => ({ name: text, dtype: type, shape, bytes: content }))
      })
    const sources = fc.uniqueArray(source, { selector: (tensor) => tensor.name, maxLength: 8 })
    const metadata = fc.dictionary(fc.string(), fc.string(), { maxKeys: 3 })
    fc.assert(
      fc.property(sources, metadata, (tensors, entries) => {
        writeSafetensors(file, tensors, entries)
        const header = readHeader(file)
        const whole = readFileSync(file)
        expect(header.metadata).toEqual(new Map(Object.entries(entries)))
        expect(header.tensors.size).toBe(tensors.length)
        for (const tensor of tensors) {
          const { begin, end, ...info } = header.tensors.get(tensor.name)!
          expect(info).toEqual({ dtype: tensor.dtype, shape: tensor.shape, file })
          expect(new Uint8Array(whole.subarray(begin, end))).toEqual(tensor.bytes)
        }
      }),
      { numRuns: process.env.ANNEAL_LONG ? 20_000 : 300 },
    )
  }, 600_000)
})

function fail(): never {
  throw new InputError('no bytes')
}

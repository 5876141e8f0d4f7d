import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { readHeader } from '../checkpoint/safetensors/safetensors.ts'
import { writeSafetensors } from '../checkpoint/safetensors/safetensors-write.ts'
import { Findings } from './finding.ts'
import { checkFinite } from './non-finite.ts'

const directory = mkdtempSync(join(tmpdir(), 'anneal-finite-'))
afterAll(() => rmSync(directory, { recursive: true }))
const file = join(directory, 'model.safetensors')

type Float = 'F64' | 'F32' | 'F16' | 'BF16'
// The largest finite value, infinity and a NaN, as their bits.
const BITS: Record<Float, { array: (bits: bigint[]) => ArrayBufferView; finite: bigint; others: bigint[] }> = {
  F64: {
    array: (bits) => BigUint64Array.from(bits),
    finite: 0x7fefffffffffffffn,
    others: [0x7ff0000000000000n, 0xfff0000000000000n, 0x7ff0000000000001n],
  },
  F32: {
    array: (bits) => Uint32Array.from(bits, Number),
    finite: 0x7f7fffffn,
    others: [0x7f800000n, 0xff800000n, 0x7fc00000n],
  },
  F16: { array: (bits) => Uint16Array.from(bits, Number), finite: 0x7bffn, others: [0x7c00n, 0xfc00n, 0x7e00n] },
  BF16: { array: (bits) => Uint16Array.from(bits, Number), finite: 0x7f7fn, others: [0x7f80n, 0xff80n, 0x7fc0n] },
}

function messages(dtype: Float, tensors: Record<string, bigint[]>): string[] {
  const sources = Object.entries(tensors).map(([name, bits]) => {
    const { buffer } = BITS[dtype].array(bits)
    return { name, dtype, shape: [bits.length], bytes: () => new Uint8Array(buffer as ArrayBuffer) }
  })
  writeSafetensors(file, sources, { format: 'pt' })
  const findings = new Findings()
  checkFinite(readHeader(file).tensors, findings)
  return findings.all.map(({ where, message }) => `${where} ${message}`)
}

describe('checkFinite', () => {
  it.each(Object.keys(BITS) as Float[])('tells the largest %s from infinity and NaN, wherever they stand', (dtype) => {
    const { finite, others } = BITS[dtype]
    const many = Array.from({ length: 3 << 20 }, () => finite)
    expect(messages(dtype, { a: [finite, 0n], b: many })).toEqual([])
    for (const bad of others) {
      expect(messages(dtype, { a: [finite, 0n, bad] })).toEqual([
        expect.stringMatching(/safetensors:a holds NaN or inf/),
      ])
    }
    expect(messages(dtype, { a: [0n], b: [...many, others[0]!], c: [others[1]!] })).toEqual([
      expect.stringMatching(/safetensors:b holds NaN or infinity, and 1 more tensors of 3/),
    ])
  })
})

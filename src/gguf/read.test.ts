import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { InputError } from '../errors.ts'
import { readGguf, readTensorBytes } from './read.ts'
import { type GgufMetadata, type GgufValue, VALUE_TYPES } from './values.ts'
import { writeGguf } from './write.ts'

let directory: string
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'anneal-gguf-'))
})
afterAll(() => rmSync(directory, { recursive: true }))

/** A file as bytes, field by field. */
class Bytes {
  readonly parts: Buffer[] = []
  u32(value: number): this {
    this.parts.push(Buffer.from(Uint32Array.of(value).buffer))
    return this
  }
  u64(value: number | bigint): this {
    this.parts.push(Buffer.from(BigUint64Array.of(BigInt(value)).buffer))
    return this
  }
  text(value: string): this {
    this.u64(Buffer.byteLength(value))
    this.parts.push(Buffer.from(value))
    return this
  }
  raw(...values: number[]): this {
    this.parts.push(Buffer.from(values))
    return this
  }
  /** An entry of the metadata; what follows is its value. */
  key(name: string, type: (typeof VALUE_TYPES)[number]): this {
    return this.text(name).u32(VALUE_TYPES.indexOf(type))
  }
  /** A tensor info. */
  tensor(name: string, sizes: readonly (number | bigint)[], type: number, offset: number | bigint): this {
    this.text(name).u32(sizes.length)
    for (const size of sizes) this.u64(size)
    return this.u32(type).u64(offset)
  }
  /** Zeros up to the alignment, and `bytes` more. */
  data(bytes: number, alignment = 32): Buffer {
    const head = Buffer.concat(this.parts)
    return Buffer.concat([head, Buffer.alloc(((alignment - (head.length % alignment)) % alignment) + bytes)])
  }
}

const start = (tensors: number | bigint, entries: number | bigint, version = 3): Bytes =>
  new Bytes().u32(0x46554747).u32(version).u64(tensors).u64(entries)

function read(bytes: Buffer): ReturnType<typeof readGguf> {
  const file = join(directory, 'case.gguf')
  writeFileSync(file, bytes)
  return readGguf(file)
}

const MAX = 2n ** 64n - 1n
const BAD: Record<string, [Buffer, RegExp]> = {
  'an empty file': [Buffer.alloc(0), /magic/],
  'another magic': [new Bytes().u32(0x47475546).u32(3).data(32), /magic/],
  'version 0': [start(0, 0, 0).data(0), /version/],
  'version 1': [start(0, 0, 1).data(0), /version/],
  'version 4': [start(0, 0, 4).data(0), /version/],
  'big-endian': [start(0, 0, 0x03000000).data(0), /big-endian/],
  'a negative count of tensors': [start(MAX, 0).data(0), /tensor count/],
  'a negative count of entries': [start(0, MAX).data(0), /metadata count/],
  'fewer entries than counted': [start(0, 3).data(0), /key/],
  'a key longer than the file': [start(0, 1).u64(1000).data(0), /key/],
  'a key of 2^63 bytes': [
    start(0, 1)
      .u64(2n ** 63n)
      .data(0),
    /length of key/,
  ],
  'an empty key': [start(0, 1).key('', 'u8').raw(1).data(0), /key/],
  'a key twice': [start(0, 2).key('a', 'u8').raw(1).key('a', 'u8').raw(2).data(0), /"a" again/],
  'a key that is no UTF-8': [start(0, 1).u64(2).raw(0xff, 0xfe).u32(0).raw(1).data(0), /UTF-8/],
  'a type that there is not': [start(0, 1).text('a').u32(13).data(8), /type of "a"/],
  'an array type that there is not': [start(0, 1).key('a', 'array').u32(77).u64(1).data(8), /type of "a"/],
  'an array of arrays': [start(0, 1).key('a', 'array').u32(9).u64(1).data(64), /array of arrays/],
  'an array longer than the file': [
    start(0, 1)
      .key('a', 'array')
      .u32(6)
      .u64(1 << 20)
      .data(8),
    /length of "a"/,
  ],
  'an array of 2^62 values': [
    start(0, 1)
      .key('a', 'array')
      .u32(6)
      .u64(2n ** 62n)
      .data(8),
    /length of "a"/,
  ],
  'more numbers than anybody has': [
    start(0, 1).key('a', 'array').u32(0).u64(5_000_000).data(5_000_000),
    /length of "a"/,
  ],
  'strings that do not fit': [start(0, 1).key('a', 'array').u32(8).u64(2).text('x').u64(500).data(0), /bad a/],
  'a boolean of 2': [start(0, 1).key('a', 'bool').raw(2).data(0), /true or false/],
  'an alignment of 0': [start(0, 1).key('general.alignment', 'u32').u32(0).data(0), /alignment/],
  'an alignment of 33': [start(0, 1).key('general.alignment', 'u32').u32(33).data(0), /alignment/],
  'an alignment as text': [start(0, 1).key('general.alignment', 'string').text('32').data(0), /alignment/],
  'a tensor name of 64 bytes': [start(1, 0).tensor('x'.repeat(64), [4], 0, 0).data(16), /tensor name/],
  'a tensor twice': [start(2, 0).tensor('a', [8], 0, 0).tensor('a', [8], 0, 32).data(64), /"a" again/],
  'five dimensions': [start(1, 0).tensor('a', [1, 1, 1, 1, 1], 0, 0).data(32), /dimensions of "a"/],
  'a dimension of 2^63': [
    start(1, 0)
      .tensor('a', [2n ** 63n], 0, 0)
      .data(32),
    /shape of "a"/,
  ],
  'sizes whose product overflows': [start(1, 0).tensor('a', [1000, 1000, 1000, 1000], 0, 0).data(4096), /shape of "a"/],
  'a type of tensor that there is not': [start(1, 0).tensor('a', [32], 4, 0).data(64), /type of "a"/],
  'rows of half a block': [start(1, 0).tensor('a', [16, 2], 8, 0).data(64), /blocks of 32/],
  'a tensor beyond the end': [start(1, 0).tensor('a', [64], 0, 0).data(255), /size of "a"/],
  'an offset beyond the end': [
    start(1, 0)
      .tensor('a', [8], 0, 1 << 20)
      .data(32),
    /offset of "a"/,
  ],
  'a hole before a tensor': [start(1, 0).tensor('a', [8], 0, 32).data(64), /offset of "a"/],
  'tensors that overlap': [start(2, 0).tensor('a', [16], 0, 0).tensor('b', [16], 0, 32).data(128), /offset of "b"/],
  'an unaligned tensor': [start(2, 0).tensor('a', [2], 0, 0).tensor('b', [2], 0, 8).data(128), /offset of "b"/],
}

describe('readGguf', () => {
  it.each(Object.keys(BAD))('refuses %s', (name) => {
    const [bytes, message] = BAD[name]!
    expect(() => read(bytes)).toThrow(InputError)
    expect(() => read(bytes)).toThrow(message)
  })
  it('reads versions 2 and 3, any alignment, and tensors without padding at the end', () => {
    const aligned = start(2, 1).key('general.alignment', 'u32').u32(64)
    const { tensors, alignment } = read(
      aligned
        .tensor('a', [3, 2], 0, 0)
        .tensor('b', [32], 8, 64)
        .data(64 + 34, 64),
    )
    expect(alignment).toBe(64)
    expect([...tensors].map(([name, { shape, type, end, begin }]) => [name, shape, type, end - begin])).toEqual([
      ['a', [2, 3], 'F32', 24],
      ['b', [32], 'Q8_0', 34],
    ])
    expect(read(start(0, 0, 2).data(0)).version).toBe(2)
  })
  it('refuses what is no file', () => {
    expect(() => readGguf(directory)).toThrow(/expected a file/)
    expect(() => readGguf(join(directory, 'none.gguf'))).toThrow(/ENOENT/)
  })
})

const METADATA: GgufMetadata = new Map<string, GgufValue>([
  ['general.architecture', { type: 'string', value: 'llama' }],
  ['__proto__', { type: 'u64', value: 2n ** 60n + 1n }],
  ['small', { type: 'i64', value: -5 }],
  ['flag', { type: 'bool', value: true }],
  ['half', { type: 'f64', value: 0.1 }],
  ['tokens', { type: 'array', of: 'string', value: ['a', '', 'é▁🙂'] }],
  ['scores', { type: 'array', of: 'f32', value: Float32Array.of(-1, 0.5) }],
  ['types', { type: 'array', of: 'i32', value: Int32Array.of(1, -2, 3) }],
  ['bytes', { type: 'array', of: 'u8', value: Uint8Array.of(1, 255) }],
  ['shorts', { type: 'array', of: 'i16', value: [-1, 300] }],
  ['longs', { type: 'array', of: 'i64', value: [-1, 2n ** 60n, 7] }],
  ['doubles', { type: 'array', of: 'f64', value: [0.1, -1e300] }],
])

function sample(): Buffer {
  const path = join(directory, 'sample.gguf')
  const data = Uint8Array.from({ length: 68 }, (_, i) => i)
  writeGguf(path, METADATA, [
    { name: 'blk.0.attn_norm.weight', type: 'F32', shape: [5], bytes: () => data.slice(0, 20) },
    { name: 'token_embd.weight', type: 'Q8_0', shape: [2, 32], bytes: () => [data.slice(0, 34), data.slice(34)] },
  ])
  return readFileSync(path)
}

describe('writeGguf', () => {
  it('writes what is read again, every type of value', () => {
    const header = read(sample())
    expect(header.metadata).toEqual(METADATA)
    const tensor = header.tensors.get('token_embd.weight')!
    expect([...readTensorBytes(header, tensor)]).toEqual(Array.from({ length: 68 }, (_, i) => i))
    expect(tensor.begin % 32).toBe(0)
  })
  it('leaves no file when a tensor gives other bytes than it said', () => {
    const path = join(directory, 'broken.gguf')
    const tensors = [{ name: 'a', type: 'F32', shape: [4], bytes: () => new Uint8Array(15) }] as const
    expect(() => writeGguf(path, new Map(), tensors)).toThrow(/expected 16/)
    expect(() => readFileSync(path)).toThrow(/ENOENT/)
  })
})

describe('a damaged file', () => {
  /** Reads it, following the header as a loader would; InputError is the only error allowed. */
  const survive = (bytes: Buffer): boolean => {
    try {
      const header = read(bytes)
      for (const tensor of header.tensors.values()) readTensorBytes(header, tensor)
      return true
    } catch (error) {
      if (!(error instanceof InputError)) throw error
      return false
    }
  }
  it('is refused wherever it was cut', () => {
    const whole = sample()
    // The padding behind the last tensor may be missing.
    const end = whole.length - 28
    expect(survive(whole.subarray(0, end))).toBe(true)
    for (let length = 0; length < end; length++) expect(survive(whole.subarray(0, length))).toBe(false)
  })
  it('is refused or read, never more, whatever bytes changed', () => {
    const whole = sample()
    let state = 7
    const next = (below: number): number => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0
      return Math.floor((state / 2 ** 32) * below)
    }
    const before = process.memoryUsage().rss
    for (let round = 0; round < (process.env.ANNEAL_LONG ? 100_000 : 1000); round++) {
      const bytes = Buffer.from(whole)
      for (let i = next(4); i >= 0; i--) bytes[next(bytes.length)] = [0, 255, 127, 128, next(256)][next(5)]!
      survive(bytes)
    }
    expect(process.memoryUsage().rss - before).toBeLessThan(200 << 20)
  }, 600_000)
})

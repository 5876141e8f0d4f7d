import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import { startProcessorTime } from '../../../test/processor-time.ts'
import { InputError } from '../../errors.ts'
import { readHeader, tensorBytes } from './safetensors.ts'

const REFERENCE = join(import.meta.dirname, '../../../test/fixtures/safetensors/reference.safetensors')
const directory = mkdtempSync(join(tmpdir(), 'anneal-safetensors-'))
const file = join(directory, 'x.safetensors')
afterAll(() => rmSync(directory, { recursive: true }))

/** A file of this header text (its length in front unless given) and this much data. */
function safetensors(header: string | Uint8Array, data: number | string = 0, length?: bigint): Buffer {
  const json = Buffer.from(header)
  const prefix = Buffer.alloc(8)
  prefix.writeBigUInt64LE(length ?? BigInt(json.length))
  return Buffer.concat([prefix, json, typeof data === 'number' ? Buffer.alloc(data) : Buffer.from(data)])
}

function read(bytes: Uint8Array): ReturnType<typeof readHeader> {
  writeFileSync(file, bytes)
  return readHeader(file)
}

const tensor = (dtype: string, shape: string, offsets: string): string =>
  `{"dtype":"${dtype}","shape":${shape},"data_offsets":${offsets}}`
const I32 = `{"test":${tensor('I32', '[2,2]', '[0,16]')}}`

describe('readHeader', () => {
  it('reads a file of the reference implementation with every dtype', () => {
    const { tensors, metadata } = readHeader(REFERENCE)
    const size = readFileSync(REFERENCE).length
    expect([...metadata]).toEqual([['format', 'pt']])
    expect(tensors.size).toBe(28)
    // 387 bytes of data at the end of the file; offsets as Python printed them.
    expect(tensors.get('t.bfloat16')).toEqual({
      dtype: 'BF16',
      shape: [2, 3],
      file: REFERENCE,
      begin: size - 387 + 280,
      end: size - 387 + 292,
    })
    expect(tensors.get('empty')).toMatchObject({ shape: [2, 0, 3], begin: size - 387 + 204, end: size - 387 + 204 })
    expect(tensors.get('scalar')).toMatchObject({ shape: [], dtype: 'F32' })
    expect(tensors.get('__proto__')).toMatchObject({ shape: [1], dtype: 'F32' })
    expect(tensors.has('größe 模型 🙂')).toBe(true)
    expect(tensors.has('"quoted"\\\n')).toBe(true)
  })

  it('reads an empty file, JSON white space after the header, and tensors in any order', () => {
    expect(read(safetensors('{}\r \t\n')).tensors.size).toBe(0)
    const header = `{"b":${tensor('U8', '[2]', '[1,3]')},"a":${tensor('U8', '[1]', '[0,1]')}}`
    expect(read(safetensors(header, 3)).tensors.get('b')).toMatchObject({ begin: 8 + header.length + 1 })
  })

  it('counts sub-byte dtypes in bits', () => {
    expect(read(safetensors(`{"a":${tensor('F4', '[2,3]', '[0,3]')}}`, 3)).tensors.get('a')?.shape).toEqual([2, 3])
    expect(() => read(safetensors(`{"a":${tensor('F4', '[3]', '[0,2]')}}`, 2))).toThrow(/no valid number of bytes/)
    expect(tensorBytes('F6_E2M3', [4])).toBe(3)
  })

  // The first ten are the error tests of the reference implementation, under their names there.
  it.each<[string, Uint8Array, RegExp]>([
    [
      'json attack: ten tensors on the same bytes',
      safetensors(`{${Array.from({ length: 10 }, (_, i) => `"w_${i}":${tensor('F32', '[2,2]', '[0,16]')}`)}}`, 16),
      /invalid data_offsets in .*"w_1"/,
    ],
    [
      'incomplete buffer: data appended',
      safetensors(I32, `${'\0'.repeat(16)}extra_bogus_data_for_polyglot_file`),
      /file size/,
    ],
    ['incomplete buffer: two bytes missing', safetensors(I32, 14), /wrong file size/],
    ['header too large', safetensors(I32, 16, 0xffffff000000003cn), /header too large/],
    ['header too small', Buffer.alloc(0), /expected at least 8 bytes, got 0/],
    ['invalid header length', safetensors('', 0, 60n), /truncated safetensors header .* expected 60 bytes, got 0/],
    ['header not UTF-8', safetensors(Buffer.from([0x7b, 0x22, 0xff, 0x22])), /valid UTF-8/],
    ['header not JSON', safetensors('{'), /expected a string, got the end of the data/],
    [
      'invalid info: fewer bytes than the shape',
      safetensors(`{"t":${tensor('I32', '[2,2]', '[0, 4]')}}`, 4),
      /invalid shape/,
    ],
    [
      'overflow of the element count',
      safetensors(`{"t":${tensor('I32', '[2,18446744073709551614]', '[0,16]')}}`, 16),
      /2\^53/,
    ],
    [
      'overflow of the byte count',
      safetensors(`{"t":${tensor('I32', '[2,9223372036854775807]', '[0,16]')}}`, 16),
      /2\^53/,
    ],
    [
      'overflow of the product',
      safetensors(`{"t":${tensor('I32', '[4294967296,4294967296]', '[0,16]')}}`, 16),
      /no valid number/,
    ],
    [
      'overflow before a zero',
      safetensors(`{"t":${tensor('I32', '[4294967296,4294967296,0]', '[0,0]')}}`),
      /no valid number/,
    ],
    ['abuse 1: a length beyond the file', safetensors(I32, 16, 1000n), /truncated safetensors header/],
    ['header longer than 100 MB', safetensors(I32, 16, 100_000_001n), /header too large/],
    ['header that begins with white space', safetensors(` ${I32}`, 16), /expected '\{'/],
    ['header that is an array', safetensors('[]'), /expected '\{'/],
    ['a hole before the first tensor', safetensors(`{"t":${tensor('U8', '[1]', '[1,2]')}}`, 2), /begin at byte 0/],
    [
      'a hole between tensors',
      safetensors(`{"a":${tensor('U8', '[1]', '[0,1]')},"b":${tensor('U8', '[1]', '[2,3]')}}`, 3),
      /"b"/,
    ],
    [
      'a partial overlap',
      safetensors(`{"a":${tensor('U8', '[2]', '[0,2]')},"b":${tensor('U8', '[2]', '[1,3]')}}`, 3),
      /"b"/,
    ],
    ['offsets that go back', safetensors(`{"t":${tensor('U8', '[0]', '[2,1]')}}`, 2), /invalid data_offsets/],
    ['a negative offset', safetensors(`{"t":${tensor('U8', '[1]', '[-1,0]')}}`), /integer/],
    [
      'an offset above 2^53',
      safetensors(`{"t":${tensor('U8', '[1]', '[9007199254740993,9007199254740994]')}}`),
      /2\^53/,
    ],
    ['three offsets', safetensors(`{"t":${tensor('U8', '[1]', '[0,1,2]')}}`, 1), /two data_offsets/],
    [
      'a tensor twice',
      safetensors(`{"t":${tensor('U8', '[1]', '[0,1]')},"t":${tensor('U8', '[1]', '[0,1]')}}`, 1),
      /each key once/,
    ],
    [
      'a field twice',
      safetensors('{"t":{"dtype":"U8","dtype":"I8","shape":[1],"data_offsets":[0,1]}}', 1),
      /each key once/,
    ],
    ['metadata twice', safetensors('{"__metadata__":{},"__metadata__":{}}'), /each key once/],
    ['metadata that is no string', safetensors('{"__metadata__":{"a":1}}'), /expected a string/],
    ['an unknown dtype', safetensors(`{"t":${tensor('F7', '[1]', '[0,1]')}}`, 1), /known dtype .* got "F7"/],
    ['a dtype from the prototype', safetensors(`{"t":${tensor('constructor', '[1]', '[0,1]')}}`, 1), /known dtype/],
    ['an unknown field', safetensors('{"t":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"x":1}}', 1), /got "x"/],
    ['a missing field', safetensors('{"t":{"dtype":"U8","shape":[1]}}'), /dtype, shape and two data_offsets/],
    ['text after the header', safetensors(`${I32}{}`, 16), /expected nothing more/],
    ['a pickle with the right name', Buffer.from('\x80\x04\x95\x0b\0\0\0\0\0\0\0}.', 'latin1'), /never read/],
  ])('refuses %s', (_, bytes, message) => {
    expect(() => read(bytes)).toThrow(InputError)
    expect(() => read(bytes)).toThrow(message)
  })

  it('refuses a hundred thousand tensors on the same bytes in seconds (abuse 3)', () => {
    const members = Array.from(
      { length: 100_000 },
      (_, i) => `"weight_${i}":${tensor('F32', '[200,200]', '[0,160000]')}`,
    )
    const bytes = safetensors(`{${members}}`, 160_000)
    writeFileSync(file, bytes)
    const spent = startProcessorTime()
    expect(() => readHeader(file)).toThrow(/invalid data_offsets/)
    expect(spent()).toBeLessThan(5000)
  })

  it('refuses more tensors, keys or dimensions than are kept in memory (abuse 2)', () => {
    const members = Array.from({ length: 100_002 }, (_, i) => `"${i}":${tensor('U8', '[0]', '[0,0]')}`)
    expect(() => read(safetensors(`{${members}}`))).toThrow(/at most 100001 keys in an object/)
    const entries = Array.from({ length: 100_002 }, (_, i) => `"${i}":""`)
    expect(() => read(safetensors(`{"__metadata__":{${entries}}}`))).toThrow(/at most 100001 keys in an object/)
    const ones = `[${Array(1_000_000).fill(1)}]`
    expect(() => read(safetensors(`{"t":${tensor('U8', ones, '[0,1]')}}`, 1))).toThrow(/at most 64 dimensions/)
  })

  it('keeps its message short when a name is long', () => {
    const message = /^.{0,400}$/
    expect(() => read(safetensors(`{"${'x'.repeat(1_000_000)}":${tensor('U8', '[2]', '[0,1]')}}`, 1))).toThrow(message)
  })

  it('refuses directories, named pipes and missing files without waiting', () => {
    const pipe = join(directory, 'pipe.safetensors')
    execFileSync('mkfifo', [pipe])
    expect(() => readHeader(pipe)).toThrow(InputError)
    expect(() => readHeader(directory)).toThrow(InputError)
    expect(() => readHeader('/dev/zero')).toThrow(InputError)
    expect(() => readHeader(join(directory, 'absent'))).toThrow(/expected a readable file, got ENOENT/)
  })

  it('refuses the reference file cut at every byte', () => {
    const whole = readFileSync(REFERENCE)
    for (let length = 0; length < whole.length; length++) {
      expect(() => read(whole.subarray(0, length)), `cut at ${length}`).toThrow(InputError)
    }
  })

  it('gives an InputError or a header that covers the file for any damaged byte', () => {
    const whole = readFileSync(REFERENCE)
    const headerEnd = whole.length - 387
    const flips = fc.array(fc.tuple(fc.nat(headerEnd - 1), fc.integer({ min: 1, max: 255 })), {
      minLength: 1,
      maxLength: 4,
    })
    fc.assert(
      fc.property(flips, (changes) => {
        const bytes = Buffer.from(whole)
        for (const [at, change] of changes) bytes[at]! ^= change
        writeFileSync(file, bytes)
        let header: ReturnType<typeof readHeader>
        try {
          header = readHeader(file)
        } catch (error) {
          expect(error).toBeInstanceOf(InputError)
          return
        }
        // Only names, metadata or equally wide dtypes and shapes may have changed.
        const spans = [...header.tensors.values()].reduce((sum, { begin, end }) => sum + end - begin, 0)
        expect(spans).toBe(387)
      }),
      { numRuns: process.env.ANNEAL_LONG ? 1_000_000 : 10_000 },
    )
  }, 3_600_000)

  it('survives headers made of the right words in the wrong order', () => {
    const words = [
      '{',
      '}',
      '[',
      ']',
      ':',
      ',',
      '"a"',
      '"dtype"',
      '"shape"',
      '"data_offsets"',
      '"U8"',
      '0',
      '1',
      '"__metadata__"',
    ]
    const text = fc.array(fc.constantFrom(...words), { maxLength: 40 })
    fc.assert(
      fc.property(text, fc.nat(3), (tokens, data) => {
        try {
          read(safetensors(`{"t":{"dtype":"U8",${tokens.join('')}`, data))
        } catch (error) {
          expect(error).toBeInstanceOf(InputError)
        }
      }),
      { numRuns: process.env.ANNEAL_LONG ? 1_000_000 : 5000 },
    )
  }, 3_600_000)
})

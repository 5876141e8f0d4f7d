import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { InputError } from '../../errors.ts'
import { type TensorSource, writeSafetensors } from '../safetensors/safetensors-write.ts'
import { isWeightFile, openModelWeights, writeModelWeights } from './model-weights.ts'

const SHARDED = join(import.meta.dirname, '../../../test/fixtures/safetensors/sharded')
const INDEX = 'model.safetensors.index.json'
let directory: string

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'anneal-weights-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
})

/** Named tensors of ten bytes. */
const tensors = (...names: string[]): TensorSource[] =>
  names.map((name) => ({ name, dtype: 'U8', shape: [10], bytes: new Uint8Array(10).fill(name.charCodeAt(0)) }))

function writeIndex(weightMap: Record<string, unknown>): void {
  writeFileSync(join(directory, INDEX), JSON.stringify({ metadata: { total_size: 20.5 }, weight_map: weightMap }))
}

describe('openModelWeights', () => {
  it('reads the shards that the reference implementation wrote', () => {
    const { tensors, files, metadata } = openModelWeights(SHARDED)
    expect([...tensors.keys()].sort()).toEqual([0, 1, 2, 3, 4].map((layer) => `layers.${layer}.weight`))
    expect(files).toEqual([1, 2, 3].map((shard) => join(SHARDED, `model-0000${shard}-of-00003.safetensors`)))
    expect(tensors.get('layers.4.weight')).toMatchObject({ dtype: 'F32', shape: [4, 4], file: files[2] })
    expect(metadata.get('format')).toBe('pt')
  })

  it('reads a single file, by its directory or its own path, and adapters under their name', () => {
    writeSafetensors(join(directory, 'model.safetensors'), tensors('a'))
    writeSafetensors(join(directory, 'adapter_model.safetensors'), tensors('b'))
    expect([...openModelWeights(directory).tensors.keys()]).toEqual(['a'])
    expect([...openModelWeights(join(directory, 'model.safetensors')).tensors.keys()]).toEqual(['a'])
    expect([...openModelWeights(directory, 'adapter_model').tensors.keys()]).toEqual(['b'])
  })

  it('refuses a directory with only pickle weights', () => {
    writeFileSync(join(directory, 'training_args.bin'), '')
    expect(() => openModelWeights(directory)).toThrow(/no weights in .* expected model.safetensors/)
    writeFileSync(join(directory, 'pytorch_model.bin'), '')
    expect(() => openModelWeights(directory)).toThrow(/pickle formats are never read; convert to safetensors$/)
    expect(() => openModelWeights(join(directory, 'pytorch_model.bin'))).toThrow(/never read/)
    expect(() => openModelWeights(join(directory, 'absent'))).toThrow(InputError)
  })

  it.each([
    ...[
      '../x.safetensors',
      'a/../../x.safetensors',
      '/etc/x.safetensors',
      '//server/share/x.safetensors',
      './x.safetensors',
    ],
    ...['..\\x.safetensors', 'a\\..\\..\\x.safetensors', '\\x.safetensors', '\\\\server\\share\\x.safetensors'],
    ...[
      'C:\\x.safetensors',
      'C:/x.safetensors',
      'C:x.safetensors',
      'a/\\\\server\\share\\x.safetensors',
      'a/C:x.safetensors',
    ],
    ...['model.bin', 'model.SAFETENSORS', '', 'x\u0000.safetensors'],
  ])('refuses an index that names %j as a shard', (shard) => {
    writeIndex({ a: shard })
    expect(() => openModelWeights(directory)).toThrow(/unsafe shard name in .*weight_map\["a"\]/)
  })

  it.each<[string, string, RegExp]>([
    ['no weight map', '{"metadata":{}}', /weight_map: expected one entry per tensor/],
    ['an empty weight map', '{"weight_map":{}}', /weight_map: expected one entry per tensor/],
    ['a tensor twice', '{"weight_map":{"a":"x.safetensors","a":"y.safetensors"}}', /each key once/],
    ['a shard that is no string', '{"weight_map":{"a":1}}', /expected a string/],
    ['no JSON', 'PK\x03\x04', /invalid JSON/],
  ])('refuses an index with %s', (_, text, message) => {
    writeFileSync(join(directory, INDEX), text)
    expect(() => openModelWeights(directory)).toThrow(InputError)
    expect(() => openModelWeights(directory)).toThrow(message)
  })

  it('refuses an index that is a named pipe, without waiting for a writer', () => {
    execFileSync('mkfifo', [join(directory, INDEX)])
    expect(() => openModelWeights(directory)).toThrow(/expected a plain file/)
  })

  it('refuses a missing shard, a missing or misplaced tensor, and a tensor in two shards', () => {
    writeSafetensors(join(directory, '1.safetensors'), tensors('a', 'b'))
    writeSafetensors(join(directory, '2.safetensors'), tensors('c'))
    writeIndex({ a: '1.safetensors', c: '3.safetensors' })
    expect(() => openModelWeights(directory)).toThrow(/3\.safetensors: expected a readable file, got ENOENT/)
    writeIndex({ a: '1.safetensors', c: '2.safetensors', d: '2.safetensors' })
    expect(() => openModelWeights(directory)).toThrow(
      /missing tensor in .*"d": expected it in 2\.safetensors, got it nowhere/,
    )
    writeIndex({ a: '2.safetensors', b: '1.safetensors', c: '2.safetensors' })
    expect(() => openModelWeights(directory)).toThrow(
      /missing tensor in .*"a": expected it in 2\.safetensors, got it in/,
    )
    writeSafetensors(join(directory, '2.safetensors'), tensors('c', 'b'))
    writeIndex({ a: '1.safetensors', b: '1.safetensors', c: '2.safetensors' })
    expect(() => openModelWeights(directory)).toThrow(/duplicate tensor in .*"b"/)
  })
})

describe('writeModelWeights', () => {
  it('writes one file without an index when everything fits', () => {
    writeModelWeights(directory, tensors('a', 'b', 'c'), { maxShardBytes: 30 })
    expect(readdirSync(directory)).toEqual(['model.safetensors'])
  })

  it('splits by size in the order given; a tensor larger than a shard stands alone', () => {
    const large: TensorSource = { name: 'L', dtype: 'U8', shape: [100], bytes: new Uint8Array(100) }
    const written = writeModelWeights(directory, [...tensors('a', 'b', 'c'), large, ...tensors('d')], {
      maxShardBytes: 20,
    })
    expect(written.length).toBe(5)
    expect(JSON.parse(readFileSync(join(directory, INDEX), 'utf8'))).toEqual({
      metadata: { total_size: 140 },
      weight_map: {
        L: 'model-00003-of-00004.safetensors',
        a: 'model-00001-of-00004.safetensors',
        b: 'model-00001-of-00004.safetensors',
        c: 'model-00002-of-00004.safetensors',
        d: 'model-00004-of-00004.safetensors',
      },
    })
    expect([...openModelWeights(directory).tensors.keys()].sort()).toEqual(['L', 'a', 'b', 'c', 'd'])
  })

  it('removes the weights of an earlier save, and only those', () => {
    mkdirSync(join(directory, 'checkpoint-1'))
    cpSync(SHARDED, directory, { recursive: true })
    writeFileSync(join(directory, 'config.json'), '{}')
    writeFileSync(join(directory, 'model_card.safetensors'), '')
    writeModelWeights(directory, tensors('a'))
    const left = ['checkpoint-1', 'config.json', 'model.safetensors', 'model_card.safetensors']
    expect(readdirSync(directory).sort()).toEqual(left)
    expect([...openModelWeights(directory).tensors.keys()]).toEqual(['a'])
  })

  it('knows its own files', () => {
    const own = ['model.safetensors', INDEX, 'model-00001-of-00002.safetensors']
    expect(own.every((name) => isWeightFile(name))).toBe(true)
    expect(['adapter_model.safetensors', 'config.json', 'model.bin', 'model'].some((name) => isWeightFile(name))).toBe(
      false,
    )
    expect(isWeightFile('adapter_model.safetensors', 'adapter_model')).toBe(true)
  })
})

// The weights of a model directory: one safetensors file, or shards with an index, as Hugging Face lays them out.
// Only headers are read here; nothing outside the directory is opened, whatever the index says.

import { existsSync, readdirSync, rmSync, statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { InputError } from '../../errors.ts'
import { type WrittenFile, writeFileAtomic } from '../../files/atomic-write.ts'
import { readBounded } from '../../files/bounded-read.ts'
import { isRelativeName } from '../../files/relative-name.ts'
import { JsonScanner, quoted } from '../safetensors/json-scanner.ts'
import { MAX_HEADER_BYTES, readHeader, type SafetensorsHeader, type TensorInfo } from '../safetensors/safetensors.ts'
import { sourceBytes, type TensorSource, writeSafetensors } from '../safetensors/safetensors-write.ts'
import { hasPickleSuffix, refuseForeignFormat } from './foreign-format.ts'

const MAX_SHARDS = 10_000

/** All tensors of a model, each with its file, and the files in the order of their names. */
export interface ModelWeights extends SafetensorsHeader {
  readonly files: readonly string[]
}

/** Options of {@link writeModelWeights}. */
export interface WeightWriteOptions {
  /** File name without suffix: `model`, or `adapter_model` for PEFT adapters. */
  readonly stem?: string
  /** Most bytes of tensors in one shard; a single larger tensor gets a shard of its own. */
  readonly maxShardBytes?: number
  readonly metadata?: Readonly<Record<string, string>>
}

/**
 * Finds and validates the weights in a model directory (or a single `.safetensors` file): `<stem>.safetensors`, else
 * `<stem>.safetensors.index.json` with its shards. Throws an InputError for anything else, pickle files included.
 */
export function openModelWeights(directory: string, stem: string = 'model'): ModelWeights {
  const status = statSync(directory, { throwIfNoEntry: false })
  if (status === undefined) {
    const wanted = stem === 'model' ? 'a model' : 'an adapter'
    throw new InputError(`cannot find ${directory}: expected ${wanted} directory. Check the path`)
  }
  if (!status.isDirectory()) return { ...readHeader(directory), files: [directory] }
  const single = join(directory, `${stem}.safetensors`)
  const index = `${single}.index.json`
  if (existsSync(single)) {
    return { ...readHeader(single), files: [single] }
  }
  if (existsSync(index)) return openShards(index)
  const pickle = readdirSync(directory).find((name) => hasPickleSuffix(name) && name !== 'training_args.bin')
  if (pickle !== undefined) refuseForeignFormat(join(directory, pickle), new Uint8Array())
  throw new InputError(
    `no weights in ${directory}: expected ${stem}.safetensors or ${stem}.safetensors.index.json, got neither. Check the path`,
  )
}

/**
 * Writes the weights of a model into `directory` as one file, or as shards with an index if they take more than
 * `maxShardBytes` (default 5 GB), and removes weights of an earlier save under the same stem. Returns the files written.
 */
export function writeModelWeights(
  directory: string,
  tensors: Iterable<TensorSource>,
  { stem = 'model', maxShardBytes = 5e9, metadata }: WeightWriteOptions = {},
): WrittenFile[] {
  const shards = splitIntoShards(directory, tensors, maxShardBytes)
  const total = shards.length
  const names = shards.map((_, index) =>
    total === 1 ? `${stem}.safetensors` : `${stem}-${fiveDigits(index + 1)}-of-${fiveDigits(total)}.safetensors`,
  )
  const written = shards.map((shard, index) =>
    writeSafetensors(join(directory, names[index]!), shard.tensors, metadata),
  )
  if (total > 1) {
    const owners = shards.flatMap((shard, index) => shard.tensors.map(({ name }) => [name, names[index]!] as const))
    const index = {
      metadata: { total_size: shards.reduce((sum, shard) => sum + shard.bytes, 0) },
      weight_map: Object.fromEntries(owners.sort(([a], [b]) => (a < b ? -1 : 1))),
    }
    const path = join(directory, `${stem}.safetensors.index.json`)
    written.push(writeFileAtomic(path, `${JSON.stringify(index, null, 2)}\n`))
  }
  const keep = new Set(written.map(({ path }) => path))
  for (const name of readdirSync(directory)) {
    const path = join(directory, name)
    if (isWeightFile(name, stem) && !keep.has(path)) rmSync(path)
  }
  return written
}

/** True for the names that {@link writeModelWeights} gives: the single file, a shard, the index. */
export function isWeightFile(name: string, stem: string = 'model'): boolean {
  return name.startsWith(stem) && /^(?:-\d{5}-of-\d{5})?\.safetensors(?:\.index\.json)?$/.test(name.slice(stem.length))
}

/**
 * What to say of a folder that holds one file of weights and the shards of an index besides: the file is read, as Transformers does; undefined where
 * there is one set, also where the index is damaged or its shards are gone, since nobody reads it.
 */
export function secondSet(directory: string): string | undefined {
  const single = join(directory, 'model.safetensors')
  const index = `${single}.index.json`
  if (!existsSync(single) || !existsSync(index)) return undefined
  let shards: Set<string>
  try {
    shards = new Set(readIndex(index).values())
  } catch (error) {
    if (error instanceof InputError) return undefined
    throw error
  }
  const shard = [...shards].find((name) => existsSync(join(directory, name)))
  if (shard === undefined || join(directory, shard) === single) return undefined
  return `two sets of weights: ${basename(single)} is taken, as Transformers does, and ${shard} and what else ${basename(index)} names are left. Remove those of the older save`
}

function openShards(index: string): ModelWeights {
  const owners = readIndex(index)
  const shards = [...new Set(owners.values())].sort()
  if (shards.length > MAX_SHARDS) {
    throw new InputError(`too many shards in ${index}: expected at most ${MAX_SHARDS}, got ${shards.length}`)
  }
  const tensors = new Map<string, TensorInfo>()
  const metadata = new Map<string, string>()
  const files = shards.map((shard) => join(dirname(index), shard))
  for (const file of files) {
    const header = readHeader(file)
    for (const [key, value] of header.metadata) metadata.set(key, value)
    for (const [name, info] of header.tensors) {
      const other = tensors.get(name)
      if (other !== undefined) {
        throw new InputError(
          `duplicate tensor in ${file}:${quoted(name)}: expected it in one shard, got it in ${other.file} too. Remove the shard of another save`,
        )
      }
      tensors.set(name, info)
    }
  }
  for (const [name, shard] of owners) {
    const file = tensors.get(name)?.file
    if (file === join(dirname(index), shard)) continue
    throw new InputError(
      `missing tensor in ${index}:${quoted(name)}: expected it in ${shard}, got it ${file === undefined ? 'nowhere' : `in ${file}`}. Get the shards again`,
    )
  }
  return { tensors, metadata, files }
}

function readIndex(index: string): Map<string, string> {
  const owners = new Map<string, string>()
  let hasWeightMap = false
  const scanner = new JsonScanner(readBounded(index, MAX_HEADER_BYTES), index)
  scanner.object((key) => {
    if (key !== 'weight_map') return scanner.skip()
    hasWeightMap = true
    scanner.object((name) => {
      const shard = scanner.string()
      if (!isRelativeName(shard) || !shard.endsWith('.safetensors')) {
        throw new InputError(
          `unsafe shard name in ${index}:weight_map[${quoted(name)}]: expected a .safetensors file in this directory, got ${quoted(shard)}. Do not use this model`,
        )
      }
      owners.set(name, shard)
    })
  })
  scanner.end()
  if (!hasWeightMap || owners.size === 0) {
    throw new InputError(`invalid index in ${index}:weight_map: expected one entry per tensor, got none. Get it again`)
  }
  return owners
}

interface Shard {
  readonly tensors: TensorSource[]
  bytes: number
}

function splitIntoShards(directory: string, tensors: Iterable<TensorSource>, maxShardBytes: number): Shard[] {
  const shards: Shard[] = [{ tensors: [], bytes: 0 }]
  for (const tensor of tensors) {
    const bytes = sourceBytes(tensor, directory)
    let shard = shards.at(-1)!
    if (shard.tensors.length > 0 && shard.bytes + bytes > maxShardBytes) {
      shard = { tensors: [], bytes: 0 }
      shards.push(shard)
    }
    shard.tensors.push(tensor)
    shard.bytes += bytes
  }
  return shards
}

function fiveDigits(count: number): string {
  return String(count).padStart(5, '0')
}

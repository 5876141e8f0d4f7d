// Text for experiments: documents from paths or from this checkout, cut into pieces, tokenized and packed.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Batch } from '../../src/data/batch.ts'
import { stack } from '../../src/data/batches.ts'
import { order } from '../../src/data/order.ts'
import { type PackedDataset, packDocuments } from '../../src/data/packing/pack.ts'
import { readDocuments } from '../../src/data/read/sources.ts'
import type { Tokenizer } from '../../src/text/tokenizer.ts'

/** Texts under `paths`, or where there are none the files of a folder whose names match; at most about `most` bytes. */
export async function documentsOf(
  paths: readonly string[],
  [folder, name]: readonly [string, RegExp],
  most: number,
): Promise<string[]> {
  const texts: string[] = []
  let bytes = 0
  const add = (text: string): boolean => {
    texts.push(text)
    bytes += text.length
    return bytes >= most
  }
  if (paths.length > 0) {
    for await (const { text } of readDocuments(paths)) if (add(text)) break
    return texts
  }
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  for (const file of files.filter((path) => name.test(path)).sort())
    if (add(readFileSync(join(folder, file), 'utf8'))) break
  return texts
}

/** Pieces of at most 2,000 characters, so that there is something to choose from. */
export function piecesOf(texts: readonly string[]): string[] {
  return texts.flatMap((text) => text.match(/[\s\S]{1,2000}/gu) ?? [])
}

/** Whole blocks of `length` tokens. Texts begin as the tokenizer has them begin, else they end with its end-of-text token. */
export function packed(texts: readonly string[], tokenizer: Tokenizer, length: number): Promise<PackedDataset> {
  const { bosTokenId, eosTokenId } = tokenizer
  const prependBos = bosTokenId !== undefined && tokenizer.encode('')[0] === bosTokenId
  return packDocuments(
    texts.map((text) => ({ text })),
    tokenizer,
    { blockLength: length, dropShortBlock: true, prependBos, appendEos: !prependBos && eosTokenId !== undefined },
  )
}

/** `count` blocks drawn under the seed, in batches of `rows`. */
export function windows(dataset: PackedDataset, count: number, seed: number, rows: number): Batch[] {
  const shuffled = order(dataset.length, seed)
  const drawn = Array.from({ length: Math.min(count, dataset.length) }, (_, i) => dataset.get(shuffled(0, i)))
  return Array.from({ length: Math.ceil(drawn.length / rows) }, (_, i) => stack(drawn.slice(i * rows, (i + 1) * rows)))
}

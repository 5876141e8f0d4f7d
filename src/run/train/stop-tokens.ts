// What an adapter has learnt to stop at; the base's own files do not say it.
import { join } from 'node:path'
import { type WrittenFile, writeFileAtomic } from '../../files/atomic-write.ts'
import type { Decoder } from '../../model/decoder.ts'

/** Makes the model end at these tokens, too. */
export function stopAlsoAt(model: Decoder, ids: readonly number[]): void {
  model.config = { ...model.config, eosTokenIds: [...new Set([...model.config.eosTokenIds, ...ids])] }
}

/** Writes a generation_config.json with the model's end tokens beside an adapter. */
export function saveStops({ config: { eosTokenIds } }: Decoder, directory: string): WrittenFile[] {
  if (eosTokenIds.length === 0) return []
  const json = JSON.stringify({ eos_token_id: eosTokenIds.length === 1 ? eosTokenIds[0] : eosTokenIds }, null, 2)
  return [writeFileAtomic(join(directory, 'generation_config.json'), `${json}\n`)]
}

// A model directory made from another by changing the weights: complete (tokenizer, chat template, generation settings), there whole
// or not at all, with its history.
import { existsSync, readFileSync, realpathSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { hashWeights } from '../checkpoint/model-directory/hash-weights.ts'
import { type LineageStep, readLineage, writeLineage } from '../checkpoint/model-directory/lineage.ts'
import { saveDecoder } from '../checkpoint/model-directory/save.ts'
import { UsageError } from '../errors.ts'
import { writeDirectoryAtomic } from '../files/atomic-write.ts'
import type { Decoder } from '../model/decoder.ts'
import { storedDtype } from '../model/dtype.ts'

/** What belongs to a model besides config.json and weights. */
const COMPANIONS = [
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'added_tokens.json',
  'tokenizer.model',
  'vocab.json',
  'merges.txt',
  'chat_template.jinja',
  'generation_config.json',
]

/** UsageError when `to` is the folder that is read from. */
export function refuseSameDirectory(from: string, to: string): void {
  if (!existsSync(from) || !existsSync(to) || realpathSync(from) !== realpathSync(to)) return
  throw new UsageError(`--out: expected another folder than --model, got ${to} for both. Choose another one`)
}

/** Writes `model`, which came from `from`, to `to` in the dtype that it was stored in, and adds `step` to its history. */
export async function saveEdited(
  model: Decoder,
  { from, to }: { from: string; to: string },
  step: Pick<LineageStep, 'pass' | 'options' | 'report'>,
): Promise<void> {
  const history = readLineage(from)
  await writeDirectoryAtomic(
    to,
    (directory) => {
      saveDecoder(model, directory, { dtype: storedDtype(model.config.dtype) })
      for (const name of COMPANIONS) {
        // Not as a copy of the file: one that may only be read would make another such.
        if (existsSync(join(from, name))) writeFileSync(join(directory, name), readFileSync(join(from, name)))
      }
      writeLineage(directory, [
        ...history,
        { ...step, date: new Date().toISOString(), annealVersion: '0.1.0', parentSha256: hashWeights(from) },
      ])
    },
    { keyFile: 'config.json', isStale: (name) => /^model\b.*\.safetensors(\.index\.json)?$/.test(name) },
  )
}

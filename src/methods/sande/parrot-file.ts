// A parrot ↔ a folder: its vectors as one tensor `soft_tokens`, [members · K, D], and what is known of its members as JSON.
import { join } from 'node:path'
import { readTensors } from '../../checkpoint/model-directory/read-tensors.ts'
import { writeSafetensors } from '../../checkpoint/safetensors/safetensors-write.ts'
import { tensorSource } from '../../checkpoint/safetensors/tensor-bytes.ts'
import { writeFileAtomic } from '../../files/atomic-write.ts'
import { readJsonFile } from '../../files/read-json.ts'
import { scope } from '../../torch/index.ts'
import type { Parrot } from './parrot.ts'

const STEM = 'parrot'
const TENSOR = 'soft_tokens'

/** Writes `parrot.safetensors` and `parrot.json` into `directory`, which must exist. */
export function saveParrot({ embedding, softTokens, members }: Parrot, directory: string): void {
  writeSafetensors(join(directory, `${STEM}.safetensors`), [tensorSource(TENSOR, embedding.detach())])
  const known = { soft_tokens: softTokens, members }
  writeFileAtomic(join(directory, `${STEM}.json`), `${JSON.stringify(known, null, 2)}\n`)
}

/** What is known of a parrot in `directory`, without its vectors. */
export function knownOfParrot(directory: string): Pick<Parrot, 'softTokens' | 'members'> {
  const { soft_tokens: softTokens, members } = readJsonFile(join(directory, `${STEM}.json`)) as {
    soft_tokens: number
    members: Parrot['members']
  }
  return { softTokens, members }
}

/** Reads what `saveParrot` wrote, for a model on `device`. */
export function loadParrot(directory: string, device: string): Parrot {
  const embedding = readTensors(directory, STEM, ({ read }) => scope(() => read(TENSOR).to(device).clone().keep()))
  return { embedding, ...knownOfParrot(directory) }
}

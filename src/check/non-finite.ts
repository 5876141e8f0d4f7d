// Weights that are NaN or infinite load without a complaint and answer with noise. Every value is looked at, a few MiB at a time.

import { closeSync, openSync, readSync } from 'node:fs'
import { basename } from 'node:path'
import type { SafetensorsDtype, TensorInfo } from '../checkpoint/safetensors/safetensors.ts'
import type { Findings } from './finding.ts'

const CHUNK_BYTES = 1 << 22

/** The bits of the exponent, which NaN and infinity have all set, in the word that holds them: the last one of a value. */
const EXPONENTS: Partial<Record<SafetensorsDtype, { words: number; word: 2 | 4; mask: number }>> = {
  F64: { words: 2, word: 4, mask: 0x7ff00000 },
  F32: { words: 1, word: 4, mask: 0x7f800000 },
  F16: { words: 1, word: 2, mask: 0x7c00 },
  BF16: { words: 1, word: 2, mask: 0x7f80 },
}

/** Makes an error of tensors with values that are not finite: one line for all, since they seldom come alone. */
export function checkFinite(tensors: ReadonlyMap<string, TensorInfo>, findings: Findings): void {
  if (findings.headersOnly) return
  const bad = [...tensors].filter(([, info]) => hasNonFinite(info))
  if (bad.length === 0) return
  const [name, info] = bad[0]!
  const others = bad.length === 1 ? '' : `, and ${bad.length - 1} more tensors of ${tensors.size}`
  findings.error(
    `${basename(info.file)}:${name}`,
    `holds NaN or infinity${others}: the training that made it diverged, or the file is damaged. Take an earlier checkpoint`,
  )
}

function hasNonFinite({ dtype, file, begin, end }: TensorInfo): boolean {
  const kind = EXPONENTS[dtype]
  if (kind === undefined) return false
  const bytes = new Uint8Array(CHUNK_BYTES)
  const descriptor = openSync(file, 'r')
  try {
    for (let at = begin; at < end; ) {
      const count = readSync(descriptor, bytes, 0, Math.min(CHUNK_BYTES, end - at), at)
      if (count === 0) return false // shorter than its header says, which is another finding
      const step = kind.words * kind.word
      const whole = count - (count % step)
      if (hasFullExponent(bytes, whole, kind)) return true
      at += whole === 0 ? count : whole
    }
    return false
  } finally {
    closeSync(descriptor)
  }
}

/** Safetensors is little-endian, as is every machine that LibTorch runs on. */
function hasFullExponent(
  { buffer }: Uint8Array,
  length: number,
  { words, word, mask }: { words: number; word: 2 | 4; mask: number },
): boolean {
  const values = word === 2 ? new Uint16Array(buffer, 0, length / 2) : new Int32Array(buffer, 0, length / 4)
  for (let i = words - 1; i < values.length; i += words) if ((values[i]! & mask) === mask) return true
  return false
}

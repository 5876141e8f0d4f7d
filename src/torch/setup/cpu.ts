// Names the instruction sets of this processor. The add-on is compiled for the machine it is built on, so a build
// that travels in an image or over a network drive must not be loaded by an older processor: it would die of SIGILL.

import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { arch, cpus } from 'node:os'

// What `-march=native` makes a compiler emit by itself; other flags of the kernel's list come and go with its version.
const VECTOR_FLAGS = /^(?:s?sse|avx|amx|fma|f16c|bmi|abm|popcnt|movbe|asimd|sve|sme|fp|atomics|bf16|i8mm)/

/** A short hash of the processor's architecture and instruction sets. */
export function cpuFingerprint(cpuinfo: string = readCpuinfo()): string {
  const flags = /^(?:flags|Features)\s*:\s*(.*)$/m.exec(cpuinfo)?.[1]?.split(/\s+/) ?? []
  const relevant = flags.filter((flag) => VECTOR_FLAGS.test(flag)).sort()
  const description = relevant.length > 0 ? relevant.join(' ') : (cpus()[0]?.model ?? '')
  return createHash('sha256').update(`${arch()} ${description}`).digest('hex').slice(0, 12)
}

function readCpuinfo(): string {
  try {
    return readFileSync('/proc/cpuinfo', 'utf8')
  } catch {
    return '' // macOS has no such file: the model's name tells
  }
}

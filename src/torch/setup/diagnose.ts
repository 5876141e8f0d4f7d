// What this machine offers to the engine, what was found and tried, and what to do where something is missing. It never loads the
// engine into its own process, so it answers also when the engine is what is broken.

import { existsSync } from 'node:fs'
import { arch, platform, totalmem } from 'node:os'
import { VERSION } from '../../version.ts'
import { threadsFor } from '../threads.ts'
import { findCompiler } from './compiler.ts'
import { availableProcessors } from './cpu-quota.ts'
import { cacheDirectory, freeBytes } from './directories.ts'
import type { Libtorch } from './libtorch.ts'
import { type Finding, findLibtorch, type Place } from './locate.ts'
import { type EngineProbe, probeAddon } from './probe.ts'
import { type EngineRecord, readEngineRecord } from './record.ts'

/** What `anneal doctor` says. */
export interface Diagnosis {
  isUsable: boolean
  anneal: string
  node: string
  system: string
  compiler: string | null
  libtorch: { place: Place; dir: string; version: string; cuda: boolean } | null
  /** Places that had none, with the reason. */
  tried: { place: Place; reason: string }[]
  engine: (EngineRecord & EngineProbe) | null
  devices: string[]
  processors: number
  memory: { totalBytes: number; availableBytes: number; limitBytes: number | null }
  disk: { path: string; freeBytes: number }[]
  /** What to do, most important first; empty when nothing is missing. */
  advice: string[]
}

const OLDEST_NODE = [20, 19] as const
const LOW_MEMORY_BYTES = 2e9
const LOW_DISK_BYTES = 2e9

/** Looks at everything; takes about a second. Never throws for what is missing. */
export async function diagnose(): Promise<Diagnosis> {
  const advice: string[] = []
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  const isNodeFine = major > OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor >= OLDEST_NODE[1])
  if (!isNodeFine) advice.push(`install Node.js ${OLDEST_NODE.join('.')} or later; this is ${process.version}`)

  const compiler = await findCompiler().catch((error: Error) => error)
  const findings: Finding[] = []
  for await (const finding of findLibtorch({ mayFetch: false, note: () => {} })) {
    findings.push(finding)
    if ('libtorch' in finding) break
  }
  const found = findings.find((finding) => 'libtorch' in finding)
  const record = readEngineRecord()
  const probe = record ? await probeAddon(record.addon) : undefined
  const isEngineFine = typeof probe === 'object'
  if (!isEngineFine && compiler instanceof Error) advice.push(compiler.message)
  if (!isEngineFine && found === undefined && process.env.ANNEAL_LIBTORCH) {
    advice.push('point ANNEAL_LIBTORCH at a LibTorch, or unset it')
  } else if (record === undefined) advice.push('run `anneal setup` (or `make setup`): the engine is not built yet')
  if (typeof probe === 'string') advice.push(`run \`anneal setup\` again: the add-on does not load (${probe})`)

  const devices = isEngineFine
    ? ['cpu', ...Array.from({ length: probe.cudaDevices }, (_, index) => `cuda:${index}`)]
    : []
  if (isEngineFine && probe.cudaDevices === 0 && existsSync('/proc/driver/nvidia/version')) {
    advice.push('to use the NVIDIA GPU: `pip install torch` into the active Python, then `anneal setup`')
  }
  const memory = {
    totalBytes: totalmem(),
    availableBytes: process.availableMemory(),
    limitBytes: memoryLimit(),
  }
  if (memory.availableBytes < LOW_MEMORY_BYTES) advice.push('free some memory: less than 2 GB is available')
  const disk = [cacheDirectory(), process.cwd()].map((path) => ({ path, freeBytes: freeBytes(path) }))
  for (const { path, freeBytes } of disk) {
    if (freeBytes < LOW_DISK_BYTES) advice.push(`free some space for ${path}: less than 2 GB is left`)
  }
  const processors = availableProcessors()
  return {
    isUsable: isNodeFine && isEngineFine,
    anneal: VERSION,
    node: process.versions.node,
    system: `${platform()} ${arch()}`,
    compiler: compiler instanceof Error ? null : compiler.version,
    libtorch: found === undefined ? null : { place: found.place, ...pick(found.libtorch) },
    tried: findings.filter((finding) => 'reason' in finding),
    engine:
      record !== undefined && isEngineFine
        ? { ...record, ...probe, threads: threadsFor(process.env, probe.threads, processors) }
        : null,
    devices,
    processors,
    memory,
    disk,
    advice,
  }
}

function pick({ dir, version, cuda }: Libtorch): { dir: string; version: string; cuda: boolean } {
  return { dir, version, cuda }
}

/** The limit of the container; without one the kernel reports nonsense between the whole memory and 2^64. */
function memoryLimit(): number | null {
  const limit = process.constrainedMemory()
  return limit > 0 && limit < totalmem() ? limit : null
}

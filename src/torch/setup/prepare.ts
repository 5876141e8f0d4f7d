// Makes the engine ready: a LibTorch, an add-on for it that loads, and the record that says where. Doing it again costs
// a look.

import { EngineMissingError } from '../../errors.ts'
import { buildAddon } from './build.ts'
import { type Compiler, findCompiler } from './compiler.ts'
import { cpuFingerprint } from './cpu.ts'
import type { Libtorch } from './libtorch.ts'
import { findLibtorch, PLACES, type Place } from './locate.ts'
import { probeAddon } from './probe.ts'
import { type EngineRecord, readEngineRecord, writeEngineRecord } from './record.ts'

export interface Preparation {
  record: EngineRecord
  /** False when everything was there already. */
  isNew: boolean
}

/** Finds or fetches LibTorch, builds the add-on, tries it and writes the record. `note` takes lines about progress. */
export async function prepareEngine(note: (line: string) => void): Promise<Preparation> {
  // Asked first: without a compiler nothing that would be downloaded is of use.
  const compiler = await findCompiler()
  const reasons: string[] = []
  for await (const finding of findLibtorch({ mayFetch: true, note })) {
    const { place } = finding
    if ('reason' in finding) {
      reasons.push(`${PLACES[place]}: ${finding.reason}`)
      if (place === 'wheel') note(`no wheel: ${finding.reason}`)
      continue
    }
    try {
      return await prepareWith(finding.libtorch, place, compiler, note)
    } catch (error) {
      // Someone's own torch may be of a kind that we have never seen; then ours serves.
      if (place !== 'python' || !(error instanceof EngineMissingError)) throw error
      note(`${PLACES[place]} cannot be used: ${error.message}`)
      reasons.push(`${PLACES[place]}: ${error.message}`)
    }
  }
  throw new EngineMissingError(
    `LibTorch: expected it at one of the known places, got none (${reasons.join('; ')}). See \`anneal doctor\``,
  )
}

async function prepareWith(
  libtorch: Libtorch,
  place: Place,
  compiler: Compiler,
  note: (line: string) => void,
): Promise<Preparation> {
  const known = readEngineRecord()
  const { addon, key } = await buildAddon({ libtorch, compiler, note })
  if (known?.key === key && known.addon === addon) return { record: known, isNew: false }

  const probe = await probeAddon(addon)
  if (typeof probe === 'string') {
    throw new EngineMissingError(
      `the add-on for LibTorch ${libtorch.version} in ${libtorch.dir}: expected it to load, got ${probe}`,
    )
  }
  const record: EngineRecord = {
    addon,
    libtorch: libtorch.dir,
    version: libtorch.version,
    how: place,
    cuda: libtorch.cuda,
    builtAt: new Date().toISOString(),
    key,
    cpu: cpuFingerprint(),
  }
  note(`wrote ${writeEngineRecord(record)}`)
  return { record, isNew: true }
}

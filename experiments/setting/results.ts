// What every experiment leaves: the machine it ran on, results.json and tables.md.
import { mkdirSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { engineInfo } from '../../src/torch/index.ts'

/** `PROCESSOR (2 threads), LibTorch 2.13.0`, and that a GPU was used; which one it was, the caller knows. */
export function machineFor(device: string): string {
  const { version, threads } = engineInfo()
  return `${cpus()[0]!.model} (${threads} threads), LibTorch ${version}${device === 'cpu' ? '' : `, ${device}`}`
}

export function writeResults(folder: string, results: object, tables: string): void {
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'results.json'), `${JSON.stringify(results, null, 1)}\n`)
  writeFileSync(join(folder, 'tables.md'), tables)
}

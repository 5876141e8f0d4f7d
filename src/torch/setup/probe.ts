// Loads an add-on in a process of its own and asks what it can do: one that crashes takes nothing else with it.

import { lastComplaint, runProgram } from './program.ts'

/** What the engine says of itself. */
export interface EngineProbe {
  /** LibTorch's version. */
  version: string
  /** Threads that LibTorch would use by itself; see `threadsFor` for what Anneal takes. */
  threads: number
  cudaDevices: number
}

// One small sum goes through the dispatcher, so that missing instructions or libraries show here.
const SCRIPT = `
const native = require(process.argv[1])
const { version, threads, cudaDevices } = native.engineInfo()
const data = native.fromData(new Float32Array([1, 2]), 6, [2])
if (native.sizes(data)[0] !== 2) throw new Error('expected a tensor of 2 numbers')
console.log(JSON.stringify({ version, threads, cudaDevices }))
`

/** Tries the add-on. Returns why it does not work, if so. */
export async function probeAddon(addon: string): Promise<EngineProbe | string> {
  const result = await runProgram(process.execPath, ['-e', SCRIPT, addon], { timeoutSeconds: 120 })
  if (result.isOk) return JSON.parse(result.stdout) as EngineProbe
  const message = /^(?:\w*Error): (.*)$/m.exec(result.stderr)?.[1]
  return message ?? (result.stderr.trim() === '' ? result.ending : lastComplaint(result))
}

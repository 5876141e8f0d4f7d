// `anneal doctor`: what was found for the engine, what is missing, and what to do. The facts are those of torch/setup/diagnose.ts.

import { counted } from '../report/amounts.ts'
import { type Diagnosis, diagnose } from '../torch/setup/diagnose.ts'
import { PLACES } from '../torch/setup/locate.ts'
import { type Command, defineCommand } from './command.ts'

export const command: Command = defineCommand({
  summary: 'say what was found for the engine and what is missing',
  options: {},
  run: async ({ output }) => {
    const diagnosis = await diagnose()
    output.emit(diagnosis)
    output.result(describe(diagnosis))
    return diagnosis.isUsable ? 0 : 1
  },
})

function describe(diagnosis: Diagnosis): string {
  const { anneal, node, system, compiler, libtorch, tried, engine, devices, processors, memory, disk, advice } =
    diagnosis
  const limit = memory.limitBytes === null ? '' : `, limited to ${gigabytes(memory.limitBytes)}`
  const rows: [string, string][] = [
    ['anneal', `${anneal} on Node.js ${node}, ${system}`],
    ['compiler', compiler ?? 'none'],
    ['LibTorch', libtorch === null ? 'none' : `${libtorch.version} from ${PLACES[libtorch.place]}: ${libtorch.dir}`],
    ...tried.map(({ place, reason }): [string, string] => ['', `not from ${PLACES[place]}: ${reason}`]),
    [
      'add-on',
      engine === null ? 'none that loads' : `${engine.addon}, for LibTorch ${engine.version}, built ${engine.builtAt}`,
    ],
    ['devices', devices.join(', ') || 'unknown without an add-on'],
    [
      'threads',
      `${engine === null ? '' : `${engine.threads} for each operator, `}${counted(processors, 'processor')} that this process may use`,
    ],
    ['memory', `${gigabytes(memory.availableBytes)} of ${gigabytes(memory.totalBytes)} available${limit}`],
    ...disk.map(({ path, freeBytes }): [string, string] => ['disk', `${gigabytes(freeBytes)} free for ${path}`]),
    ...advice.map((line): [string, string] => ['to do', line]),
  ]
  const lines = rows.map(([term, text]) => `${term.padEnd(10)}${text}`)
  return [...lines, diagnosis.isUsable ? 'The engine is usable.' : 'The engine is not usable yet.'].join('\n')
}

function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(1)} GB`
}

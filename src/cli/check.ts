// `anneal check DIR|FILE.gguf`: what is wrong with the files of a model or adapter, before somebody else's program says so.

import { CONSUMERS, type Consumer } from '../check/finding.ts'
import { eventsOf } from '../work.ts'
import { type Command, defineCommand } from './command.ts'
import { reportEvents } from './report-events.ts'

/** Exit code of a bad input file. */
const BAD_INPUT = 3

export const command: Command = defineCommand({
  summary: 'find faults in the files of a model or adapter',
  positionals: {
    name: 'PATH',
    summary: 'model directory, adapter directory, .gguf file, or a name on the hub',
    min: 1,
    max: 1,
  },
  options: {
    for: {
      kind: 'choice',
      choices: CONSUMERS,
      summary: 'judge for this program; without it, what only some refuse is a notice',
    },
  },
  examples: ['check runs/tiny', 'check merged.gguf', 'check runs/lora --for vllm'],
  run: async ({ positionals, options, output }) => {
    const [path] = positionals as [string]
    const { check } = await import('../check/check.ts')
    const { resolveModelPath } = await import('../run/resolve-model.ts')
    const place = await reportEvents(
      eventsOf((watch) => resolveModelPath(path, watch)),
      output,
    )
    const findings = await check(place, options.for as Consumer | undefined)
    for (const finding of findings) {
      output.emit(finding)
      output.result(`${finding.severity.padEnd(7)}  ${finding.where}  ${finding.message}`)
    }
    const count = (severity: string): number => findings.filter((finding) => finding.severity === severity).length
    const counted = (severity: string): string => `${count(severity)} ${severity}${count(severity) === 1 ? '' : 's'}`
    output.note(`${path}: ${['error', 'warning', 'notice'].map(counted).join(', ')}`)
    return count('error') > 0 ? BAD_INPUT : 0
  },
})

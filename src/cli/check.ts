// `anneal check DIR|FILE.gguf|ORG/NAME`: what is wrong with the files of a model or adapter, before somebody else's program says so.

import { existsSync } from 'node:fs'
import { CONSUMERS, type Consumer, type Finding } from '../check/finding.ts'
import { amount } from '../report/amounts.ts'
import { eventsOf } from '../work.ts'
import { type Command, defineCommand } from './command.ts'
import type { Output } from './output.ts'
import { reportEvents } from './report-events.ts'

/** Exit code of a bad input file. */
const BAD_INPUT = 3

export const command: Command = defineCommand({
  summary: 'find faults in the files of a model or adapter',
  positionals: {
    name: 'PATH',
    summary: 'model directory, adapter directory, .gguf file, or a name on the hub, of which only headers are read',
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
  examples: [
    'check runs/tiny',
    'check merged.gguf',
    'check runs/lora --for vllm',
    'check HuggingFaceTB/SmolLM2-135M-Instruct --for llama.cpp',
  ],
  run: async ({ positionals, options, output }) => {
    const [path] = positionals as [string]
    const { isHubName } = await import('../hub/hub-name.ts')
    const { name, findings, read, total } =
      !existsSync(path) && isHubName(path)
        ? await checkedByName(path, options.for, output)
        : await checkedHere(path, options.for)
    for (const finding of findings) {
      output.emit(finding)
      output.result(`${finding.severity.padEnd(7)}  ${finding.where}  ${finding.message}`)
    }
    const count = (severity: string): number => findings.filter((finding) => finding.severity === severity).length
    const counted = (severity: string): string => `${count(severity)} ${severity}${count(severity) === 1 ? '' : 's'}`
    output.note(`${name}: ${['error', 'warning', 'notice'].map(counted).join(', ')}`)
    if (read !== undefined)
      output.note(
        `read ${amount(read, 'bytes')} of ${amount(total!, 'bytes')}: headers and small files; whether values are NaN or infinite is seen once it is pulled`,
      )
    return count('error') > 0 ? BAD_INPUT : 0
  },
})

interface Checked {
  name: string
  findings: readonly Finding[]
  /** Bytes of the hub that were read, and of the model. */
  read?: number
  total?: number
}

async function checkedHere(path: string, consumer: string | undefined): Promise<Checked> {
  const { check } = await import('../check/check.ts')
  return { name: path, findings: await check(path, consumer as Consumer | undefined) }
}

async function checkedByName(name: string, consumer: string | undefined, output: Output): Promise<Checked> {
  const { checkName } = await import('../check/check-name.ts')
  const { norAPath } = await import('../hub/nor-a-path.ts')
  return await reportEvents(
    eventsOf((watch) => norAPath(checkName(name, consumer as Consumer | undefined, { watch }))),
    output,
  )
}

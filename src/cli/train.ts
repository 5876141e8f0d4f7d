// `anneal train CONFIG.yaml [--key value …]`
import { readFileSync } from 'node:fs'
import { hasCode, InputError } from '../errors.ts'
import { type Command, defineCommand } from './command.ts'
import { dumpConfig } from './config/dump.ts'
import { parseConfig } from './config/parse.ts'
import { configOverrides } from './overrides.ts'

export const command: Command = defineCommand({
  summary: 'train a model as a YAML file says',
  positionals: { name: 'CONFIG', summary: 'YAML file; without one, every key comes from --key value', min: 0, max: 1 },
  options: { 'dry-run': { kind: 'flag', summary: 'check everything, print the resolved configuration, and stop' } },
  overrides: configOverrides,
  examples: ['train recipes/pretrain-tiny.yaml', 'train run.yaml --learning_rate 1e-3 --resume_from_checkpoint auto'],
  run: async ({ positionals, options, overrides, output }) => {
    const file = positionals[0]
    const parsed = parseConfig(file === undefined ? undefined : readConfig(file), file ?? 'command line', overrides)
    for (const notice of parsed.notices) output.note(`notice: ${notice}`)
    if (options.dryRun) {
      output.result(dumpConfig(parsed))
      output.emit(parsed.config)
      return 0
    }
    const { runTraining } = await import('./run/run-training.ts')
    return runTraining(parsed, output)
  },
})

function readConfig(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR'))
      throw new InputError(`configuration ${file}: expected a YAML file, got nothing. Check the path`)
    throw error
  }
}

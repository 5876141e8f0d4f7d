// `anneal synth CONFIG.yaml [--key value …]`: rows that a teacher makes of seeds.
import { keyGroups } from '../config/key-groups.ts'
import { readConfigFile } from '../config/read-config-file.ts'
import { parseSynthConfig, synthKind, synthOverrides } from '../run/synth/config.ts'
import { type Command, defineCommand } from './command.ts'
import { followEdit } from './follow-edit.ts'
import { MODEL_OPTIONS } from './lm-options.ts'

export const command: Command = defineCommand({
  summary: 'let a teacher make rows of seeds, by a recipe, and go on where it was stopped',
  positionals: {
    name: 'CONFIG',
    summary: 'YAML file, docs/synthesis.md; without one, every key as --key value',
    min: 0,
    max: 1,
  },
  options: {
    'dry-run': {
      kind: 'flag',
      summary: 'show the prompts of the first rows and about what all would cost; nothing is asked',
    },
    preview: { kind: 'integer', value: 'N', summary: 'make the first N rows and show them; they are kept', min: 1 },
    device: MODEL_OPTIONS.device,
    dtype: MODEL_OPTIONS.dtype,
  },
  overrides: synthOverrides,
  keyGroups: () => keyGroups(synthKind),
  examples: [
    'synth synth.yaml --dry-run',
    'synth synth.yaml --preview 3',
    'synth synth.yaml --budget.tokens 100000',
    'synth synth.yaml --batch true --results answers.jsonl',
  ],
  run: async ({ positionals: [file], options, overrides, output }) => {
    const text = file === undefined ? undefined : readConfigFile(file)
    const { config, notices } = parseSynthConfig(text, file ?? 'command line', overrides)
    for (const notice of notices) output.note(`notice: ${notice}`)
    const { checkSynth, runSynth } = await import('../run/synth/run-synth.ts')
    const { preview, dryRun } = options
    const place = { preview, device: options.device as 'auto', dtype: options.dtype as 'auto' }
    const start = (signal: AbortSignal) =>
      dryRun ? checkSynth(config, { ...place, signal }) : runSynth(config, { ...place, signal })
    const doing = 'stopping; what was made is kept and the same command goes on from here'
    return followEdit<unknown>(start as (signal: AbortSignal) => ReturnType<typeof runSynth>, output, doing)
  },
})

// `anneal train CONFIG.yaml [--key value …]`, and `anneal train DATA.jsonl --model DIR` with a configuration that follows from the data.
import { basename, resolve } from 'node:path'
import { dumpConfig } from '../config/dump.ts'
import { keyGroups } from '../config/key-groups.ts'
import { configOverrides, type Override, readOverrides } from '../config/overrides.ts'
import { parseConfig } from '../config/parse.ts'
import { MAX_YAML_BYTES } from '../config/read-yaml.ts'
import type { TrainConfigValues } from '../config/schema.ts'
import { hasCode, InputError } from '../errors.ts'
import { readBounded } from '../files/bounded-read.ts'
import { printable } from '../printable.ts'
import { type Command, defineCommand } from './command.ts'
import type { Output } from './output.ts'

export const command: Command = defineCommand({
  summary: 'train a model as a YAML file says',
  positionals: {
    name: 'CONFIG',
    summary:
      'YAML file, or data to fine-tune on (a file of rows or a folder), with --model DIR; without one, every key comes from --key value',
    min: 0,
    max: 1,
  },
  options: {
    'dry-run': {
      kind: 'flag',
      summary: 'do all that comes before the first step, print the resolved configuration, and leave nothing behind',
    },
  },
  overrides: configOverrides,
  keyGroups,
  examples: [
    'train recipes/pretrain-tiny.yaml',
    'train chats.jsonl --model models/base',
    'train pairs.jsonl --model runs/chats',
    'train run.yaml --learning_rate 1e-3 --resume_from_checkpoint auto',
  ],
  run: async ({ positionals, options, overrides, output }) => {
    const file = positionals[0]
    // A run that follows from data tunes a model that is there: `--model base` is a directory, not the size of a fresh one.
    const { holdsRows } = await import('../data/read/files.ts')
    const isTuning = file !== undefined && holdsRows(file)
    const given = overrides.map((each) =>
      isTuning && each.key === 'model' ? { ...each, key: 'model_name_or_path' } : each,
    )
    const parsed = isTuning
      ? parseConfig(undefined, file, given, {
          values: await configFor(file, given, output),
          origin: `told from ${file}`,
        })
      : parseConfig(file === undefined ? undefined : readConfig(file), file ?? 'command line', given)
    for (const notice of parsed.notices) output.note(`notice: ${notice}`)
    if (options.dryRun) {
      const { checkTraining } = await import('../run/train/check-training.ts')
      const { reportEvents } = await import('./report-events.ts')
      await reportEvents(checkTraining(parsed.config), output)
      output.result(dumpConfig(parsed))
      output.emit(parsed.config)
      return 0
    }
    const { config, origins } = parsed
    const { runTraining } = await import('../run/train/run-training.ts')
    const { followRun } = await import('./follow-run.ts')
    const start = (signal: AbortSignal): ReturnType<typeof runTraining> => runTraining(config, { signal, origins })
    return (await followRun(start, output, config.save_strategy !== 'no')).exitCode
  },
})

/** The column names that are given on the command line. */
function columnsOf(overrides: readonly Override[]): Record<string, string | null> {
  const given = readOverrides(overrides).filter(({ key }) => key === 'columns' || key === 'columns.*')
  return Object.assign({}, ...given.map(({ value }) => value).filter(isFields))
}

function isFields(value: unknown): value is Record<string, string | null> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A careful run for data alone: pairs are preferences, everything else is answers to learn. Every key can be given on the command line. */
async function configFor(file: string, overrides: readonly Override[], output: Output): Promise<TrainConfigValues> {
  const columns = columnsOf(overrides)
  const { guessShape } = await import('../data/rows/read-examples.ts')
  const guess = await guessShape(file, { columns })
  const isPairs = guess.shape.includes('preference')
  // Half of such answers may be bad ones: nobody learns from all of them without having said so.
  if (guess.shape.includes('labelled') && !overrides.some(({ key }) => key === 'stage'))
    throw new InputError(
      `${printable(file)}: expected answers or pairs of answers, got answers with labels (${printable(guess.reason)}), and no stage tells ` +
        'good ones from bad by a label. Keep the good ones only, or learn from all with --stage sft',
    )
  // A column such as `label` is another matter to a stage that does not learn from it.
  const { shape, reason } = await guessShape(file, { columns, purpose: isPairs ? 'preference' : 'supervised' })
  output.note(`notice: ${printable(file)} is ${shape} data (${printable(reason)}): stage ${isPairs ? 'dpo' : 'sft'}`)
  return {
    stage: isPairs ? 'dpo' : 'sft',
    finetuning: 'lora',
    dataset: file,
    output_dir: `runs/${basename(resolve(file)).replace(/(?:\.[a-z]+)?(?:\.gz)?$/i, '')}`,
    per_device_train_batch_size: 2,
    gradient_accumulation_steps: 4,
    learning_rate: isPairs ? 5e-6 : 2e-4,
    lr_scheduler_type: 'cosine',
    warmup_steps: 0.03,
    gradient_checkpointing: true,
  }
}

function readConfig(file: string): string {
  try {
    return readBounded(file, MAX_YAML_BYTES).toString('utf8')
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR'))
      throw new InputError(`configuration ${file}: expected a YAML file, got nothing. Check the path`)
    throw error
  }
}

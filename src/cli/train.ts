// `anneal train CONFIG.yaml [--key value …]`, and `anneal train DATA.jsonl --model DIR` with a configuration that follows from the data.
import { basename, resolve } from 'node:path'
import { dumpConfig } from '../config/dump.ts'
import { keyGroups } from '../config/key-groups.ts'
import { type Override, readOverrides } from '../config/overrides.ts'
import { parseConfig } from '../config/parse.ts'
import { readConfigFile } from '../config/read-config-file.ts'
import type { TrainConfig, TrainConfigValues } from '../config/schema.ts'
import { trainKind, trainOverrides } from '../config/train-kind.ts'
import { InputError } from '../errors.ts'
import { printable } from '../printable.ts'
import { type Command, defineCommand } from './command.ts'
import type { Output } from './output.ts'
import { resumeCommand } from './resume-command.ts'

export const command: Command = defineCommand({
  summary: 'train a model as a YAML file says',
  positionals: {
    name: 'CONFIG',
    summary:
      'YAML file; or data to learn from (a file of rows, a text, or a folder) with --model DIR, where stage follows from the data, finetuning is lora, output_dir is runs/ and the name of the data, and batch size, learning rate and schedule are careful ones, unless given as --key value (--dry-run prints all of them); without either, every key comes from --key value',
    min: 0,
    max: 1,
  },
  options: {
    'dry-run': {
      kind: 'flag',
      summary:
        'do all that comes before the first step, print the resolved configuration, and leave nothing but tokenized text in the cache',
    },
  },
  overrides: trainOverrides,
  keyGroups: () => keyGroups(trainKind),
  examples: [
    'train recipes/pretrain-tiny.yaml',
    'train chats.jsonl --model models/base',
    'train pairs.jsonl --model runs/chats',
    'train corpus.txt --model models/base',
    'train run.yaml --learning_rate 1e-3 --resume_from_checkpoint auto',
  ],
  run: async ({ positionals, options, overrides, output }) => {
    const file = positionals[0]
    const data = await dataOf(file, output)
    // A run that follows from data goes on from a model that is there: `--model base` is a directory, not the size of a fresh one.
    const { holdsData } = await import('../data/read/files.ts')
    const isData = file !== undefined && (data !== file || holdsData(file))
    const given = overrides.map((each) =>
      isData && each.key === 'model' ? { ...each, key: 'model_name_or_path' } : each,
    )
    const parsed = isData
      ? parseConfig(undefined, file, given, {
          values: await configFor(file, data!, given, output),
          origin: `told from ${file}`,
        })
      : parseConfig(file === undefined ? undefined : readConfigFile(file), file ?? 'command line', given)
    for (const notice of parsed.notices) output.note(`notice: ${notice}`)
    if (options.dryRun) {
      const { checkTraining } = await import('../run/train/check-training.ts')
      const { reportEvents } = await import('./report-events.ts')
      await reportEvents(checkTraining(parsed.config), output)
      output.result(dumpConfig(trainKind, parsed))
      output.emit(parsed.config)
      return 0
    }
    const { config, origins } = parsed
    const { runTraining } = await import('../run/train/run-training.ts')
    const { followRun } = await import('./follow-run.ts')
    const start = (signal: AbortSignal): ReturnType<typeof runTraining> => runTraining(config, { signal, origins })
    const { result, exitCode } = await followRun(start, output, config.save_strategy !== 'no')
    if (result.reason === 'stopped' && result.step > 0 && config.save_strategy !== 'no' && !result.saveError)
      output.note(`to go on: ${resumeCommand(positionals, overrides)}`)
    return exitCode
  },
})

/** Data by its name on the hub as it is now, downloaded to see what it is for; anything else as it stands. */
async function dataOf(file: string | undefined, output: Output): Promise<string | undefined> {
  const { isNameOfData, resolveData } = await import('../run/resolve-data.ts')
  if (file === undefined || !isNameOfData(file)) return file
  const { eventsOf } = await import('../work.ts')
  const { reportEvents } = await import('./report-events.ts')
  const resolved = await reportEvents(
    eventsOf((watch) => resolveData([file], watch)),
    output,
  )
  return resolved[0]
}

/** The column names that are given on the command line. */
function columnsOf(overrides: readonly Override[]): Record<string, string | null> {
  const given = readOverrides(trainKind, overrides).filter(({ key }) => key === 'columns' || key === 'columns.*')
  return Object.assign({}, ...given.map(({ value }) => value).filter(isFields))
}

function isFields(value: unknown): value is Record<string, string | null> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A careful run for data alone, which lies at `data`. Every key can be given on the command line. */
async function configFor(
  file: string,
  data: string,
  overrides: readonly Override[],
  output: Output,
): Promise<TrainConfigValues> {
  const stage = await stageFor(data, overrides, output)
  return {
    stage,
    finetuning: 'lora',
    dataset: file,
    output_dir: `runs/${basename(resolve(data === file ? file : file.replace(/[@:].*/, ''))).replace(/(?:\.[a-z]+)?(?:\.gz)?$/i, '')}`,
    per_device_train_batch_size: 2,
    gradient_accumulation_steps: 4,
    learning_rate: stage === 'dpo' ? 5e-6 : 2e-4,
    lr_scheduler_type: 'cosine',
    warmup_steps: 0.03,
    gradient_checkpointing: true,
  }
}

/** What data is for, and says so: running text is learnt as it is, pairs are preferences, everything else is answers to learn. */
async function stageFor(file: string, overrides: readonly Override[], output: Output): Promise<TrainConfig['stage']> {
  const given = readOverrides(trainKind, overrides).find(({ key }) => key === 'stage')?.value
  if (given === 'pretrain' || given === 'classify' || given === 'mlm') return given
  const columns = columnsOf(overrides)
  const { guessShape } = await import('../data/rows/read-examples.ts')
  let stage = given
  if (stage === undefined) {
    const guess = await guessShape(file, { columns })
    if (guess.isRunningText) {
      output.note(`notice: ${printable(file)} is running text: stage pretrain, which learns all of it`)
      return 'pretrain'
    }
    // Half of such answers may be bad ones: nobody learns from all of them without having said so.
    if (guess.shape.includes('labelled'))
      throw new InputError(
        `${printable(file)}: expected answers or pairs of answers, got answers with labels (${printable(guess.reason)}), and no stage tells ` +
          'good ones from bad by a label. Keep the good ones only, or learn from all with --stage sft',
      )
    stage = guess.shape.includes('preference') ? 'dpo' : 'sft'
  }
  // A column such as `label` is another matter to a stage that does not learn from it.
  const isPairs = stage === 'dpo'
  const { shape, reason } = await guessShape(file, { columns, purpose: isPairs ? 'preference' : 'supervised' })
  output.note(`notice: ${printable(file)} is ${shape} data (${printable(reason)}): stage ${isPairs ? 'dpo' : 'sft'}`)
  return isPairs ? 'dpo' : 'sft'
}

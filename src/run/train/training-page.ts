// One page to look at for every run: `training.html` in output_dir, rewritten with each checkpoint and at the end. It is drawn from the
// log, which a resumed run takes over from its checkpoint, so it shows the whole history. It is a picture: nothing reads it back.

import { join } from 'node:path'
import type { LogRow } from '../../checkpoint/run-directory/trainer-state.ts'
import { type DumpedConfig, dumpConfig } from '../../config/dump.ts'
import type { TrainConfig } from '../../config/schema.ts'
import { trainKind } from '../../config/train-kind.ts'
import { writeFileAtomic } from '../../files/atomic-write.ts'
import { amount, counted, duration } from '../../report/amounts.ts'
import type { KeyFigure } from '../../report/blocks.ts'
import { type ReportBlock, type ReportSection, renderReport } from '../../report/report.ts'
import { formatNumber } from '../../report/scale.ts'
import { shortened } from '../../report/shortened.ts'
import type { TrainEvent } from '../../train/events.ts'
import type { Drawn } from '../../train/rule.ts'
import { pageFooter } from '../page-footer.ts'
import type { Fingerprint } from './fingerprint.ts'
import { passedBest } from './passed-best.ts'
import type { RunTell } from './run-events.ts'
import type { LogSample, RunLog } from './run-log.ts'
import {
  figuresOf,
  lastOf,
  lossSection,
  methodSection,
  otherSection,
  pointsOf,
  stepSection,
} from './training-charts.ts'

/** Name of the file inside an output directory. */
export const TRAINING_PAGE = 'training.html'
/** A run of at most so many steps is drawn from each of them, where the rows of the log would be a handful of points. */
const SHORT_RUN = 400
/** So many texts show how a model learns to write. */
const MOST_SAMPLES = 12

/** What a page is drawn from. */
export interface TrainingRun {
  parsed: DumpedConfig<TrainConfig>
  log: Pick<RunLog, 'state' | 'samples'>
  step: number
  /** Metrics of the steps that this process did, of a short run. */
  steps?: readonly LogRow[]
  /** The day, as `2026-11-26`. */
  date?: string
  /** How it ended; absent while it goes on, and after an error. */
  reason?: Extract<TrainEvent, { type: 'run-end' }>['reason'] | undefined
  /** The methods that the run was done with. */
  rules?: readonly Drawn[]
  /** What the stage has to show of its metrics. */
  stage?: Drawn | undefined
  fingerprint?: Fingerprint | undefined
  footer: string
}

/** Follows the events of a run and keeps its page. */
export class TrainingPage {
  private readonly run: TrainingRun
  private readonly steps: LogRow[] = []
  private readonly tell: RunTell
  private readonly path: string
  private isBroken = false

  constructor(
    parsed: DumpedConfig<TrainConfig>,
    log: RunLog,
    drawn: Pick<TrainingRun, 'rules' | 'stage'>,
    tell: RunTell,
  ) {
    this.run = {
      parsed,
      log,
      step: log.state.global_step,
      steps: this.steps,
      date: new Date().toISOString().slice(0, 10),
      ...drawn,
      footer: pageFooter(),
    }
    this.tell = tell
    this.path = join(parsed.config.output_dir, TRAINING_PAGE)
  }

  take(event: TrainEvent): void {
    if (event.type === 'step-done') {
      this.run.step = event.metrics.step
      if (this.run.log.state.max_steps <= SHORT_RUN) this.steps.push({ ...event.metrics })
    } else if ('step' in event) this.run.step = event.step
    if (event.type === 'run-end') this.run.reason = event.reason
    if (event.type === 'checkpoint-saved') this.write()
  }

  /** Writes the page a last time and tells where it is; after an error, too, for its curves may say why. */
  end(fingerprint: Fingerprint | undefined): void {
    if (this.run.log.state.log_history.length === 0) return
    this.run.fingerprint = fingerprint
    this.write()
    if (!this.isBroken) this.tell({ type: 'saved', what: 'charts', path: this.path })
  }

  // A page is not worth a run, whatever is wrong with it.
  private write(): void {
    try {
      writeFileAtomic(this.path, renderTrainingPage(this.run))
    } catch (error) {
      if (!this.isBroken) this.tell({ type: 'notice', message: `no page of the run: ${(error as Error).message}` })
      this.isBroken = true
    }
  }
}

/** The page as HTML; every text in it is escaped. */
export function renderTrainingPage(run: TrainingRun): string {
  const { parsed, log, rules = [], footer } = run
  const { config } = parsed
  const drawn = drawnOf(run)
  const rows = drawnRows(log.state.log_history, run.steps ?? [])
  const sections = [
    {
      title: 'In short',
      blocks: [{ kind: 'key-figures', figures: keyFigures(run) } as const, ...warnings(run, rows, drawn)],
    },
    lossSection(rows, config),
    ...drawn.map((each) => methodSection(rows, each)),
    stepSection(rows, config),
    otherSection(rows, drawn),
    sampleSection(log.samples),
    repeatSection(run),
  ]
  return renderReport({
    title: config.run_name ?? config.output_dir,
    ...(run.date !== undefined && { about: [run.date] }),
    subtitle: `${subject(config, rules)}, ${status(run)}.`,
    sections: sections.filter((section) => section !== undefined && section.blocks.length > 0) as ReportSection[],
    footer,
  })
}

function drawnOf({ stage, rules = [] }: TrainingRun): readonly Drawn[] {
  return stage === undefined ? rules : [stage, ...rules]
}

/** Rows of the log, with the steps themselves in place of the rows that stand for them. */
function drawnRows(rows: readonly LogRow[], steps: readonly LogRow[]): readonly LogRow[] {
  const [first] = steps
  if (first === undefined) return rows
  const isSummed = (row: LogRow): boolean => 'loss' in row && Number(row.step) >= Number(first.step)
  return [...rows.filter((row) => !isSummed(row)), ...steps].sort((a, b) => Number(a.step) - Number(b.step))
}

function subject(
  { stage, finetuning, model_name_or_path: base, loss_type }: TrainConfig,
  rules: readonly Drawn[],
): string {
  const of = base === undefined ? 'of a new model' : `of ${base}`
  const what = {
    pretrain: 'Pre-training',
    sft: 'Supervised fine-tuning',
    dpo: `Preference tuning (${loss_type})`,
    classify: 'Classification',
    mlm: 'Masked language modelling',
  }
  const how = {
    full: [],
    freeze: ['most layers frozen'],
    lora: ['LoRA'],
    dora: ['DoRA'],
    prompt: ['a soft prompt'],
  }
  const parts = [...how[finetuning], ...rules.map(({ name, title = name }) => title)]
  return `${what[stage]} ${of}${parts.length === 0 ? '' : ` with ${parts.join(' and ')}`}`
}

function status({ step, reason, log: { state } }: TrainingRun): string {
  const steps = `${step.toLocaleString('en')} of ${counted(state.max_steps, 'step')}`
  if (reason === undefined) return `${steps} done`
  return {
    finished: `finished after ${steps}`,
    stopped: `stopped after ${steps}`,
    'early-stopping': `ended after ${steps}: no more progress`,
  }[reason]
}

function keyFigures(run: TrainingRun): KeyFigure[] {
  const {
    step,
    log: { state },
  } = run
  const rows = state.log_history
  const loss = (label: string, name: string): KeyFigure[] => {
    const [first, ...others] = pointsOf(rows, name)
    const detail =
      first && others.length > 0 ? `was ${formatNumber(first[1])} at step\u00a0${first[0].toLocaleString('en')}` : ''
    const value = lastOf(rows, name)
    return value === undefined ? [] : [{ label, value: formatNumber(value), detail }]
  }
  return [
    ...loss('training loss', 'loss'),
    ...loss('held-out loss', 'eval_loss'),
    ...drawnOf(run).flatMap((each) => figuresOf(rows, each)?.key ?? []),
    {
      label: 'steps',
      value: step.toLocaleString('en'),
      detail: `${formatNumber(state.epoch ?? 0, (state.epoch ?? 0) / 100)} epoch${state.epoch === 1 ? '' : 's'}`,
    },
    { label: 'tokens read', value: amount(state.num_input_tokens_seen, '', false), detail: timeOf(rows, step) },
  ]
}

/** The time is that of the process that ended the run, which after a resume was not there for all steps. */
function timeOf(rows: readonly LogRow[], step: number): string {
  const seconds = lastOf(rows, 'train_runtime')
  if (seconds === undefined) return ''
  const done = Math.round(seconds * (lastOf(rows, 'train_steps_per_second') ?? 0))
  return done < step ? `the last ${counted(done, 'step')} in ${duration(seconds)}` : `in ${duration(seconds)}`
}

function warnings(
  { reason, parsed, log }: TrainingRun,
  rows: readonly LogRow[],
  drawn: readonly Drawn[],
): ReportBlock[] {
  const passed = reason === undefined ? undefined : passedBest(parsed.config, log.state)
  const skipped = lastOf(rows, 'skipped_steps') ?? 0
  const texts = [
    ...(skipped > 0
      ? [
          `${counted(skipped, 'step')} ${skipped === 1 ? 'was' : 'were'} left out, because a number in ${skipped === 1 ? 'it' : 'them'} was not finite.`,
        ]
      : []),
    ...drawn.flatMap((each) => figuresOf(rows, each)?.warnings ?? []),
    ...(passed === undefined ? [] : [`${passed}.`]),
  ]
  return texts.length === 0 ? [] : [{ kind: 'prose', text: texts.join('\n\n') }]
}

/** All prompts at the first step, the last, and as many between them as there is room for. */
function sampleSection(samples: readonly LogSample[]): ReportSection | undefined {
  if (samples.length === 0) return undefined
  const steps = [...new Set(samples.map(({ step }) => step))]
  const count = Math.min(steps.length, Math.max(2, Math.floor((MOST_SAMPLES * steps.length) / samples.length)))
  const stride = (steps.length - 1) / Math.max(1, count - 1)
  const shown = new Set(Array.from({ length: count }, (_, i) => steps[Math.round(i * stride)]))
  const texts = samples
    .filter(({ step }) => shown.has(step))
    .map(({ step, prompt, text }) => ({ label: `step ${step.toLocaleString('en')}`, prompt, text: shortened(text) }))
  return {
    title: 'What it writes',
    lead: 'Greedy continuations of sample_prompts, as training goes on.',
    blocks: [{ kind: 'samples', samples: texts }],
  }
}

function repeatSection({ parsed, fingerprint }: TrainingRun): ReportSection {
  const text = dumpConfig(trainKind, parsed)
  const hashes: ReportBlock[] = fingerprint
    ? [
        {
          kind: 'table',
          columns: ['fingerprint', 'of'],
          rows: [
            [fingerprint.fingerprint, 'the run'],
            [fingerprint.config, 'its configuration'],
            [fingerprint.data, 'its data'],
            [fingerprint.code, 'the code'],
            [fingerprint.state, 'the weights that came of it'],
          ],
        },
      ]
    : []
  return {
    title: 'How to repeat it',
    lead: `train_config.yaml beside this page has the configuration${fingerprint ? '; a run with the same fingerprint is the same run' : ''}.`,
    blocks: [
      ...hashes,
      { kind: 'folded', title: 'Resolved configuration: every key, and where its value came from', text },
    ],
  }
}

// What the demo is made of: stages that run one after the other. Each leaves files for whoever comes next, fills in its
// part of `results`, and says what it did. A new stage of a model's life is one more file and one more line in demo.ts.

import { join } from 'node:path'
import type { ParsedConfig } from '../config/parse.ts'
import type { KeyFigure } from '../report/blocks.ts'
import type { ReportBlock, ReportSection } from '../report/report.ts'
import type { RunEvent } from '../run/train/run-events.ts'
import type { Tokenizer } from '../text/tokenizer.ts'
import type { Curated } from './curate.ts'

/** What the user asked for. */
export interface DemoSettings {
  /** Files and folders; none means the documentation in node_modules. */
  text: readonly string[]
  textKey: string
  out: string
  /** For the whole demo; what is left after the other stages goes into training. */
  minutes: number
  /** Training steps in place of as many as fit into `minutes`. */
  steps?: number | undefined
  seed: number
}

/** Where things are in the demo's folder. */
export interface DemoPaths {
  train: string
  heldOut: string
  /** The kind of text that is kept from pre-training. */
  apartTrain: string
  apartHeldOut: string
  tokenizer: string
  model: string
  adapter: string
  report: string
  results: string
}

/** What a demo tells: its stages, and all that the work in them tells. */
export type DemoEvent =
  | RunEvent
  | { type: 'stage-start'; stage: string; title: string; number: number; of: number }
  /** With the stage's numbers beside these. */
  | { type: 'stage-done'; stage: string; seconds: number; [number: string]: unknown }
  | { type: 'demo-done'; seconds: number; report: string; model: string; kept: boolean }

/** What stages hand to later ones besides files. */
export interface DemoResults {
  text: Curated & {
    description: string
    prompts: readonly string[]
    /** Beginnings of held-out passages of the kind that is set apart; none where nothing is. */
    apartPrompts: readonly string[]
  }
  tokenizer: Tokenizer
  /** A hash of everything that this demo is made from. */
  inputs: string
  training: ParsedConfig
  adapter: { directory: string; prompt: string }
}

/** What a stage says of itself. */
export interface StageOutcome {
  /** One line for the table at the end. */
  summary: string
  /** The same as numbers, for programs. */
  numbers: Readonly<Record<string, unknown>>
  /** For the top of the report. */
  figures?: readonly KeyFigure[]
  highlights?: readonly ReportBlock[]
  /** For the body of the report. */
  sections?: readonly ReportSection[]
  /** The demo ends after this stage: a signal came (`next`: how to go on), or a checkpoint could not be saved. */
  stop?: { next: readonly string[]; error: Error | undefined }
  /** The demo ends after this stage, because what it would make is there already. */
  isKept?: boolean
}

/** What a stage works with. */
export interface DemoContext {
  readonly settings: DemoSettings
  /** Where the demo is built. */
  paths: DemoPaths
  /** Where it will be. */
  readonly shown: DemoPaths
  readonly signal: AbortSignal | undefined
  /** Seconds since the demo began. */
  readonly elapsed: () => number
  readonly results: Partial<DemoResults>
  /** Stages that are done, in order. */
  readonly done: DoneStage[]
  /** Makes `paths` ready for a demo from these inputs (a hash); false where a whole one is there that was made from them. */
  readonly begin: (inputs: string) => boolean
}

export interface DemoStage {
  /** One word; the key of its numbers. */
  readonly name: string
  /** What happens, for people: `training a tokenizer`. */
  readonly title: string
  run(context: DemoContext): AsyncGenerator<DemoEvent, StageOutcome>
}

export interface DoneStage extends StageOutcome {
  name: string
  title: string
  seconds: number
}

export function demoPaths(out: string): DemoPaths {
  return {
    train: join(out, 'data', 'train'),
    heldOut: join(out, 'data', 'held-out'),
    apartTrain: join(out, 'data', 'apart', 'train'),
    apartHeldOut: join(out, 'data', 'apart', 'held-out'),
    tokenizer: join(out, 'tokenizer'),
    model: join(out, 'model'),
    adapter: join(out, 'adapter'),
    report: join(out, 'report.html'),
    results: join(out, 'demo.json'),
  }
}

/** What an earlier stage found; its absence is a mistake in the list of stages. */
export function resultOf<Name extends keyof DemoResults>(context: DemoContext, name: Name): DemoResults[Name] {
  const result = context.results[name]
  if (result === undefined) throw new Error(`demo: no stage before this one gave ${name}`)
  return result as DemoResults[Name]
}

// The whole demo as a generator of events: text, tokenizer, pre-training, evaluation, fine-tuning, report. What is whole and was made
// from the same text with the same settings is kept; else the new one is built beside it and takes its place at the end.

import { beginDemo, checkDemoDirectory, type DemoBuild, readDemo } from './demo-directory.ts'
import { evaluateStage } from './evaluate-stage.ts'
import { finetuneStage } from './finetune-stage.ts'
import { nextCommands } from './next-commands.ts'
import { pretrainStage } from './pretrain-stage.ts'
import { reportStage } from './report-stage.ts'
import { type DemoContext, type DemoEvent, type DemoSettings, type DemoStage, demoPaths, resultOf } from './stage.ts'
import { textStage } from './text-stage.ts'
import { tokenizerStage } from './tokenizer-stage.ts'

/** The stages in order. To add one, write it like those and put it before the report. */
export const DEMO_STAGES: readonly DemoStage[] = [
  textStage,
  tokenizerStage,
  pretrainStage,
  evaluateStage,
  finetuneStage,
  reportStage,
]

export interface DemoResult {
  /** `stopped`: by the signal, in training. */
  reason: 'finished' | 'kept' | 'stopped'
  /** What each stage did, in one line. */
  stages: readonly { name: string; seconds: number; summary: string }[]
  seconds: number
  /** Command lines to go on with. */
  next: readonly string[]
  /** Why the last checkpoint could not be saved, which ends a demo. */
  saveError: Error | undefined
}

/**
 * Runs the demo. `signal` ends its training at the next step, with a checkpoint where nothing else is in the folder.
 *
 * @example
 * const { next } = await resultOf(runDemo({ text: [], textKey: 'text', out: 'runs/demo', minutes: 3.5, seed: 42 }), console.log)
 */
export async function* runDemo(
  settings: DemoSettings,
  { signal }: { signal?: AbortSignal | undefined } = {},
): AsyncGenerator<DemoEvent, DemoResult> {
  checkDemoDirectory(settings.out)
  const began = performance.now()
  const elapsed = (): number => (performance.now() - began) / 1000
  let build: DemoBuild | undefined
  const context: DemoContext = {
    settings,
    paths: demoPaths(settings.out),
    shown: demoPaths(settings.out),
    signal,
    elapsed,
    results: {},
    done: [],
    begin: (inputs) => {
      if (readDemo(settings.out)?.inputs === inputs) return false
      build = beginDemo(settings.out)
      context.paths = demoPaths(build.directory)
      return true
    },
  }
  const result = (reason: DemoResult['reason'], next: readonly string[], saveError?: Error): DemoResult => {
    const stages = context.done.map(({ name, seconds, summary }) => ({ name, seconds, summary }))
    return { reason, stages, seconds: elapsed(), next, saveError }
  }
  const { report, model } = context.shown
  try {
    for (const [index, stage] of DEMO_STAGES.entries()) {
      const { name, title } = stage
      yield { type: 'stage-start', stage: name, title, number: index + 1, of: DEMO_STAGES.length }
      const start = elapsed()
      const outcome = yield* stage.run(context)
      const seconds = elapsed() - start
      context.done.push({ name, title, seconds, ...outcome })
      yield { type: 'stage-done', stage: name, seconds, ...outcome.numbers }
      if (outcome.stop !== undefined) return result('stopped', outcome.stop.next, outcome.stop.error)
      if (outcome.isKept === true) break
    }
    const isKept = build === undefined
    build?.finish()
    build = undefined
    yield { type: 'demo-done', seconds: elapsed(), report, model, kept: isKept }
    const commands = nextCommands(context, resultOf(context, 'text').prompts[0]!)
    return result(isKept ? 'kept' : 'finished', commands)
  } finally {
    build?.abandon()
  }
}

// `anneal demo`: from text to a language model that can be asked, in a few minutes, with a report of what happened.
// The work is in demo/; this file runs the stages and keeps the clock.

import type { DemoContext, DemoSettings, DemoStage, DoneStage } from '../demo/stage.ts'
import { duration } from '../report/amounts.ts'
import { type Command, defineCommand } from './command.ts'
import type { Output } from './output.ts'

export const command: Command = defineCommand({
  summary: 'train a small model from text in a few minutes, fine-tune it, and report',
  positionals: { name: 'TEXT', summary: 'files or folders, as with --text', min: 0, max: 10_000 },
  options: {
    text: {
      kind: 'list',
      value: 'PATH',
      summary: 'text to learn: files, or folders with .txt, .md, .jsonl; without it, the documentation in node_modules',
    },
    'text-column': { kind: 'text', value: 'NAME', summary: 'field that holds the text in .jsonl', default: 'text' },
    out: {
      kind: 'text',
      value: 'DIR',
      summary: 'folder for everything; an earlier demo in it goes',
      default: 'runs/demo',
    },
    minutes: {
      kind: 'number',
      summary: 'time for everything; training gets what is left',
      default: 3.5,
      min: 0.5,
      max: 10_000,
    },
    steps: { kind: 'integer', summary: 'training steps, in place of as many as fit into --minutes', min: 1, max: 1e9 },
    seed: { kind: 'integer', summary: 'of the weights, the order of the text, and the samples', default: 42, min: 0 },
  },
  examples: ['demo', 'demo --text my-notes/ --out runs/notes', 'demo --minutes 15'],
  run: async ({ positionals, options, output }) => {
    const { text, textColumn, out, minutes, steps, seed } = options
    return runDemo({ text: [...positionals, ...text], textKey: textColumn, out, minutes, steps, seed }, output)
  },
})

/** Runs all stages and says how it went; returns the exit code. */
export async function runDemo(settings: DemoSettings, output: Output): Promise<number> {
  const { demoPaths } = await import('../demo/stage.ts')
  const { checkDemoDirectory } = await import('../demo/demo-directory.ts')
  checkDemoDirectory(settings.out)
  const began = performance.now()
  const elapsed = (): number => (performance.now() - began) / 1000
  const done: DoneStage[] = []
  const { followRun } = await import('./follow-run.ts')
  const follow: DemoContext['follow'] = (start) => followRun(start, output, true)
  const context: DemoContext = { settings, paths: demoPaths(settings.out), output, follow, elapsed, results: {}, done }
  const people = (line: string): void => void (output.isJson || output.note(line))
  const stages = await loadStages()
  for (const [index, stage] of stages.entries()) {
    output.emit({ type: 'stage-start', stage: stage.name })
    people(`\n[${index + 1}/${stages.length}] ${stage.title}`)
    const start = elapsed()
    const outcome = await stage.run(context)
    const seconds = elapsed() - start
    done.push({ name: stage.name, seconds, ...outcome })
    output.emit({ type: 'stage-done', stage: stage.name, seconds, ...outcome.numbers })
    if (outcome.exitCode !== undefined) return outcome.exitCode
  }
  output.emit({ type: 'demo-done', seconds: elapsed(), report: context.paths.report, model: context.paths.model })
  for (const line of await closing(context)) people(line)
  return 0
}

/** The stages in order. To add one, write it like those and put it before the report. */
async function loadStages(): Promise<DemoStage[]> {
  return [
    (await import('../demo/text-stage.ts')).textStage,
    (await import('../demo/tokenizer-stage.ts')).tokenizerStage,
    (await import('../demo/pretrain-stage.ts')).pretrainStage,
    (await import('../demo/evaluate-stage.ts')).evaluateStage,
    (await import('../demo/finetune-stage.ts')).finetuneStage,
    (await import('../demo/report-stage.ts')).reportStage,
  ]
}

/** What happened, and what to do with it. */
async function closing(context: DemoContext): Promise<string[]> {
  const { nextCommands } = await import('../demo/next-commands.ts')
  const { resultOf } = await import('../demo/stage.ts')
  const rows = [...context.done, { name: 'in all', seconds: context.elapsed(), summary: '' }]
  const width = Math.max(...rows.map(({ name }) => name.length))
  const table = rows.map(({ name, seconds, summary }) =>
    `  ${name.padEnd(width)}  ${duration(seconds).padStart(9)}  ${summary}`.trimEnd(),
  )
  const commands = nextCommands(context, resultOf(context, 'text').prompts[0]!)
  return ['', ...table, '', 'Try next:', ...commands.map((line) => `  ${line}`)]
}

// `anneal demo`: from text to a language model that can be asked, in a few minutes, with a report of what happened.
// The work is in demo/; this file prints what it tells.

import type { DemoResult } from '../demo/demo.ts'
import type { DemoEvent, DemoSettings } from '../demo/stage.ts'
import { exitCodeOf } from '../errors.ts'
import { duration } from '../report/amounts.ts'
import type { RunEvent } from '../run/train/run-events.ts'
import { type Command, defineCommand } from './command.ts'
import type { Output } from './output.ts'
import { reportEvents } from './report-events.ts'
import { type SignalStop, stopOnSignals } from './stop-on-signals.ts'

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
      summary:
        'folder for everything; a demo of the same text and settings in it is kept, another one replaced at the end',
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
    return runAndPrint({ text: [...positionals, ...text], textKey: textColumn, out, minutes, steps, seed }, output)
  },
})

/** Prints what the demo tells; returns the exit code. */
async function runAndPrint(settings: DemoSettings, output: Output): Promise<number> {
  const { runDemo } = await import('../demo/demo.ts')
  const stop = stopOnSignals(output, 'finishing this step and saving')
  try {
    const { reason, stages, seconds, next, saveError } = await reportEvents(
      heard(runDemo(settings, { signal: stop.signal }), stop, output),
      output,
    )
    if (reason === 'stopped') {
      for (const line of next) output.note(`To go on: ${line}`)
      return stop.code ?? exitCodeOf(saveError)
    }
    if (output.isJson) return 0
    const rows = [...stages, { name: 'in all', seconds, summary: '' }]
    const width = Math.max(...rows.map(({ name }) => name.length))
    output.note('')
    for (const { name, seconds: each, summary } of rows)
      output.note(`  ${name.padEnd(width)}  ${duration(each).padStart(9)}  ${summary}`.trimEnd())
    output.note('\nTry next:', 'title')
    for (const line of next) output.note(`  ${line}`)
    return 0
  } finally {
    stop.release()
  }
}

/** The stages told to people, and signals heard only while there is something to save. */
async function* heard(
  events: AsyncGenerator<DemoEvent, DemoResult>,
  stop: SignalStop,
  output: Output,
): AsyncGenerator<RunEvent, DemoResult> {
  while (true) {
    const next = await events.next()
    if (next.done === true) return next.value
    const event = next.value
    if (event.type === 'run-start') stop.listen()
    if (event.type === 'run-end' && stop.code === undefined) stop.release()
    if (event.type !== 'stage-start' && event.type !== 'stage-done' && event.type !== 'demo-done') yield event
    else output.emit(event)
    if (event.type === 'stage-start' && !output.isJson)
      output.note(`\n[${event.number}/${event.of}] ${event.title}`, 'title')
  }
}

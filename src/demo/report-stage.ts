// Last stage: everything that the others said, in one HTML file and one JSON file.

import { cpus } from 'node:os'
import { writeFileAtomic } from '../files/atomic-write.ts'
import { duration } from '../report/amounts.ts'
import { type ReportSection, renderReport } from '../report/report.ts'
import { pageFooter } from '../run/page-footer.ts'
import { nextCommands } from './next-commands.ts'
import { type DemoContext, type DemoStage, type DoneStage, resultOf } from './stage.ts'

export const reportStage: DemoStage = {
  name: 'report',
  title: 'writing the report',
  run: async function* (context) {
    const { paths, shown, done, results } = context
    const numbers = Object.fromEntries(done.map(({ name, seconds, numbers }) => [name, { seconds, ...numbers }]))
    writeFileAtomic(paths.report, demoReport(context))
    // Last, for it says that the demo is whole.
    writeFileAtomic(paths.results, `${JSON.stringify({ inputs: results.inputs, ...numbers }, null, 2)}\n`)
    return { summary: shown.report, numbers: { path: shown.report } }
  },
}

function demoReport(context: DemoContext): string {
  const { done, elapsed } = context
  const { description, prompts } = resultOf(context, 'text')
  const figures = [...done.flatMap(({ figures = [] }) => figures), { label: 'time in all', value: duration(elapsed()) }]
  return renderReport({
    title: 'A language model, from nothing',
    subtitle: `Trained on this machine in ${duration(elapsed())}, from ${description}.`,
    about: [context.settings.out, new Date().toISOString().slice(0, 10)],
    sections: [
      {
        title: 'In short',
        blocks: [
          { kind: 'key-figures', figures },
          ...done.flatMap(({ highlights = [] }) => highlights),
          { kind: 'prose', text: EXPECTATIONS },
        ],
      },
      ...done.flatMap(({ sections = [] }) => sections),
      timings(done),
      { title: 'What to try next', blocks: [{ kind: 'commands', lines: nextCommands(context, prompts[0]!) }] },
    ],
    footer: pageFooter(cpus()[0]?.model ?? 'unknown processor'),
  })
}

const EXPECTATIONS =
  'What to expect: models that hold a conversation have a hundred times as many parameters or more, and have read a million times as much. ' +
  'This one has learned how its text sounds: the words, the phrases, the punctuation, often the beginning of a sentence that makes sense. ' +
  'It knows no facts and follows no instructions, and nothing that it says is to be relied on. ' +
  'More text and more time make it better, in the same way as a large one.'

function timings(done: readonly DoneStage[]): ReportSection {
  const bars = done.map(({ title, seconds }) => ({ label: title, value: Math.round(10 * seconds) / 10 }))
  return {
    title: 'Where the time went',
    blocks: [{ kind: 'bar-chart', title: 'Stages of the demo', unit: 'seconds', bars }],
  }
}

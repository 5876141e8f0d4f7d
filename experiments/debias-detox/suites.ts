// The suites of bias and toxicity on models that are at hand: numbers only, no sentence of the data.
//   tsx experiments/debias-detox/suites.ts --model NAME=DIR … --crows eng=FILE.csv … --mbbq DIR --limit 4000 --prompts en=en.jsonl,words/en.txt … --prompt-limit 40 \
//     [--judge DIR] --out experiments/debias-detox/results/suites.json
// Whether a model has learnt anything is not asked: random weights are a floor to compare with.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { type RunEvalOptions, runEval } from '../../src/run/eval/run-eval.ts'
import { setThreads } from '../../src/torch/index.ts'
import { resultOf } from '../../src/work.ts'
import { machineFor } from '../setting/results.ts'

const { values } = parseArgs({
  options: {
    model: { type: 'string', multiple: true, default: [] },
    crows: { type: 'string', multiple: true, default: [] },
    mbbq: { type: 'string' },
    limit: { type: 'string', default: '4000' },
    prompts: { type: 'string', multiple: true, default: [] },
    'prompt-limit': { type: 'string', default: '40' },
    judge: { type: 'string' },
    threads: { type: 'string', default: '1' },
    out: { type: 'string', default: 'experiments/debias-detox/results/suites.json' },
  },
})
setThreads(Number(values.threads))

interface Row {
  model: string
  suite: string
  documents: number
  /** `metric` or `metric_stderr` by task. */
  results: Record<string, Record<string, number>>
}
const file: { machine: string; rows: Row[] } = existsSync(values.out)
  ? JSON.parse(readFileSync(values.out, 'utf8'))
  : { machine: machineFor('cpu'), rows: [] }

const pair = (text: string): [string, string] => text.split(/=(.*)/s).slice(0, 2) as [string, string]

async function add(model: string, suite: string, options: Omit<RunEvalOptions, 'model'>): Promise<void> {
  const [name, path] = pair(model)
  if (file.rows.some((row) => row.model === name && row.suite === suite)) return
  const report = await resultOf(runEval({ bootstrap: 1000, ...options, model: path }), (event) => {
    if (event.type === 'notice') console.error(`${name} ${suite}: ${event.message}`)
  })
  const numbers = (metrics: Readonly<Record<string, unknown>>): Record<string, number> =>
    Object.fromEntries(
      Object.entries(metrics)
        .filter(([key, value]) => key.includes(',none') && typeof value === 'number' && Number.isFinite(value))
        .map(([key, value]) => [key.replace(',none', ''), Number((value as number).toPrecision(5))]),
    )
  const documents = Object.values(report['n-samples']).reduce((sum, { effective }) => sum + effective, 0)
  file.rows.push({
    model: name,
    suite,
    documents,
    results: Object.fromEntries(Object.entries(report.results).map(([task, metrics]) => [task, numbers(metrics)])),
  })
  writeFileSync(values.out, `${JSON.stringify(file, null, 1)}\n`)
}

for (const model of values.model) {
  for (const table of values.crows) {
    const [language, data] = pair(table)
    await add(model, `crows_pairs ${language}`, { tasks: ['crows_pairs'], data })
  }
  if (values.mbbq !== undefined)
    await add(model, 'mbbq', { tasks: ['mbbq'], data: values.mbbq, limit: Number(values.limit) })
  for (const entry of values.prompts) {
    const [language, rest] = pair(entry)
    const [data, scorer] = rest.split(',')
    await add(model, `continuations ${language}`, {
      tasks: ['toxicity', 'consistency', 'diversity'],
      data,
      scorer,
      judge: values.judge,
      limit: Number(values['prompt-limit']),
    })
  }
}

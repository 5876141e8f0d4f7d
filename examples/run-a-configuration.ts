// A whole training run, and edits of what it made, as streams of events: npx tsx examples/run-a-configuration.ts recipes/pretrain-tiny.yaml text.txt
import { readFileSync, writeFileSync } from 'node:fs'
import {
  collect,
  describeError,
  eventsOf,
  exitCodeOf,
  loadLm,
  parseConfig,
  readDocuments,
  renderReport,
  resultOf,
  runPrune,
  runQuantize,
  runSleb,
  runTraining,
  trainConfig,
  turn,
  type WorkEvent,
} from 'anneal'
import type { ReportBlock } from 'anneal/report'

const [file, text] = process.argv.slice(2)
if (file === undefined || text === undefined) {
  console.error('usage: npx tsx examples/run-a-configuration.ts CONFIG.yaml TEXT')
  process.exit(2)
}
try {
  const { config } = parseConfig(readFileSync(file, 'utf8'), file)
  const losses: [number, number][] = []
  const { directory } = await resultOf(runTraining(trainConfig({ ...config, dataset: text })), (event) => {
    if (event.type === 'step-done') losses.push([event.metrics.step, event.metrics.loss])
  })
  // What it makes of the first words of the text.
  const lm = await loadLm(directory)
  for await (const { text: words } of readDocuments(text)) {
    const { text: more, usage } = await collect(lm.generate({ prompt: words.slice(0, 40), maxNewTokens: 20 }))
    console.log(JSON.stringify(more), usage.completionTokens)
    break
  }

  // Smaller in three ways; each is a generator of the same events.
  const common = { model: directory, data: [text], samples: 4, maxLength: 32 }
  const tell = (event: WorkEvent): void => {
    if (event.type === 'saved') console.log(`${event.what} in ${event.path}`)
  }
  await resultOf(runPrune({ ...common, ratio: 0.1, out: `${directory}-pruned` }), tell)
  await resultOf(runSleb({ ...common, remove: 1, out: `${directory}-sleb` }), tell)
  await resultOf(runQuantize({ ...common, bits: 4, out: `${directory}-quantized` }), tell)

  // Work of one's own tells what it does in the same words.
  const page = eventsOf(async (watch) => {
    await turn(watch)
    const chart: ReportBlock = {
      kind: 'line-chart',
      title: 'Loss',
      x: 'step',
      y: 'nats',
      series: [{ name: 'loss', points: losses }],
    }
    const sections = [{ title: 'What was learnt', blocks: [chart] }]
    writeFileSync(`${directory}/loss.html`, renderReport({ title: 'A run', sections }))
    watch.tell({ type: 'saved', what: 'page', path: `${directory}/loss.html` })
  })
  for await (const event of page) console.log(event.type)
} catch (error) {
  console.error(describeError(error))
  process.exitCode = exitCodeOf(error)
}

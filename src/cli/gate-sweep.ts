// `anneal gate sweep --model DIR --records FILE --out PAGE`: every gate on the same questions.
import { type Command, defineCommand } from './command.ts'
import { GATE_OPTIONS } from './gate-options.ts'
import { MODEL_OPTIONS } from './lm-options.ts'

const { model, device, dtype } = MODEL_OPTIONS

export const command: Command = defineCommand({
  summary: 'measure every gate of retrieval on the same questions',
  options: {
    model,
    ...GATE_OPTIONS,
    device,
    dtype,
    out: { kind: 'text', value: 'PAGE', summary: 'the page; its figures go beside it as .json', required: true },
  },
  examples: ['gate sweep --model models/base --records answers.jsonl --out gates.html'],
  run: async ({ options, output }) => {
    const { runGateSweep } = await import('../run/gate/run-gate.ts')
    const { reportEvents } = await import('./report-events.ts')
    const { device, dtype, ...rest } = options
    await reportEvents(runGateSweep({ ...rest, device: device as 'auto', dtype: dtype as 'auto' }), output)
  },
})

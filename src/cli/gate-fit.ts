// `anneal gate fit --model DIR --records FILE --out FILE`: a probe that tells whether a question needs documents.
import { type Command, defineCommand } from './command.ts'
import { GATE_OPTIONS } from './gate-options.ts'
import { MODEL_OPTIONS } from './lm-options.ts'

const { model, device, dtype } = MODEL_OPTIONS

export const command: Command = defineCommand({
  summary: 'fit a probe that tells from a question whether documents are needed',
  options: {
    model,
    ...GATE_OPTIONS,
    device,
    dtype,
    layer: { kind: 'integer', value: 'N', summary: 'the block after which questions are read', default: 1, min: 0 },
    reading: {
      kind: 'choice',
      choices: ['alone', 'prompt'],
      summary: 'read the question alone, or in the chat prompt, which the answer then goes on from',
      default: 'alone',
    },
    out: { kind: 'text', value: 'FILE', summary: 'the probe, as safetensors', required: true },
  },
  examples: ['gate fit --model base --data q.jsonl --index my.index --records a.jsonl --out g.safetensors'],
  run: async ({ options, output }) => {
    const { fitGate } = await import('../run/gate/run-gate.ts')
    const { reportEvents } = await import('./report-events.ts')
    const { device, dtype, ...rest } = options
    await reportEvents(fitGate({ ...rest, device: device as 'auto', dtype: dtype as 'auto' }), output)
  },
})

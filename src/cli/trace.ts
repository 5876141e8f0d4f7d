// `anneal trace FILE`: what a program asked its models, read from a trace; as rows to train on, as spans, and played again.
import { UsageError } from '../errors.ts'
import { counted } from '../report/amounts.ts'
import { type Command, defineCommand } from './command.ts'
import { MODEL_OPTIONS } from './lm-options.ts'
import { openLm } from './open-lm.ts'

const { model, ...PLACE_OPTIONS } = MODEL_OPTIONS

export const command: Command = defineCommand({
  summary: 'what a program asked its models: read it, export it, make the calls again',
  positionals: { name: 'FILE', summary: 'trace that a program of anneal/prompting has written', min: 1, max: 1 },
  options: {
    sft: { kind: 'text', value: 'FILE', summary: 'write the answers that were taken as rows for stage sft' },
    dpo: { kind: 'text', value: 'FILE', summary: 'write pairs of taken and refused answers as rows for stage dpo' },
    otlp: {
      kind: 'text',
      value: 'FILE|URL',
      summary: 'write the calls as spans of OpenTelemetry, or post them to a collector such as http://127.0.0.1:4318',
    },
    content: { kind: 'flag', summary: 'with --otlp, the texts too' },
    replay: {
      kind: 'flag',
      summary: 'make the calls again on --model and compare each token; exit code 1 where one differs',
    },
    'any-revision': { kind: 'flag', summary: 'with --replay, on another version of the model too' },
    model: { kind: 'text', value: model.value, summary: model.summary },
    ...PLACE_OPTIONS,
  },
  examples: [
    'trace headline.jsonl',
    'trace headline.jsonl --sft rows.jsonl --dpo pairs.jsonl',
    'trace headline.jsonl --replay --model runs/demo/model',
  ],
  run: async ({ positionals, options, output }) => {
    const { sft, dpo, otlp, content, model, anyRevision } = options
    if (options.replay !== (model !== undefined))
      throw new UsageError(
        `--replay: expected it and --model together, got ${options.replay ? 'no model' : 'a model alone'}`,
      )
    const { readTrace, saveLines } = await import('../prompting/base/trace-file.ts')
    const { exportTrace } = await import('../prompting/base/export-trace.ts')
    const trace = readTrace(positionals[0]!)
    if (sft !== undefined) {
      const rows = exportTrace(trace, 'sft')
      saveLines(sft, '--sft', rows)
      const calls = trace.calls.filter(({ isWrapper }) => !isWrapper).length
      const left =
        rows.length < calls
          ? ` of ${counted(calls, 'call')}: what failed, was refused or cut at maxTokens is left out, and a conversation that goes on is one row`
          : ''
      output.note(`${sft}: ${counted(rows.length, 'row')}${left}`)
    }
    if (dpo !== undefined) {
      const rows = exportTrace(trace, 'dpo')
      saveLines(dpo, '--dpo', rows)
      output.note(`${dpo}: ${counted(rows.length, 'pair')}`)
    }
    if (otlp !== undefined) {
      const traces = exportTrace(trace, 'otlp', { content })
      const { sendSpans } = await import('../prompting/base/otlp.ts')
      if (/^https?:\/\//.test(otlp)) await sendSpans(otlp, traces)
      else saveLines(otlp, '--otlp', [traces])
      output.note(`${otlp}: ${counted(trace.calls.length + 1, 'span')}`)
    }
    if (model !== undefined) {
      const { replay, replayLine } = await import('../prompting/base/replay.ts')
      const replayed = await replay(trace, await openLm({ ...options, model }, output), { anyRevision })
      output.emit(replayed)
      output.result(replayLine(replayed))
      return replayed.difference === undefined ? 0 : 1
    }
    if ([sft, dpo, otlp].some((file) => file !== undefined)) return 0
    const { traceLines } = await import('../prompting/base/trace-lines.ts')
    output.emit(trace)
    output.result(traceLines(trace).join('\n'))
    return 0
  },
})

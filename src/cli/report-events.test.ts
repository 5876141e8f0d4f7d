import { describe, expect, it } from 'vitest'
import { textSink } from '../../test/run-command.ts'
import type { RunEvent } from '../run/train/run-events.ts'
import type { TrainEvent } from '../train/events.ts'
import { createOutput } from './output.ts'
import { reportEvents } from './report-events.ts'

const metrics = {
  step: 1,
  epoch: 0.5,
  loss: 3.21456,
  grad_norm: 1,
  learning_rate: 1e-3,
  num_tokens: 64,
  tokens_per_second: 14_620,
}

const training: TrainEvent[] = [
  { type: 'run-start', steps: 2, startStep: 0, parameters: 1_173_120, trainableParameters: 1_173_120 },
  { type: 'notice', message: 'micro_batch_size (axolotl) is called per_device_train_batch_size here' },
  { type: 'step-done', metrics, seconds: 0.1 },
  { type: 'step-skipped', step: 1, reason: 'gradient norm is NaN' },
  { type: 'evaluation-done', step: 2, epoch: 1, metrics: { eval_loss: 3.04123456, eval_tokens: 4096 }, isBest: true },
  { type: 'sample', step: 2, prompt: 'Once', text: ' upon\na \u001b[2Jtime' },
  { type: 'checkpoint-saved', step: 2, path: 'runs/a/checkpoint-2', seconds: 0.31 },
  { type: 'checkpoint-failed', step: 2, message: 'no space left', error: new Error('ENOSPC') },
  { type: 'run-end', step: 2, reason: 'finished', metrics: { train_loss: 3.2 } },
]

const search: RunEvent[] = [
  { type: 'started', work: 'sleb', message: 'calibration: 8 windows of 64 tokens' },
  { type: 'progress', label: 'searching', done: 1, total: 4, unit: 'batches', seconds: 0, rate: 0 },
  { type: 'row', table: 'removed', row: { block: 'layers.2', perplexity: 9.5, back: null } },
  { type: 'progress', label: 'searching', done: 4, total: 4, unit: 'batches', seconds: 1, rate: 3 },
  { type: 'row', table: 'removed', row: { block: 'layers.10', perplexity: 12.25, back: 'layers.2' } },
  { type: 'saved', what: 'model', path: 'runs/\u202egnp', seconds: 2 },
  { type: 'result', result: { out: 'runs/x', perplexity: 12.25 }, lines: ['12.25', '→ runs/x'] },
]

async function report(list: readonly RunEvent[], { isJson = false, isTTY = false, environment = {} } = {}) {
  const [stdout, stderr] = [textSink(isTTY), textSink(isTTY)]
  async function* source(): AsyncGenerator<RunEvent, number> {
    yield* list
    return 7
  }
  const value = await reportEvents(source(), createOutput(isJson, stdout, stderr, environment))
  expect(value).toBe(7)
  return { out: stdout.text, err: stderr.text, lines: stderr.text.trimEnd().split('\n') }
}

const parsed = (text: string): unknown[] =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))

describe('the events of a training run', () => {
  it('are lines for people on standard error', async () => {
    const { out, lines } = await report(training)
    expect(out).toBe('')
    expect(lines[0]).toBe('1.17 M parameters, all trained; 2 steps')
    expect(lines[1]).toMatch(/^training {2}0 % /)
    expect(lines[2]).toMatch(/^notice: micro_batch_size/)
    expect(lines.slice(3, 8)).toEqual([
      'step 1: skipped, gradient norm is NaN',
      'step 2: evaluation  eval_loss 3.0412  eval_tokens 4096  (best so far)',
      'step 2: sample  Once│ upon ⏎ a \\u001b[2Jtime',
      'step 2: saved runs/a/checkpoint-2 in 0.3 s',
      'step 2: could not save a checkpoint: no space left',
    ])
    expect(lines.at(-2)).toMatch(/^training {2}50 % {2}1\/2 steps .*in .*loss 3\.215 {2}tokens\/s 14\.6 k$/)
    expect(lines.at(-1)).toBe('finished after step 2  train_loss 3.2')
  })

  it('are JSON lines with --json, and notices for people', async () => {
    const { out, err } = await report(training, { isJson: true })
    expect(err).toBe('notice: micro_batch_size (axolotl) is called per_device_train_batch_size here\n')
    expect(parsed(out)).toEqual(training.map((event) => ('error' in event ? { ...event, error: 'ENOSPC' } : event)))
  })

  it('say what share is trained and where a run goes on', async () => {
    const start: TrainEvent = { type: 'run-start', steps: 10, startStep: 4, parameters: 1000, trainableParameters: 15 }
    expect((await report([start])).lines[0]).toBe('1,000 parameters, 1.50 % trained; 10 steps, going on after step 4')
    for (const startStep of [10, 12])
      expect((await report([{ ...start, startStep }])).lines[0]).toBe(
        `1,000 parameters, 1.50 % trained; 10 steps, going on after step ${startStep}, which leaves nothing to train`,
      )
  })
})

describe('the events of other long work', () => {
  it('are a bar that ends with its time, a table whose columns stand below each other, and a result', async () => {
    const { out, lines } = await report(search)
    expect(lines[0]).toBe('calibration: 8 windows of 64 tokens')
    expect(lines[1]).toMatch(/^searching {2}25 % {2}1\/4 batches/)
    expect(lines.slice(2, 4)).toEqual(['block     perplexity  back', 'layers.2         9.5     –'])
    expect(lines[4]).toMatch(/^searching {2}100 % {2}4\/4 batches .*in /)
    expect(lines.slice(5)).toEqual(['layers.10       12.25  layers.2', 'saved model runs/\\u202egnp in 2.0 s'])
    expect(out).toBe('12.25\n→ runs/x\n')
  })

  it("are JSON lines but for progress, the result's own object last", async () => {
    const { out, err } = await report(search, { isJson: true })
    expect(err).toBe('calibration: 8 windows of 64 tokens\n')
    const told = search.filter(({ type }) => type !== 'progress')
    expect(parsed(out)).toEqual([...told.slice(0, -1), { out: 'runs/x', perplexity: 12.25 }])
  })

  it('start a new bar with each label, and none again for one that is full', async () => {
    const progress = (label: string, done: number): RunEvent => {
      return { type: 'progress', label, done, total: 2, unit: 'windows', seconds: 0, rate: 0 }
    }
    const { lines } = await report([progress('a', 2), progress('a', 2), progress('b', 1)])
    expect(lines.map((line) => line.slice(0, 6))).toEqual(['a  100', 'a  100', 'b  50 ', 'b  50 '])
  })

  it('leave the terminal as it was when the work throws', async () => {
    const stream = textSink(true)
    async function* failing(): AsyncGenerator<RunEvent> {
      yield search[1]!
      throw new Error('out of luck')
    }
    const before = process.listenerCount('SIGINT')
    await expect(reportEvents(failing(), createOutput(false, stream, stream))).rejects.toThrow('out of luck')
    expect(process.listenerCount('SIGINT')).toBe(before)
    expect(stream.text).toContain('searching  25 %')
  })
})

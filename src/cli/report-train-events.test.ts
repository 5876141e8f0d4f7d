import { describe, expect, it } from 'vitest'
import type { TrainEvent } from '../train/events.ts'
import { createOutput } from './output.ts'
import { reportTrainEvents } from './report-train-events.ts'

const metrics = {
  step: 1,
  epoch: 0.5,
  loss: 3.21456,
  grad_norm: 1,
  learning_rate: 1e-3,
  num_tokens: 64,
  tokens_per_second: 14_620,
}

const events: TrainEvent[] = [
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

async function report(list: readonly TrainEvent[], isJson: boolean) {
  const written = { out: '', err: '' }
  const stdout = { write: (text: string) => (written.out += text) }
  const stderr = { write: (text: string) => (written.err += text) }
  async function* source() {
    yield* list
  }
  const passed: TrainEvent[] = []
  for await (const event of reportTrainEvents(source(), createOutput(isJson, stdout, stderr))) passed.push(event)
  return { ...written, passed }
}

describe('reportTrainEvents', () => {
  it('writes lines for people to standard error and passes every event on', async () => {
    const { out, err, passed } = await report(events, false)
    expect(out).toBe('')
    expect(passed).toEqual(events)
    const lines = err.trimEnd().split('\n')
    expect(lines[0]).toBe('1.17 M parameters, all trained; 2 steps')
    expect(lines[1]).toMatch(/^micro_batch_size/)
    expect(lines[2]).toMatch(/^training {2}50 % {2}1\/2 steps .*loss 3\.215 {2}tokens\/s 14\.6 k$/)
    expect(lines.slice(3, 8)).toEqual([
      'step 1: skipped, gradient norm is NaN',
      'step 2: evaluation  eval_loss 3.0412  eval_tokens 4096  (best so far)',
      'step 2: sample  Once│ upon ⏎ a �[2Jtime',
      'step 2: saved runs/a/checkpoint-2 in 0.3 s',
      'step 2: could not save a checkpoint: no space left',
    ])
    expect(lines.at(-1)).toBe('finished after step 2  train_loss 3.2')
  })

  it('writes every event as a JSON line and nothing for people with --json', async () => {
    const { out, err } = await report(events, true)
    expect(err).toBe('')
    expect(
      out
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line)),
    ).toEqual(events.map((event) => ('error' in event ? { ...event, error: 'ENOSPC' } : event)))
  })

  it('says what share is trained and where a run goes on', async () => {
    const start: TrainEvent = { type: 'run-start', steps: 10, startStep: 4, parameters: 1000, trainableParameters: 15 }
    expect((await report([start], false)).err.split('\n')[0]).toBe(
      '1000 parameters, 1.50 % trained; 10 steps, going on after step 4',
    )
  })

  it('ends the bar when training throws', async () => {
    let err = ''
    const stderr = { isTTY: true, write: (text: string) => (err += text) }
    async function* failing(): AsyncGenerator<TrainEvent> {
      yield events[0]!
      throw new Error('out of luck')
    }
    const before = process.listenerCount('SIGINT')
    const run = async () => {
      for await (const _ of reportTrainEvents(failing(), createOutput(false, stderr, stderr)));
    }
    await expect(run()).rejects.toThrow('out of luck')
    expect(process.listenerCount('SIGINT')).toBe(before)
    expect(err).toContain('training  0 %')
  })
})

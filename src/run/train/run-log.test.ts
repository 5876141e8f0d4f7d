import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseConfig } from '../../config/parse.ts'
import { RunLog } from './run-log.ts'

let directory: string
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'anneal-log-'))
})
afterAll(() => rmSync(directory, { recursive: true }))

function logOf(resumed?: string): RunLog {
  const config = { stage: 'pretrain', model_name_or_path: 'm', dataset: 'd', output_dir: directory, logging_steps: 4 }
  return new RunLog(parseConfig(JSON.stringify(config), 'c').config, 8, () => {}, resumed)
}

function take(log: RunLog, step: number, more: Record<string, number> = {}): void {
  const rest = { epoch: 1, grad_norm: 1, learning_rate: 1, num_tokens: step, tokens_per_second: 1 }
  log.take({ type: 'step-done', metrics: { step, loss: step, ...rest, ...more }, seconds: 1 })
}

describe('RunLog', () => {
  it('takes the mean of a metric over the steps that have it', () => {
    const log = logOf()
    for (const step of [1, 2, 3, 4]) take(log, step, step === 2 ? { 'dropbp/rate/0': 0.75 } : {})
    expect(log.state.log_history).toMatchObject([{ step: 4, loss: 2.5, 'dropbp/rate/0': 0.75 }])
  })

  it('goes on from a checkpoint with what was not logged yet and with what the model said', () => {
    const log = logOf()
    take(log, 1)
    take(log, 2, { extra: 6 })
    const sample = { step: 2, prompt: 'p', text: 't' }
    log.take({ type: 'sample', ...sample })
    log.write(directory, 2)
    const resumed = logOf(directory)
    take(resumed, 3, { extra: 8 })
    take(resumed, 4)
    expect(resumed.state.log_history).toMatchObject([{ step: 4, loss: 2.5, extra: 7 }])
    expect(resumed.samples).toEqual([sample])
  })
})

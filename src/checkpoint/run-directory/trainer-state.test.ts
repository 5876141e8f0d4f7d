import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { CheckpointError } from '../../errors.ts'
import { readTrainerState, TRAINER_STATE, trainerState, writeTrainerState } from './trainer-state.ts'

const directory = mkdtempSync(join(tmpdir(), 'anneal-state-'))
afterAll(() => rmSync(directory, { recursive: true }))

// What json.dumps(dataclasses.asdict(TrainerState(log_history=[{"step": 1, "loss": 1.5}])), indent=2, sort_keys=True)
// of Transformers 5.18 gives.
const GOLDEN = `{
  "best_global_step": null,
  "best_metric": null,
  "best_model_checkpoint": null,
  "epoch": 0,
  "eval_steps": 500,
  "global_step": 0,
  "is_hyper_param_search": false,
  "is_local_process_zero": true,
  "is_world_process_zero": true,
  "log_history": [
    {
      "loss": 1.5,
      "step": 1
    }
  ],
  "logging_steps": 500,
  "max_steps": 0,
  "num_input_tokens_seen": 0,
  "num_train_epochs": 0,
  "save_steps": 500,
  "stateful_callbacks": {},
  "total_flos": 0,
  "train_batch_size": null,
  "trial_name": null,
  "trial_params": null
}
`

const write = (text: string): void => writeFileSync(join(directory, TRAINER_STATE), text)

describe('trainer_state.json', () => {
  it('is written as Transformers writes it: every key, sorted, indent 2', () => {
    writeTrainerState(directory, trainerState({ log_history: [{ step: 1, loss: 1.5 }] }))
    expect(readFileSync(join(directory, TRAINER_STATE), 'utf8')).toBe(GOLDEN)
  })

  it('round-trips, with keys it does not know', () => {
    const state = trainerState({ global_step: 7, epoch: 0.5, stateful_callbacks: { x: { args: {} } }, ours: 1 })
    writeTrainerState(directory, state)
    expect(readTrainerState(directory)).toEqual(state)
  })

  it('reads the bare NaN and Infinity that Python writes', () => {
    write(GOLDEN.replace('"loss": 1.5', '"grad_norm": -Infinity,\n      "loss": NaN'))
    expect(readTrainerState(directory).log_history).toEqual([{ grad_norm: null, loss: null, step: 1 }])
  })

  it('writes a loss that is not finite as null', () => {
    writeTrainerState(directory, { ...trainerState(), log_history: [{ loss: Number.NaN, step: 1 }] })
    expect(readTrainerState(directory).log_history).toEqual([{ loss: null, step: 1 }])
  })

  it.each([
    ['no JSON', '{', /not JSON/],
    ['a wrong type', '{"global_step": "7"}', /global_step/],
    ['a list', '[]', /top/],
  ])('refuses %s', (_, text, message) => {
    write(text)
    expect(() => readTrainerState(directory)).toThrow(CheckpointError)
    expect(() => readTrainerState(directory)).toThrow(message)
  })

  it('says when there is none', () => {
    expect(() => readTrainerState(join(directory, 'absent'))).toThrow(/ENOENT/)
  })
})

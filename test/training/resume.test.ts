// Exact resume: a run that stops and goes on through real files ends with the bits of the run that never stopped.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { ofType, TINY_WITH_DROPOUT } from './tiny-model.ts'
import { annealHere, endOf, makeWorkspace, resultOf, startAnneal, type Workspace } from './tiny-run.ts'

// Every checkpoint waits for the disk some ten times, which a busy one makes long.
vi.setConfig({ testTimeout: 300_000 })

let workspace: Workspace
beforeAll(async () => {
  workspace = await makeWorkspace()
})
afterAll(() => workspace.remove())

const { vocab_size: _, ...gpt2 } = TINY_WITH_DROPOUT
// The corpus has some 130 blocks: 17 batches of 8 or 5 of 32, of which the last is short, as are steps of 3 batches at the end of an epoch.
const modes: [string, Record<string, unknown>][] = [
  ['f32', {}],
  ['accumulation', { gradient_accumulation_steps: 2 }],
  ['gradient checkpointing', { gradient_checkpointing: true }],
  ['dropout', { model: gpt2 }],
  ['dropout and gradient checkpointing', { model: gpt2, gradient_checkpointing: true }],
  ['bf16', { bf16: true }],
  ['several epochs', { per_device_train_batch_size: 32 }],
  ['short last steps of several epochs', { per_device_train_batch_size: 32, gradient_accumulation_steps: 3 }],
  ['accumulation longer than an epoch', { per_device_train_batch_size: 32, gradient_accumulation_steps: 9 }],
  ['a warm-up and a cosine', { lr_scheduler_type: 'cosine', warmup_steps: 3, weight_decay: 0.1 }],
  [
    'evaluation and the best checkpoint',
    {
      val_split: 0.2,
      eval_strategy: 'steps',
      eval_steps: 3,
      learning_rate: 0.3, // so large that a late evaluation is not the best
      load_best_model_at_end: true,
      save_total_limit: 1,
      early_stopping_patience: 9,
    },
  ],
]

describe.each(modes)('a run with %s', (mode, config) => {
  const name = mode.replaceAll(' ', '-')
  const straight = async (): Promise<{ losses: number[]; result: Record<string, unknown> }> => {
    const { code, events, err } = await annealHere(workspace.words(name, config))
    expect(code, err).toBe(0)
    return {
      losses: ofType(events, 'step-done').map(({ metrics }) => metrics.loss),
      result: resultOf(workspace.outputOf(name), 8),
    }
  }

  it('ends with the same bits when it stops after steps 1, 4 and 7 and goes on', async () => {
    const { losses, result } = await straight()
    const words = workspace.words(`${name}-again`, config)
    const seen: number[] = []
    for (const [i, step] of [1, 4, 7, undefined].entries()) {
      const resume = i === 0 ? [] : ['--resume_from_checkpoint', 'auto']
      const { code, events, err } = await annealHere([...words, ...resume], step)
      expect(code, err).toBe(step === undefined ? 0 : 143)
      seen.push(...ofType(events, 'step-done').map(({ metrics }) => metrics.loss))
    }
    expect(seen).toEqual(losses) // the same batches in the same order
    expect(resultOf(workspace.outputOf(`${name}-again`), 8)).toEqual(result)
    expect(new Set(losses).size).toBe(8)
  })
})

describe('a resumed run', () => {
  it('goes on from a checkpoint that is named, whatever its folder has since', async () => {
    const words = workspace.words('named')
    expect((await annealHere(words)).code).toBe(0)
    const before = resultOf(workspace.outputOf('named'), 8)
    const checkpoint = join(workspace.outputOf('named'), 'checkpoint-3')
    const again = await annealHere([...words, '--resume_from_checkpoint', checkpoint])
    expect(again.code, again.err).toBe(0)
    expect(ofType(again.events, 'run-start')[0]).toMatchObject({ startStep: 3 })
    expect(resultOf(workspace.outputOf('named'), 8)).toEqual(before)
  })

  it('draws its whole history, as the run does that never stopped', async () => {
    const lossOf = (name: string): string => {
      const html = readFileSync(join(workspace.outputOf(name), 'training.html'), 'utf8')
      return html.split('<figure>').find((figure) => figure.includes('<h3>Loss</h3>'))!
    }
    const config = { logging_steps: 1 }
    expect((await annealHere(workspace.words('drawn', config))).code).toBe(0)
    const words = workspace.words('drawn-again', config)
    const { code, err } = await annealHere(words, 5)
    expect(code, err).toBe(143)
    expect(err).toMatch(
      /\ncharts of the run: .*training\.html\nto go on: anneal train \S+drawn-again\.yaml --resume_from_checkpoint auto\n$/,
    )
    expect(lossOf('drawn-again')).toMatch(/training from \S+ at 1 to \S+ at 5\./)
    expect((await annealHere([...words, '--resume_from_checkpoint', 'auto'])).code).toBe(0)
    expect(lossOf('drawn-again')).toMatch(/training from \S+ at 1 to \S+ at 8\./)
    expect(lossOf('drawn-again')).toBe(lossOf('drawn'))
  })

  it('only writes the final model when nothing is left to do', async () => {
    const words = workspace.words('complete')
    await annealHere(words, 8) // the signal comes after the last step, before the final model
    expect(existsSync(join(workspace.outputOf('complete'), 'model.safetensors'))).toBe(false)
    const { code, events } = await annealHere([...words, '--resume_from_checkpoint', 'auto'])
    expect(code).toBe(0)
    const told = ['data-read', 'memory', 'saved', 'fingerprint']
    expect(events.map(({ type }) => type)).toEqual([
      'started',
      ...told.slice(0, 2),
      'run-start',
      'run-end',
      'saved',
      'fingerprint',
      'saved',
    ])
    expect((await annealHere(workspace.words('complete-straight'))).code).toBe(0)
    expect(resultOf(workspace.outputOf('complete'), 8)).toEqual(resultOf(workspace.outputOf('complete-straight'), 8))
  })

  it('leaves the record of a finished run as it is, and says that nothing is left to do', async () => {
    const words = workspace.words('record')
    await annealHere(words)
    const files = (): [string, string][] =>
      readdirSync(workspace.outputOf('record'), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map(({ parentPath, name }): [string, string] => [
          join(parentPath, name),
          readFileSync(join(parentPath, name), 'base64'),
        ])
        .sort()
    const before = files()
    const { code, err, events } = await annealHere([...words, '--resume_from_checkpoint', 'auto'])
    expect(code, err).toBe(0)
    expect(err).toMatch(/^notice: nothing is left to do: \S+record has the final model of this run after step 8, /m)
    expect(ofType(events, 'run-start')).toEqual([])
    expect(files()).toEqual(before)
    // With more steps there is.
    const more = await annealHere([...words, '--resume_from_checkpoint', 'auto', '--max_steps', '9'])
    expect(ofType(more.events, 'run-end')[0], more.err).toMatchObject({ reason: 'finished', step: 9 })
  })

  it('starts from the beginning where there is no checkpoint yet, and says so', async () => {
    const { code, err } = await annealHere([...workspace.words('first'), '--resume_from_checkpoint', 'auto'])
    expect(code).toBe(0)
    expect(err).toContain('notice: no whole checkpoint in ')
  })

  it('that had stopped early does not go on', async () => {
    const config = {
      val_split: 0.2,
      eval_strategy: 'steps',
      eval_steps: 1,
      learning_rate: 5,
      max_grad_norm: 0,
      early_stopping_patience: 1,
      max_steps: 30,
      save_steps: 100,
    }
    const words = workspace.words('early', config)
    const { events } = await annealHere(words)
    const [end] = ofType(events, 'run-end')
    expect(end).toMatchObject({ reason: 'early-stopping' })
    const again = await annealHere([...words, '--resume_from_checkpoint', 'auto'])
    expect(again.code, again.err).toBe(0)
    expect(again.err).toContain(`final model of this run after step ${end!.step}, and its files stay as they are`)
    expect(ofType(again.events, 'run-start')).toEqual([])
    const state = JSON.parse(readFileSync(join(workspace.outputOf('early'), 'trainer_state.json'), 'utf8'))
    expect(state).toMatchObject({ global_step: end!.step, max_steps: 30 })
  })

  it('says that bits are not promised with another number of threads', async () => {
    const words = workspace.words('threads')
    await annealHere(words, 2)
    const { code, err } = await annealHere([...words, '--resume_from_checkpoint', 'auto', '--threads', '2'])
    await annealHere([...words, '--resume_from_checkpoint', 'auto', '--threads', '1'])
    expect(code).toBe(0)
    expect(err).toMatch(
      /notice: saved with LibTorch \S+ on cpu \(\w+\) with 1 threads, now LibTorch \S+ on cpu \(\w+\) with 2 threads: bit-equal results are not promised/,
    )
  })

  it('is refused from a checkpoint of weights only', async () => {
    const words = workspace.words('weights-only', { save_only_model: true })
    await annealHere(words, 4)
    const { code, err } = await annealHere([...words, '--resume_from_checkpoint', 'auto'])
    expect(code).toBe(2)
    expect(err).toMatch(/^error: resume_from_checkpoint: .* which was saved with save_only_model\n$/m)
  })

  it('is wanted when a new run finds checkpoints in its folder', async () => {
    const words = workspace.words('twice')
    await annealHere(words)
    const names = readdirSync(workspace.outputOf('twice'))
    const { code, err } = await annealHere(words)
    expect(code).toBe(2)
    expect(err).toMatch(
      /^error: output_dir: expected a folder without checkpoints for a new run, got .*checkpoint-3\. Go on with/m,
    )
    expect(readdirSync(workspace.outputOf('twice'))).toEqual(names)
  })

  it('is the same from a process of its own', async () => {
    const words = workspace.words('process', { model: gpt2 })
    const first = await endOf(startAnneal(words, { ANNEAL_FAULT: 'directory-renamed:2' }))
    expect(first.signal).toBe('SIGKILL') // right after checkpoint-6
    const second = await endOf(startAnneal([...words, '--resume_from_checkpoint', 'auto']))
    expect(second.code, second.err).toBe(0)
    expect(ofType(second.events, 'run-start')[0]).toMatchObject({ startStep: 6 })
    expect((await annealHere(workspace.words('in-process', { model: gpt2 }))).code).toBe(0)
    expect(resultOf(workspace.outputOf('process'), 8)).toEqual(resultOf(workspace.outputOf('in-process'), 8))
  })
})

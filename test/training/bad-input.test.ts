// What `anneal train` and `anneal tokenizer train` say about input that cannot be right: one line, the right exit code, and not a
// byte written.
import { cpSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { totalmem } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { engineInfo } from '../../src/torch/index.ts'
import { ofType, TINY, TINY_WITH_DROPOUT } from './tiny-model.ts'
import { annealHere, corpus, makeWorkspace, type Workspace } from './tiny-run.ts'

let workspace: Workspace
const at = (name: string): string => join(workspace.directory, name)
beforeAll(async () => {
  workspace = await makeWorkspace()
  writeFileSync(at('empty.jsonl'), '')
  writeFileSync(at('blank.jsonl'), '{"text": ""}\n')
  writeFileSync(at('file'), 'a file, no folder')
  writeFileSync(at('other.jsonl'), '{"content": "no field of the name text"}\n')
  writeFileSync(at('noise.parquet'), 'PAR1 and then nothing of the kind')
  mkdirSync(at('nothing-here'))
  mkdirSync(at('broken-model'))
  cpSync(at('tokenizer'), at('broken-model'), { recursive: true })
  writeFileSync(at('broken-model/config.json'), JSON.stringify(TINY))
  writeFileSync(at('broken-model/model.safetensors'), 'not a header')
  writeFileSync(at('bad.yaml'), 'stage: pretrain\n  model: tiny\n')
  mkdirSync(at('a-run/checkpoint-3'), { recursive: true })
})
afterAll(() => workspace.remove())

interface Case {
  config?: Record<string, unknown>
  words?: string[]
  code: number
  message: RegExp
  only?: () => boolean
}

const { vocab_size: _, ...gpt2 } = TINY_WITH_DROPOUT
const cases: Record<string, (at: (name: string) => string) => Case> = {
  'a data set that is not there': (at) => ({
    config: { dataset: at('nowhere.jsonl') },
    code: 3,
    message: /nowhere\.jsonl.*expected/,
  }),
  'an empty data set': (at) => ({
    config: { dataset: at('empty.jsonl') },
    code: 3,
    message: /^error: data in .*empty\.jsonl: /,
  }),
  'texts without a word': (at) => ({
    config: { dataset: at('blank.jsonl') },
    code: 3,
    message: /^error: dataset .*blank\.jsonl: expected text to train on, got none/,
  }),
  'an empty folder': (at) => ({ config: { dataset: at('nothing-here') }, code: 3, message: /nothing-here/ }),
  'rows without text': (at) => ({ config: { dataset: at('other.jsonl') }, code: 3, message: /text/ }),
  'a file that is not what its name says': (at) => ({
    config: { dataset: at('noise.parquet') },
    code: 3,
    message: /noise\.parquet/,
  }),
  'blocks longer than the text': () => ({
    config: { max_length: 100_000 },
    code: 2,
    message:
      /^error: dataset: expected at least one block of 100000 tokens, got [\d,]+ tokens\. Give more text, or lower max_length$/,
  }),
  'more tokens than learned positions': () => ({
    config: { model: gpt2, max_length: 65, per_device_train_batch_size: 1 },
    code: 2,
    message: /^error: max_length: expected at most the model's 64 positions, got 65/,
  }),
  'nothing held out': () => ({
    config: { val_split: 1e-9, eval_strategy: 'steps' },
    code: 2,
    message: /^error: val_split: expected text to evaluate on, got 0 documents/,
  }),
  'a vocabulary larger than the model': () => ({
    config: { model: { ...gpt2, vocab_size: 100 } },
    code: 2,
    message: /^error: tokenizer_name_or_path: expected at most the model's 100 ids \(vocab_size\), got 300/,
  }),
  'an unknown model_type': () => ({
    config: { model: { model_type: 'mamba' } },
    code: 3,
    message: /model_type.*mamba/,
  }),
  'a model without its sizes': () => ({
    config: { model: { model_type: 'llama' } },
    code: 3,
    message: /hidden_size/,
  }),
  'a model that is not there': (at) => ({
    config: { model: undefined, model_name_or_path: at('nowhere') },
    code: 3,
    message: /nowhere/,
  }),
  'weights that are no weights': (at) => ({
    config: { model: undefined, tokenizer_name_or_path: undefined, model_name_or_path: at('broken-model') },
    code: 3,
    message: /broken-model\/model\.safetensors/,
  }),
  'a tokenizer that is not there': (at) => ({
    config: { tokenizer_name_or_path: at('nowhere') },
    code: 3,
    message: /nowhere/,
  }),
  'a checkpoint that is not there': (at) => ({
    config: { resume_from_checkpoint: at('nowhere/checkpoint-7') },
    code: 3,
    message: /nowhere\/checkpoint-7, which is not there/,
  }),
  'a checkpoint with nothing in it': (at) => ({
    config: { resume_from_checkpoint: at('a-run/checkpoint-3') },
    code: 4,
    message: /checkpoint-3\/manifest\.json: expected a manifest/,
  }),
  'a file in the place of the folder': (at) => ({
    config: { output_dir: at('file') },
    code: 2,
    message: /^error: output_dir: expected a folder that can be written, got .*file \(ENOTDIR\)/,
  }),
  'a folder below a file': (at) => ({
    config: { output_dir: at('file/below') },
    code: 2,
    message: /^error: output_dir: expected a folder that can be written, got .*below \(ENOTDIR\)/,
  }),
  'a folder where nothing can be made': () => ({
    config: { output_dir: '/proc/anneal' },
    code: 2,
    message: /^error: output_dir: expected a folder that can be written, got \/proc\/anneal/,
  }),
  'a GPU that is not there': () => ({
    config: { device: 'cuda' },
    code: 2,
    message: /^error: device: expected a CUDA device, got none/,
    only: () => engineInfo().cudaDevices === 0,
  }),
  'a configuration that is not there': (at) => ({
    words: ['train', at('nowhere.yaml')],
    code: 3,
    message: /^error: configuration .*nowhere\.yaml: expected a YAML file, got nothing/,
  }),
  'a configuration that is no YAML': (at) => ({
    words: ['train', at('bad.yaml')],
    code: 2,
    message: /bad\.yaml:\d+:\d+\)$/,
  }),
  'an unknown key': () => ({ config: { learning_rat: 1 }, code: 2, message: /learning_rate/ }),
  'a value of the wrong kind': () => ({ config: { max_steps: 'many' }, code: 2, message: /max_steps/ }),
  'a floor that the schedule does not have': () => ({
    config: { lr_scheduler_type: 'linear', lr_scheduler_kwargs: { min_lr: 1 } },
    code: 2,
    message: /lr_scheduler_kwargs/,
  }),
}

describe('anneal train', () => {
  it.each(Object.keys(cases))('refuses %s', async (name) => {
    const { config = {}, words, code, message, only } = cases[name]!(at)
    if (only?.() === false) return
    const output = `out-${name.replaceAll(' ', '-')}`
    const ended = await annealHere(words ?? workspace.words(output, config))
    const errors = ended.err
      .trimEnd()
      .split('\n')
      .filter((line) => line.startsWith('error: '))
    expect(ended.code, ended.err).toBe(code)
    expect(errors.length).toBe(1)
    expect(ended.err.trimEnd().split('\n').at(-1)).toBe(errors[0])
    expect(errors[0]).toMatch(message)
    expect(ended.events.filter(({ type }) => type === 'run-start')).toEqual([])
    expect(ended.out.split('\n').length - 1).toBe(ended.events.length) // nothing but what was told before the error
    // Nothing but the lines that are at fault, if there are any.
    const left = existsSync(workspace.outputOf(output)) ? readdirSync(workspace.outputOf(output)) : ['quarantine']
    expect(left).toEqual(['quarantine'])
  })

  it('leaves a folder that was there as it was', async () => {
    const output = workspace.outputOf('mine')
    mkdirSync(output)
    const { code } = await annealHere(workspace.words('mine', { dataset: at('empty.jsonl') }))
    expect(code).toBe(3)
    expect(readdirSync(output)).toEqual([])
  })

  it('makes folders above the output and takes them away again', async () => {
    const config = { output_dir: at('deep/er/est'), dataset: at('empty.jsonl') }
    expect((await annealHere(workspace.words('deep', config))).code).toBe(3)
    expect(existsSync(at('deep'))).toBe(false)
    expect((await annealHere(workspace.words('deep', { ...config, dataset: at('corpus.jsonl') }))).code).toBe(0)
    expect(existsSync(at('deep/er/est/model.safetensors'))).toBe(true)
    rmSync(at('deep'), { recursive: true })
  })

  it('keeps the bad lines for its user when there are too many of them', async () => {
    writeFileSync(at('mostly-bad.jsonl'), `${corpus(3)}${'{"text": \n'.repeat(30)}`)
    const { code, err } = await annealHere(workspace.words('mostly-bad', { dataset: at('mostly-bad.jsonl') }))
    expect(code, err).toBe(3)
    expect(readdirSync(workspace.outputOf('mostly-bad'))).toEqual(['quarantine'])
  })

  it('says in one line that memory is too small, with what to change, and the process goes on', async () => {
    // One activation of the MLP, [tokens, intermediate], takes twice the machine's memory; it is refused before it is touched.
    const tokens = 65_536
    const config = {
      model: {
        ...TINY,
        vocab_size: 300,
        num_hidden_layers: 1,
        intermediate_size: Math.ceil((2 * totalmem()) / (4 * tokens)),
      },
      dataset: at('many.jsonl'),
      per_device_train_batch_size: tokens / 16,
    }
    writeFileSync(at('many.jsonl'), corpus(1300))
    const { code, err, events } = await annealHere(workspace.words('memory', config))
    expect(code, err).toBe(7)
    expect(err.trimEnd().split('\n').at(-1)).toMatch(
      /^error: out of memory in [^:]+::\w+\(.*\): asked for \d+ MiB with \d+ MiB in use, of \d+ MiB\. .*batch.*max_length.*gradient_checkpointing.* For this run: .*per_device_train_batch_size: 2048 with gradient_accumulation_steps: 2 frees about \d/,
    )
    expect(ofType(events, 'run-start')).toEqual([]) // before the first step
    expect(existsSync(workspace.outputOf('memory'))).toBe(false)
    expect((await annealHere(workspace.words('after-memory'))).code).toBe(0)
  })
})

describe('anneal tokenizer train', () => {
  const refused: [string, (at: (name: string) => string) => string[], number, RegExp][] = [
    ['text that is not there', (at) => [at('nowhere.txt')], 3, /nowhere\.txt/],
    ['an empty text', (at) => [at('empty.jsonl')], 3, /empty\.jsonl/],
    ['a vocabulary below the bytes', (at) => [at('corpus.jsonl'), '--vocab-size', '100'], 2, /vocab-size/],
    [
      'a pre-tokenizer that nobody knows',
      (at) => [at('corpus.jsonl'), '--pre-tokenizer', 'spaces'],
      2,
      /pre-tokenizer/,
    ],
    [
      'a folder that cannot be written',
      (at) => [at('corpus.jsonl'), '--out', at('file/below')],
      2,
      /^error: --out: expected a folder that can be written, got .*file\/below/,
    ],
  ]
  it.each(refused)('refuses %s', async (_name, words, code, message) => {
    const out = at('refused-tokenizer')
    const given = words(at)
    const ended = await annealHere(['tokenizer', 'train', ...(given.includes('--out') ? [] : ['--out', out]), ...given])
    expect(ended.code, ended.err).toBe(code)
    expect(ended.err.trimEnd().split('\n').at(-1)).toMatch(message)
    expect(ended.err.split('\n').filter((line) => line.startsWith('error: ')).length).toBe(1)
    expect(existsSync(out)).toBe(false)
  })
})

// What a run says before its first step of things that are allowed and easily not meant.
import { cpSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { TINY_CHAT_TEMPLATE, tinyModelDirectory, tinyTokenizer } from '../tiny-model.ts'
import { annealHere, type Ended } from './tiny-run.ts'

let model: Awaited<ReturnType<typeof tinyModelDirectory>>
const at = (name: string): string => join(model.directory, name)
beforeAll(async () => {
  model = await tinyModelDirectory()
  const messages = [
    { role: 'user', content: 'Say 5.' },
    { role: 'assistant', content: 'Five.' },
  ]
  writeFileSync(at('chats.jsonl'), `${JSON.stringify({ messages })}\n`.repeat(8))
  writeFileSync(at('held.jsonl'), `${JSON.stringify({ messages })}\n`.repeat(2))
  writeFileSync(at('rows.jsonl'), `${JSON.stringify({ prompt: 'Say 5:', completion: ' 5' })}\n`.repeat(8))
})
afterAll(() => model.remove())

/** What a run of these keys says before its first step. */
async function said(config: Record<string, unknown>, words = ['--dry-run']): Promise<Ended & { notices: string[] }> {
  const defaults = {
    stage: 'sft',
    finetuning: 'lora',
    model_name_or_path: model.directory,
    max_length: 64,
    device: 'cpu',
  }
  const file = at('run.yaml')
  writeFileSync(file, JSON.stringify({ ...defaults, dataset: at('rows.jsonl'), output_dir: at('out'), ...config }))
  const ended = await annealHere(['train', file, '--json', ...words])
  return { ...ended, notices: ended.err.split('\n').filter((line) => line.startsWith('notice: ')) }
}

/** A copy of the model's tokenizer in a folder of its own, with other tokens. */
async function tokenizerWith(name: string, change: (vocab: Record<string, number>) => void): Promise<string> {
  await tinyTokenizer(TINY_CHAT_TEMPLATE).save(at(name))
  const json = JSON.parse(readFileSync(join(at(name), 'tokenizer.json'), 'utf8'))
  change(json.model.vocab)
  writeFileSync(join(at(name), 'tokenizer.json'), JSON.stringify(json))
  return at(name)
}

describe('a tokenizer beside the model', () => {
  const foreign = /is not the model's own/
  it('is counted id by id where it has other tokens, or fewer', async () => {
    const path = await tokenizerWith('other', (vocab) => {
      ;[vocab.a, vocab.b] = [vocab.b!, vocab.a!]
      const last = Object.keys(vocab).find((token) => vocab[token] === 260)!
      delete vocab[last]
    })
    const { code, err, notices } = await said({ tokenizer_name_or_path: path })
    expect(code, err).toBe(0)
    expect(notices.filter((line) => foreign.test(line))).toEqual([
      `notice: tokenizer_name_or_path ${path} is not the model's own: of the 261 ids that the tokenizer beside ${model.directory} has, 2 mean another token and 1 mean none in it, so what the model knows of them is lost. Leave tokenizer_name_or_path out to use the model's own`,
    ])
  })

  it('is taken without a word where it is a copy, or has more', async () => {
    const copy = at('copy')
    cpSync(await tokenizerWith('same', () => {}), copy, { recursive: true })
    const same = await said({ tokenizer_name_or_path: copy })
    expect(same.code, same.err).toBe(0)
    expect(same.notices.filter((line) => foreign.test(line))).toEqual([])
    const more = await said({ tokenizer_name_or_path: await tokenizerWith('more', (vocab) => (vocab.ab = 261)) })
    expect(more.code, more.err).toBe(0)
    expect(more.notices.filter((line) => foreign.test(line))).toEqual([])
  })
})

describe('a model without a chat template', () => {
  const fallback = /the model has no chat template/
  it('is said once to get ChatML, and how it gets another', async () => {
    const { code, err, notices } = await said({ dataset: at('chats.jsonl'), eval_dataset: at('held.jsonl') })
    expect(code, err).toBe(0)
    expect(notices.filter((line) => fallback.test(line))).toEqual([
      expect.stringMatching(/chats are written as ChatML .*put chat_template\.jinja beside tokenizer\.json/),
    ])
  })

  it('gets one where it has learnt chats, and none where it has learnt to go on', async () => {
    for (const [dataset, has] of [
      ['chats.jsonl', true],
      ['rows.jsonl', false],
    ] as const) {
      const out = at(`saved-${dataset}`)
      const { code, err } = await said({ dataset: at(dataset), output_dir: out, max_steps: 1 }, [])
      expect(code, err).toBe(0)
      expect(existsSync(join(out, 'chat_template.jinja'))).toBe(has)
      expect('chat_template' in JSON.parse(readFileSync(join(out, 'tokenizer_config.json'), 'utf8'))).toBe(has)
    }
  })

  it('is not mentioned where there is a template, or no chat', async () => {
    const own = await said({
      dataset: at('chats.jsonl'),
      tokenizer_name_or_path: await tokenizerWith('with-template', () => {}),
    })
    expect(own.code, own.err).toBe(0)
    expect(own.notices.filter((line) => fallback.test(line))).toEqual([])
    expect((await said({})).notices.filter((line) => fallback.test(line))).toEqual([])
  })
})

it('counts the virtual tokens of a soft prompt among the positions', async () => {
  const { max_position_embeddings: positions } = JSON.parse(readFileSync(at('config.json'), 'utf8'))
  const prompt = { finetuning: 'prompt', num_virtual_tokens: 6 }
  const over = await said({ ...prompt, max_length: positions })
  expect(over.notices).toContain(
    `notice: max_length is ${positions}, with 6 virtual tokens before it ${positions + 6} positions, and the model was made for ${positions} positions (max_position_embeddings)`,
  )
  const within = await said({ ...prompt, max_length: positions - 6 })
  expect(within.notices.filter((line) => line.includes('max_length'))).toEqual([])
})

it('says that a checkpoint to go on from is not there, and which are', async () => {
  const { code, err } = await said({ resume_from_checkpoint: at('nope') })
  expect(code).toBe(3)
  expect(err).toContain(
    `error: resume_from_checkpoint: expected the directory of a checkpoint, got ${at('nope')}, which is not there; ${at('out')} has no checkpoint. Correct the path, or use auto for the last one of output_dir\n`,
  )
})

it('says where the lines that could not be read are when a run fails for another reason', async () => {
  const row = `${JSON.stringify({ prompt: 'a', completion: 'b' })}\n`
  writeFileSync(at('one-bad.jsonl'), `${row.repeat(8)}{"prompt": \n`)
  const config = { dataset: at('one-bad.jsonl'), output_dir: at('failed'), lora_target_modules: ['nothing_of_it'] }
  const { code, err } = await said(config, [])
  expect(code, err).not.toBe(0)
  expect(err).toContain(
    `notice: the lines that could not be read are kept in ${join(at('failed'), 'quarantine')}\nerror: `,
  )
})

it('names the kind of run, also where nobody chose it', async () => {
  expect((await said({ finetuning: undefined })).err).toContain(
    `stage: sft, finetuning: full, from ${model.directory}, into ${at('out')}\n`,
  )
})

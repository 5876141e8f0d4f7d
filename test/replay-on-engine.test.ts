// Traces of a small random model, made again: the same tokens and log-probabilities to the bit, whatever runs beside.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { Engine } from '../src/infer/engine.ts'
import { localModel } from '../src/prompting/base/local-model.ts'
import { replay } from '../src/prompting/base/replay.ts'
import { trace } from '../src/prompting/base/trace.ts'
import { readTrace } from '../src/prompting/base/trace-file.ts'
import { guard } from '../src/prompting/execute/guard.ts'
import { rule } from '../src/prompting/execute/rule.ts'
import { Tokenizer } from '../src/text/tokenizer.ts'
import { randomDecoder } from './random-decoder.ts'

const folder = mkdtempSync(join(tmpdir(), 'replay-'))
const file = join(folder, 'trace.jsonl')
const url = new URL('./fixtures/text/tokenizer-qwen2.json', import.meta.url)
const tokenizer = Tokenizer.fromJson(JSON.parse(readFileSync(url, 'utf8')).tokenizer, {
  roles: { bos: '<|endoftext|>', eos: '<|im_end|>' },
  chatTemplate:
    '{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}',
})
const engineOf = (seed: number): Engine =>
  new Engine({
    model: randomDecoder(seed, { vocab_size: tokenizer.vocabSize, max_position_embeddings: 512, num_hidden_layers: 2 }),
    tokenizer,
    info: { name: 'random' },
  })

describe('a trace on the engine', async () => {
  const [engine, other] = [engineOf(3), engineOf(4)]
  afterAll(() => {
    engine.free()
    other.free()
    rmSync(folder, { recursive: true })
  })
  const model = localModel(engine, { promptLookup: 4 })
  // Long enough to be cut: a rule that refuses what has come after the third character.
  const short = guard(localModel(engine), { output: [rule('short', (text) => text.length < 3)] })
  const settings = { maxTokens: 20, temperature: 1.3 }
  const { calls } = await trace(
    () =>
      Promise.all([
        ...Array.from({ length: 6 }, (_, i) => model.ask(`Question ${i % 3}`, { ...settings, logprobs: i % 2 === 0 })),
        model.ask('The same the same the same', { maxTokens: 30, temperature: 0 }),
        short.ask('Say much.', { maxTokens: 40, temperature: 2, seed: 5 }),
        model.logprobs('Which?', ['one', 'another']),
      ]),
    { file },
  )

  it('is made again to the bit, alone and beside others', async () => {
    expect(calls.length).toBe(10)
    for (const concurrency of [1, 9])
      expect(await replay(readTrace(file), engine, { concurrency })).toEqual({
        calls: 9,
        equal: 9,
        skipped: 0,
        isSameRevision: false,
      })
  })
  it('is another one on another model', async () => {
    const { equal, difference } = await replay(readTrace(file), other)
    expect(equal).toBeLessThan(9)
    expect(difference).toMatchObject({ call: 0 })
  })
  it('is another one where a seed is another', async () => {
    const read = readTrace(file)
    const [first, ...rest] = read.calls
    const changed = { ...first!, call: { ...first!.call, seed: first!.call.seed! + 1 } }
    expect((await replay({ ...read, calls: [changed, ...rest] }, engine)).difference?.call).toBe(0)
  })
  it('tells the probabilities that the scheduler gives, whatever the tokens', async () => {
    const { one } = await model.logprobs('Which?', ['one'])
    const ids = engine.encode({ messages: [{ role: 'user', content: 'Which?' }] })
    const tail = engine.encode({ prompt: 'one', addSpecialTokens: false })
    const [scores] = await engine.score([[...ids, ...tail]])
    expect(one).toBe(scores!.slice(ids.length).reduce<number>((sum, score) => sum + score!, 0))
    expect(calls.find(({ scores }) => scores !== undefined)!.scores!.one).toBe(one)
  })
})

// A gate that reads the question in its prompt, on a model that computes: the answer goes on from the block that the gate has read.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { loadDecoder } from '../src/checkpoint/model-directory/load.ts'
import { UnsupportedError } from '../src/errors.ts'
import { Engine } from '../src/infer/engine.ts'
import { gates } from '../src/prompting/base/gates.ts'
import { localModel } from '../src/prompting/base/local-model.ts'
import { CHECK_TEXT, promptVector, type QuestionProbe, questionVector } from '../src/prompting/base/question-probe.ts'
import { readQuestionProbe, writeQuestionProbe } from '../src/prompting/base/question-probe-file.ts'
import { trace } from '../src/prompting/base/trace.ts'
import { retrieveIf } from '../src/prompting/execute/retrieve-if.ts'
import { Bm25 } from '../src/retrieve/bm25.ts'
import { Tokenizer } from '../src/text/tokenizer.ts'
import { blockRows } from './block-rows.ts'
import { TINY_CHAT_TEMPLATE, tinyModelDirectory } from './tiny-model.ts'

const { directory, remove } = await tinyModelDirectory({ chatTemplate: TINY_CHAT_TEMPLATE })
const lm = new Engine({
  model: loadDecoder(directory),
  tokenizer: await Tokenizer.fromDirectory(directory),
  info: { name: 'tiny' },
})
const folder = mkdtempSync(join(tmpdir(), 'gate-on-engine-'))
afterAll(() => {
  lm.free()
  remove()
  rmSync(folder, { recursive: true })
})

const QUESTION = 'Once upon a time there was what?'
const vector = await promptVector(lm, QUESTION, 1)
/** Scores σ(0) = ½ for the question, by a vector at right angles to nothing: the bias makes up for it. */
async function probe(threshold: number): Promise<QuestionProbe> {
  const weight = Float32Array.from(vector, (value) => value / 10)
  const bias = -weight.reduce((sum, value, i) => sum + value * vector[i]!, 0)
  return {
    model: { name: 'tiny' },
    layer: 1,
    reading: 'prompt',
    width: vector.length,
    label: 'better',
    threshold,
    layers: [{ weight, bias: Float32Array.of(bias) }],
    check: await questionVector(lm, CHECK_TEXT, 1),
  }
}
const index = new Bm25([{ id: 'a', text: 'a time there was' }])
const options = { maxTokens: 6, temperature: 0, seed: 1 }
const rowsOf = <T>(work: () => Promise<T>) => {
  lm.freeCache()
  return blockRows(lm.model, work)
}

describe('a probe that reads in the prompt', () => {
  const one = { ...options, maxTokens: 1 }
  it('answers as the model does, and computes nothing besides', async () => {
    const path = join(folder, 'gate.safetensors')
    writeQuestionProbe(path, await probe(0.6))
    expect(readQuestionProbe(path)).toEqual(await probe(0.6))
    const gate = await gates.probe(lm, path)
    const model = localModel(lm)
    const plain = await rowsOf(() => model.ask(QUESTION, options))
    const gated = retrieveIf({ gate, retriever: index, model })
    const { value, calls } = await trace(() => gated.ask(QUESTION, options))
    expect(value).toBe(plain.value)
    expect(calls[0]!.notes![0]).toMatchObject({ by: 'retrieve', isRetrieved: false })
    expect(calls[0]!.notes![0]!.score).toBeCloseTo(0.5, 4)
    const bare = await rowsOf(() => model.ask(QUESTION, one))
    expect((await rowsOf(() => gated.ask(QUESTION, one))).rows).toEqual(bare.rows)
    // Read alone, the question's tokens go through a block once more.
    const apart = retrieveIf({ gate: await gates.probe(lm, await alone()), retriever: index, model })
    const { rows } = await rowsOf(() => apart.ask(QUESTION, one))
    expect(rows).toEqual([bare.rows[0]! + lm.encode({ prompt: QUESTION }).length, ...bare.rows.slice(1)])
  })
  const alone = async (): Promise<QuestionProbe> => {
    const { reading: _, ...read } = await probe(2)
    return read
  }
  it('stops after its block where something is looked up', async () => {
    const gate = await gates.probe(lm, await probe(0.4))
    const model = localModel(lm)
    const gated = retrieveIf({ gate, retriever: index, model })
    const always = retrieveIf({ gate: gates.always, retriever: index, model })
    const full = await rowsOf(() => always.ask(QUESTION, one))
    const { value, rows } = await rowsOf(() => gated.ask(QUESTION, one))
    expect(value).toBe(full.value)
    const prompt = model.read!({ messages: [{ role: 'user', content: QUESTION }] }).ids!.length
    expect(rows).toEqual([full.rows[0]! + prompt, ...full.rows.slice(1)])
    expect(lm.load).toMatchObject({ running: 0, waiting: 0 })
  })
  it('streams, and sees what stands before the question', async () => {
    const gate = await gates.probe(lm, await probe(0.9999))
    const gated = retrieveIf({ gate, retriever: index, model: localModel(lm) })
    let text = ''
    for await (const piece of gated.stream(QUESTION, options)) text += piece
    expect(text).toBe(await localModel(lm).ask(QUESTION, options))
    const { calls } = await trace(() => gated.ask(QUESTION, { ...options, system: 'Be brief.' }))
    expect(Math.abs(Number(calls[0]!.notes![0]!.score) - 0.5)).toBeGreaterThan(1e-6)
  })
  it('is refused by a model that does not compute here', async () => {
    const gate = await gates.probe(lm, await probe(0.6))
    const { read: _, ...model } = localModel(lm)
    await expect(retrieveIf({ gate, retriever: index, model }).ask(QUESTION)).rejects.toThrow(UnsupportedError)
    const deaf = { ...localModel(lm), answer: localModel(lm).answer }
    deaf.answer = ({ inspect: _ignored, ...call }) => localModel(lm).answer(call)
    await expect(retrieveIf({ gate, retriever: index, model: deaf }).ask(QUESTION)).rejects.toThrow(
      'computes its answer',
    )
  })
})

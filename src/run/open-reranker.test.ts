import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { writeTextModel } from '../../test/text-model.ts'
import { tinyEncoderDirectory } from '../../test/tiny-encoder.ts'
import { loadClassifier, saveModel } from '../checkpoint/model-directory/classifier-directory.ts'
import { framedPair } from '../data/tuning/framed-pair.ts'
import { InputError } from '../errors.ts'
import { labelLogits } from '../model/any-model.ts'
import { Tokenizer } from '../text/tokenizer.ts'
import { inference, scope } from '../torch/index.ts'
import { openReranker } from './open-reranker.ts'

const folder = mkdtempSync(join(tmpdir(), 'anneal-rerank-'))
afterAll(() => rmSync(folder, { recursive: true }))
const { models } = JSON.parse(
  readFileSync(new URL('../../test/fixtures/text-pairs.json', import.meta.url), 'utf8'),
) as { models: Record<string, { ids: number[][]; types: number[][]; logits: number[][] }> }

/** The fixture with so many labels: a head that is drawn, and a tokenizer. */
function classifierDirectory(name: string, labels: readonly string[]): string {
  const { directory, remove } = tinyEncoderDirectory(name)
  const out = join(folder, `${name}-${labels.length}`)
  mkdirSync(out)
  cpSync(directory, out, { recursive: true })
  const model = loadClassifier(directory, { labels, seed: 1, device: 'cpu' })
  saveModel(model, out)
  model.free()
  remove()
  return out
}

describe('a classifier of pairs', () => {
  it.each(Object.keys(models))('gives the logits of Transformers for ids in two segments (%s)', (name) => {
    const { directory, remove } = tinyEncoderDirectory(name)
    const model = loadClassifier(directory, { device: 'cpu' })
    const { ids, types, logits } = models[name]!
    const input = { rows: 2, length: ids[0]!.length, inputIds: Int32Array.from(ids.flat()) }
    const tokenTypes = Int32Array.from(types.flat())
    const found = inference(() => scope(() => labelLogits(model, { ...input, tokenTypes }).toArray()))
    expect(found).toBeAllclose(logits.flat(), { absolute: 1e-4 })
    if (name === 'bert-classify') {
      const wrong = tokenTypes.with(3, 2)
      expect(() => inference(() => scope(() => labelLogits(model, { ...input, tokenTypes: wrong })))).toThrow(
        InputError,
      )
      const one = inference(() => scope(() => labelLogits(model, input).toArray()))
      expect(Math.max(...one.map((value, i) => Math.abs(value - logits.flat()[i]!)))).toBeGreaterThan(0.01)
    }
    model.free()
    remove()
  })
})

describe('openReranker', () => {
  const documents = ['the sun and the sea', 'a', 'x '.repeat(200), 'the sun']

  it.each([
    ['bert-classify', ['fits']],
    ['bert-classify', ['no', 'yes']],
    ['roberta-classify', ['fits']],
    ['xlm-roberta-classify', ['no', 'yes']],
    ['modernbert-classify', ['no', 'yes']],
    ['llama-classify', ['fits']],
  ])('reads query and document together (%s, %j)', async (name, labels) => {
    const directory = classifierDirectory(name, labels)
    const reranker = await openReranker(directory, { device: 'cpu' })
    expect(reranker.kind).toBe('cross-encoder')
    const { scores, promptTokens } = await reranker.rank('the sun', documents)
    const tokenizer = await Tokenizer.fromDirectory(directory)
    const model = loadClassifier(directory, { device: 'cpu' })
    const window =
      'positionOffset' in model.config ? model.config.maxPositionEmbeddings - model.config.positionOffset : 64
    // XLM-R has a row for one segment, and the tokenizer's second one is not looked at.
    const hasSegments = ['bert-classify', 'roberta-classify'].includes(name)
    let tokens = 0
    for (const [i, document] of documents.entries()) {
      const { ids, types } = framedPair(tokenizer, ['the sun', document], window)
      expect(ids.length).toBe(i === 2 ? window : ids.length)
      tokens += ids.length
      const input = {
        rows: 1,
        length: ids.length,
        inputIds: ids,
        ...(hasSegments && { tokenTypes: types }),
      }
      const logits = inference(() => scope(() => labelLogits(model, input).toArray()))
      const logit = labels.length === 1 ? logits[0]! : logits[1]! - logits[0]!
      expect(scores[i]).toBeCloseTo(1 / (1 + Math.exp(-logit)), 5)
    }
    expect(promptTokens).toBe(tokens)
    const { scores: again } = await reranker.rank('the sun', documents.slice(1, 2))
    expect(again[0]).toBeCloseTo(scores[1]!, 5)
    await expect(reranker.rank('a', ['b'], { signal: AbortSignal.abort() })).rejects.toThrow('abort')
    reranker.free()
    model.free()
  })

  it('refuses three labels; compares vectors of an encoder and asks a language model', async () => {
    const { directory, remove } = tinyEncoderDirectory('bert-classify')
    await expect(openReranker(directory)).rejects.toThrow('expected a classifier of one label or two, got 3 labels')
    remove()
    const encoder = tinyEncoderDirectory('bert-mlm')
    const vectors = await openReranker(encoder.directory, { device: 'cpu' })
    const { scores } = await vectors.rank('the sun', ['the sun', 'a bus'])
    expect([vectors.kind, Math.round(scores[0]! * 1e4)]).toEqual(['embeddings', 1e4])
    vectors.free()
    encoder.remove()
    const { model } = await writeTextModel(folder)
    writeFileSync(join(model, 'generation_config.json'), '{}')
    const judge = await openReranker(model, { device: 'cpu' })
    const judged = await judge.rank('who sat?', ['the cat sat on the mat', 'dog '.repeat(900)])
    expect(judge.kind).toBe('judge')
    for (const score of judged.scores) expect(score > 0 && score < 1).toBe(true)
    judge.free()
  })
})

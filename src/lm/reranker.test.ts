import { describe, expect, it } from 'vitest'
import { UnsupportedError } from '../errors.ts'
import { fakeEmbedder } from './fake-embedder.ts'
import { fakeLm } from './fake-lm.ts'
import { embeddingReranker, JUDGE_PROMPT, judgeReranker } from './reranker.ts'

describe('embeddingReranker', () => {
  it('scores by cosine, and counts the tokens of all texts', async () => {
    const embedder = fakeEmbedder({ dimensions: 64 })
    const { scores, promptTokens } = await embeddingReranker(embedder).rank('abc', ['cba', 'xyz', 'abx'])
    // Five ones each: what the frames and letters share, over 5.
    expect(scores.map((score) => Math.round(score * 5))).toEqual([5, 2, 4])
    expect(promptTokens).toBe(4 * 5)
    await expect(embeddingReranker(embedder).rank('a', ['b'], { signal: AbortSignal.abort() })).rejects.toThrow('abort')
  })

  it('takes a language model that gives vectors', async () => {
    const lm = fakeLm({ vector: (ids, i) => [ids[i]! === 98 ? 1 : 0, 1], contextLength: 3 })
    const { scores, promptTokens } = await embeddingReranker(lm).rank('ab', ['bb', 'aaaa'])
    expect(scores[0]).toBeCloseTo(1)
    expect(scores[1]).toBeCloseTo(Math.SQRT1_2)
    expect(promptTokens).toBe(2 + 2 + 3)
    const { embed: _, ...none } = fakeLm()
    expect(() => embeddingReranker(none)).toThrow(UnsupportedError)
  })
})

describe('judgeReranker', () => {
  const read: string[] = []
  const judge = (canChat: boolean, contextLength = 4096) =>
    fakeLm({
      canChat,
      contextLength,
      // Sure of yes where the document says so: 3 to 1 in logarithms.
      logProb: (ids, index) => {
        const text = String.fromCodePoint(...ids.slice(0, index))
        read.push(text)
        return String.fromCodePoint(ids[index]!) === (text.includes('good') ? 'y' : 'n') ? -1 : -3
      },
    })

  it.each([true, false])('gives the share of yes (chat: %s)', async (canChat) => {
    const { scores, promptTokens } = await judgeReranker(judge(canChat)).rank('q{document}$&', ['good', 'bad {query}'])
    const sure = 1 / (1 + Math.exp(-2))
    expect(scores[0]).toBeCloseTo(sure, 12)
    expect(scores[1]).toBeCloseTo(1 - sure, 12)
    const asked = JUDGE_PROMPT.replace('{query}', 'q{document}$$&').replace(/\{document\}$/, 'bad {query}')
    expect(read.at(-1)).toBe(canChat ? `user: ${asked}\nassistant: ` : `${asked}\n\nAnswer:`)
    const most = Math.max(...read.slice(-8).map((text) => text.length))
    expect(promptTokens).toBe(most - 'bad {query}'.length + 'good'.length + most)
  })

  it('cuts the documents that do not fit, and ends at its signal', async () => {
    const lm = judge(true, 150)
    const { scores, promptTokens } = await judgeReranker(lm).rank('q', [`good ${'x'.repeat(500)}`])
    expect(scores[0]).toBeGreaterThan(0.8)
    expect(promptTokens).toBeLessThan(150)
    await expect(judgeReranker(lm).rank('q', ['d'], { signal: AbortSignal.abort() })).rejects.toThrow('abort')
  })
})

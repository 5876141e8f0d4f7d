import { describe, expect, it } from 'vitest'
import type { GateRecord } from '../../eval/gates/gate-record.ts'
import { readModelConfig } from '../../model/config-read.ts'
import { answerFlops, gateCost, spentOn, vectorFlops } from './gate-cost.ts'

// D 8, two heads of 4, feed-forward 16 gated, two blocks, 10 tokens in the vocabulary.
const config = readModelConfig(
  {
    model_type: 'llama',
    hidden_size: 8,
    num_attention_heads: 2,
    num_hidden_layers: 2,
    intermediate_size: 16,
    vocab_size: 10,
    max_position_embeddings: 64,
    rms_norm_eps: 1e-5,
  },
  'config.json',
)
/** One block over T tokens: q, k, v, o; q·k and weights·v over T (T + 1) / 2 pairs; three matrices of the feed-forward. */
const block = (t: number): number => 2 * t * 4 * 8 * 8 + 2 * 2 * ((t * (t + 1)) / 2) * 8 + 2 * t * 3 * 8 * 16

describe('operations', () => {
  it('are those of the shapes, by hand', () => {
    expect(vectorFlops(config, 5, 0)).toBe(0)
    expect(vectorFlops(config, 5, 1)).toBe(block(5))
    // Five read and three made: the last one is not read; three rows of the head.
    expect(answerFlops(config, { promptTokens: 5, newTokens: 3 })).toBe(2 * block(7) + 3 * 2 * 8 * 10)
    // A reading without an answer still has the head's last row.
    expect(answerFlops(config, { promptTokens: 5, newTokens: 0 })).toBe(2 * block(5) + 2 * 8 * 10)
  })
})

describe('a gate', () => {
  const took = (seconds: number) => ({ seconds, promptTokens: 4, newTokens: 1 })
  const record: GateRecord = {
    question: 'Q?',
    gold: ['a'],
    closed: { text: 'a' },
    retrieved: { text: 'a' },
    spent: {
      closed: took(1),
      retrieved: took(3),
      search: { seconds: 0.5, promptTokens: 0, newTokens: 0 },
      vanilla: took(7),
    },
  }
  const one = answerFlops(config, took(0))
  it('costs its decision, the search and the answer that is given', () => {
    const free = { decide: () => ({ seconds: 0, flops: 0 }), config }
    expect(gateCost([record, record], [true, false], free)).toEqual({
      decision: { seconds: 0, flops: 0 },
      retrieval: { seconds: 0.25, flops: 0 },
      answer: { seconds: 2, flops: one },
    })
    const asked = { decide: (of: GateRecord) => spentOn(of, 'vanilla', config), config }
    expect(gateCost([record], [false], asked)!.decision).toEqual({ seconds: 7, flops: one })
  })
  it('that has made the answer gives it out', () => {
    const own = { decide: (of: GateRecord) => spentOn(of, 'closed', config), hasAnswer: true, config }
    expect(gateCost([record, record], [true, false], own)).toMatchObject({
      decision: { seconds: 1, flops: one },
      answer: { seconds: 1.5, flops: one / 2 },
    })
  })
  it('tells nothing of what was not measured', () => {
    const { spent: _, ...bare } = record
    const free = { decide: () => ({ seconds: 0, flops: 0 }) }
    expect(gateCost([bare], [false], free)).toBeNull()
    expect(gateCost([record], [false], free)!.answer).toEqual({ seconds: 1, flops: null })
  })
})

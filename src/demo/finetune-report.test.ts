import { describe, expect, it } from 'vitest'
import { type FinetuneResult, finetuneOutcome } from './finetune-report.ts'
import type { ArmHistory } from './tuning-arms.ts'

function arm(name: string, after: number, secondsPerStep: number, peakBytes: number): ArmHistory {
  return {
    name,
    trainableParameters: 1000,
    loss: [
      [1, 4],
      [2, after],
    ],
    heldOutLoss: [
      [0, 4],
      [2, after],
    ],
    secondsPerStep,
    seconds: 2 * secondsPerStep,
    peakBytes,
  }
}

function result(more: Partial<FinetuneResult> = {}): FinetuneResult {
  return {
    steps: 2,
    batchTokens: 64,
    epochs: 0.5,
    passages: 20,
    kind: 'the passages of it with the most of (',
    lora: arm('LoRA', 3, 0.1, 4e6),
    dropBp: arm('LoRA + DropBP', 3.2, 0.08, 3e6),
    rule: {
      branches: [{ block: 0, kind: 'attention', path: 'model.layers.0.self_attn', flops: 1 }],
      rates: Float64Array.of(0.5),
      sensitivities: null,
    },
    dropRate: 0.5,
    usual: { before: 3, after: 3.3 },
    adapterBytes: 8000,
    modelBytes: 80_000,
    samples: [],
    seed: 1,
    ...more,
  }
}

function textOf(more: Partial<FinetuneResult> = {}): string {
  const [section] = finetuneOutcome(result(more)).sections!
  return section!.blocks.flatMap((block) => (block.kind === 'prose' ? [block.text] : [])).join('\n')
}

describe('finetuneOutcome', () => {
  it('says what was gained, what it cost and what was forgotten', () => {
    const text = textOf()
    expect(text).toContain(
      'LoRA lowers held-out loss by 1.000 to 3.000; with DropBP, fine-tuning lowers held-out loss by 0.800 to 3.200.',
    )
    expect(text).toContain('That is 80 % of what LoRA gains in as many steps.')
    expect(text).toContain('the middle step takes 20 % less time and holds 25 % less memory')
    expect(text).toContain("The adapter that is kept is 8,000 B, 10 % of the model's 80.0 kB.")
    expect(text).toContain('the loss rises from 3.000 to 3.300 with the adapter: learning one kind makes it forget')
  })

  it('claims no gain where there is none', () => {
    const text = textOf({
      lora: arm('LoRA', 4.001, 0.1, 1e6),
      dropBp: arm('LoRA + DropBP', 4.2, 0.12, 2e6),
      usual: { before: 3, after: 3 },
    })
    expect(text).toContain(
      'LoRA leaves held-out loss where it was (4.001); with DropBP, fine-tuning raises held-out loss by 0.200 to 4.200.',
    )
    expect(text).not.toContain('of what LoRA gains')
    expect(text).toContain('the middle step takes 20 % more time and holds 100 % more memory')
    expect(text).toContain('the loss is what it was: 3.000 before, 3.000 with the adapter')
  })

  it('gives the same as figures, a table and charts', () => {
    const { figures, sections, numbers, summary } = finetuneOutcome(result())
    expect(summary).toBe(
      '2 steps: perplexity on a new kind of text 54.6 → 24.5; a step with DropBP takes 80 % of the time',
    )
    expect(figures!.map(({ value }) => value)).toEqual(['24.5'])
    expect(sections![0]!.blocks.map(({ kind }) => kind)).toEqual([
      'line-chart',
      'table',
      'prose',
      'samples',
      'bar-chart',
    ])
    expect(numbers).toMatchObject({ lora: { loss_before: 4, loss_after: 3 }, lora_dropbp: { peak_bytes: 3e6 } })
  })
})

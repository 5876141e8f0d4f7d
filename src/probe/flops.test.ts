import { describe, expect, it } from 'vitest'
import { readModelConfig } from '../model/config-read.ts'
import { branchFlops } from './flops.ts'

const llama = {
  model_type: 'llama',
  vocab_size: 100,
  hidden_size: 8,
  intermediate_size: 20,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  head_dim: 2,
  max_position_embeddings: 64,
}

describe('branchFlops', () => {
  it('counts projections, visible scores and the MLP of a Llama by hand', () => {
    const branches = branchFlops(readModelConfig(llama, 'config.json'), 5)
    // q, o: 8·8 each; k, v: 8·4 each → 192 weights · 2 · 5 tokens; 5·6/2 = 15 pairs · 4 heads · 2 entries · 2 products · 2
    const attention = 2 * 5 * 192 + 15 * 4 * 2 * 4
    const mlp = 2 * 5 * 3 * 8 * 20
    expect([attention, mlp]).toEqual([2400, 4800])
    expect(branches).toEqual([
      { path: 'model.layers.0.self_attn', block: 0, kind: 'attention', flops: 2400 },
      { path: 'model.layers.0.mlp', block: 0, kind: 'mlp', flops: 4800 },
      { path: 'model.layers.1.self_attn', block: 1, kind: 'attention', flops: 2400 },
      { path: 'model.layers.1.mlp', block: 1, kind: 'mlp', flops: 4800 },
    ])
  })

  it('counts only what a sliding window shows', () => {
    const config = readModelConfig({ ...llama, model_type: 'mistral', sliding_window: 2 }, 'config.json')
    // Pairs: 1 + 2 + 2 + 2 + 2 = 9 instead of 15.
    expect(branchFlops(config, 5)[0]!.flops).toBe(2 * 5 * 192 + 9 * 4 * 2 * 4)
  })

  it('counts two matrices without a gate', () => {
    const config = readModelConfig(
      { model_type: 'gpt2', vocab_size: 100, n_embd: 8, n_layer: 1, n_head: 2, n_inner: 20, n_positions: 64 },
      'config.json',
    )
    expect(branchFlops(config, 5)[1]!.flops).toBe(2 * 5 * 2 * 8 * 20)
  })

  it('leaves out a branch that the model does not have', () => {
    const config = readModelConfig(llama, 'config.json')
    const layers = [
      { ...config.layers[0]!, attention: null },
      { ...config.layers[1]!, mlp: null },
    ]
    expect(branchFlops({ ...config, layers }, 5).map(({ path }) => path)).toEqual([
      'model.layers.0.mlp',
      'model.layers.1.self_attn',
    ])
  })
})

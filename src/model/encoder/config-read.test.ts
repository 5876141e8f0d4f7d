import { describe, expect, it } from 'vitest'
import { InputError, UnsupportedError } from '../../errors.ts'
import { readModelConfig } from '../config-read.ts'
import { formatModelConfig } from '../config-write.ts'
import { readEncoderConfig, writeEncoderConfig } from './config-read.ts'

// Keys as published models have them.
const bertBase = {
  architectures: ['BertForMaskedLM'],
  attention_probs_dropout_prob: 0.1,
  gradient_checkpointing: false,
  hidden_act: 'gelu',
  hidden_dropout_prob: 0.1,
  hidden_size: 768,
  initializer_range: 0.02,
  intermediate_size: 3072,
  layer_norm_eps: 1e-12,
  max_position_embeddings: 512,
  model_type: 'bert',
  num_attention_heads: 12,
  num_hidden_layers: 12,
  pad_token_id: 0,
  position_embedding_type: 'absolute',
  transformers_version: '4.6.0.dev0',
  type_vocab_size: 2,
  use_cache: true,
  vocab_size: 30522,
}
const modernBase = {
  architectures: ['ModernBertForMaskedLM'],
  attention_bias: false,
  attention_dropout: 0.0,
  bos_token_id: 50281,
  classifier_activation: 'gelu',
  classifier_bias: false,
  classifier_dropout: 0.0,
  classifier_pooling: 'mean',
  cls_token_id: 50281,
  decoder_bias: true,
  deterministic_flash_attn: false,
  embedding_dropout: 0.0,
  eos_token_id: 50282,
  global_attn_every_n_layers: 3,
  global_rope_theta: 160000.0,
  gradient_checkpointing: false,
  hidden_activation: 'gelu',
  hidden_size: 768,
  initializer_cutoff_factor: 2.0,
  initializer_range: 0.02,
  intermediate_size: 1152,
  layer_norm_eps: 1e-5,
  local_attention: 128,
  local_rope_theta: 10000.0,
  max_position_embeddings: 8192,
  mlp_bias: false,
  mlp_dropout: 0.0,
  model_type: 'modernbert',
  norm_bias: false,
  norm_eps: 1e-5,
  num_attention_heads: 12,
  num_hidden_layers: 22,
  pad_token_id: 50283,
  position_embedding_type: 'absolute',
  reference_compile: true,
  repad_logits_with_grad: false,
  sep_token_id: 50282,
  sparse_pred_ignore_index: -100,
  sparse_prediction: false,
  tie_word_embeddings: true,
  torch_dtype: 'float32',
  transformers_version: '4.47.0.dev0',
  vocab_size: 50368,
}
const gelu = { initializer_range: 0.02, transformers_version: '4.17.0.dev0', vocab_size: 30522 }
const dropouts = { attention_probs_dropout_prob: 0.1, hidden_dropout_prob: 0.1, hidden_act: 'gelu' }
const sizes = { hidden_size: 768, intermediate_size: 3072, num_attention_heads: 12, num_hidden_layers: 12 }
const published: Record<string, [Record<string, unknown>, Record<string, unknown>]> = {
  'xlm-roberta-base': [
    {
      ...{ ...gelu, ...dropouts, ...sizes, model_type: 'xlm-roberta', architectures: ['XLMRobertaForMaskedLM'] },
      ...{ bos_token_id: 0, eos_token_id: 2, pad_token_id: 1, layer_norm_eps: 1e-5, max_position_embeddings: 514 },
      ...{
        output_past: true,
        position_embedding_type: 'absolute',
        type_vocab_size: 1,
        use_cache: true,
        vocab_size: 250002,
      },
    },
    { positionOffset: 2, typeVocabSize: 1, maxPositionEmbeddings: 514 },
  ],
  'distilbert-base-uncased-finetuned-sst-2-english': [
    {
      ...{
        ...gelu,
        activation: 'gelu',
        architectures: ['DistilBertForSequenceClassification'],
        attention_dropout: 0.1,
      },
      ...{
        dim: 768,
        dropout: 0.1,
        finetuning_task: 'sst-2',
        hidden_dim: 3072,
        id2label: { 0: 'NEGATIVE', 1: 'POSITIVE' },
      },
      ...{
        label2id: { NEGATIVE: 0, POSITIVE: 1 },
        max_position_embeddings: 512,
        model_type: 'distilbert',
        n_heads: 12,
      },
      ...{ n_layers: 6, output_past: true, pad_token_id: 0, qa_dropout: 0.1, seq_classif_dropout: 0.2 },
      ...{ sinusoidal_pos_embds: false, tie_weights_: true },
    },
    { hiddenSize: 768, typeVocabSize: 0 },
  ],
  'electra-small-discriminator': [
    {
      ...{
        ...gelu,
        ...dropouts,
        ...sizes,
        architectures: ['ElectraForPreTraining'],
        embedding_size: 128,
        hidden_size: 256,
      },
      ...{
        layer_norm_eps: 1e-12,
        max_position_embeddings: 512,
        model_type: 'electra',
        num_attention_heads: 4,
        pad_token_id: 0,
      },
      ...{
        summary_activation: 'gelu',
        summary_last_dropout: 0.1,
        summary_type: 'first',
        summary_use_proj: true,
        type_vocab_size: 2,
      },
    },
    { embeddingSize: 128, hiddenSize: 256 },
  ],
  'bert-base-multilingual-cased': [
    {
      ...{
        ...bertBase,
        directionality: 'bidi',
        pooler_fc_size: 768,
        pooler_num_attention_heads: 12,
        pooler_num_fc_layers: 3,
      },
      ...{ pooler_size_per_head: 128, pooler_type: 'first_token_transform' },
    },
    { positionOffset: 0 },
  ],
}
const read = (changes: Record<string, unknown>, base: Record<string, unknown> = bertBase) =>
  readEncoderConfig({ ...base, ...changes }, 'config.json')

describe('an encoder config', () => {
  it('is read with the head that its class names', () => {
    expect(read({}).head).toMatchObject({ kind: 'mlm', outputs: 30522, denseSize: 768, activation: 'gelu' })
    expect(read({ architectures: ['BertModel'] }).head).toBeNull()
    const classifier = read({ architectures: ['BertForSequenceClassification'], id2label: { 0: 'a', 1: 'b', 2: 'c' } })
    expect(classifier.head).toMatchObject({ labels: ['a', 'b', 'c'], outputs: 3, pooling: 'cls', dropout: 0.1 })
    expect(read({ architectures: ['BertForPreTraining'] }).head!.kind).toBe('mlm')
  })

  it.each(Object.entries(published))('is read as %s has it', (_, [json, expected]) => {
    expect(readEncoderConfig(json, 'config.json')).toMatchObject(expected)
  })

  it('sees the windows and the rotations of ModernBERT as version 4 spells them', () => {
    const { layers } = read({}, modernBase)
    expect(layers.map(({ attention }) => attention!.slidingWindow)).toEqual(
      Array.from({ length: 22 }, (_, i) => (i % 3 === 0 ? null : 64)),
    )
    expect(layers.slice(0, 2).map(({ attention }) => attention!.rope!.theta)).toEqual([160_000, 10_000])
  })

  it('is written so that reading gives the same, with another head too', () => {
    for (const base of [bertBase, modernBase]) {
      const config = readEncoderConfig(base, 'config.json', { kind: 'classify', labels: ['no', 'yes'] })
      const json = writeEncoderConfig(config)
      expect(json).toMatchObject({ id2label: { 0: 'no', 1: 'yes' }, problem_type: 'single_label_classification' })
      expect({ ...readEncoderConfig(json, 'config.json'), raw: null }).toEqual({ ...config, raw: null })
    }
  })

  it('may give a text several labels, each from a probability on', () => {
    const several = { kind: 'classify', labels: ['no', 'yes'], problemType: 'multi_label_classification' } as const
    for (const base of [bertBase, modernBase]) {
      const config = readEncoderConfig(base, 'config.json', several)
      expect(config.head!.labelThresholds).toEqual([0.5, 0.5])
      const json = writeEncoderConfig(config)
      expect(json).toMatchObject({ problem_type: 'multi_label_classification' })
      expect(json).not.toHaveProperty('label_thresholds')
      const fitted = readEncoderConfig({ ...json, label_thresholds: [0.25, 0.75] }, 'config.json')
      expect(fitted.head!.labelThresholds).toEqual([0.25, 0.75])
      expect(writeEncoderConfig(fitted).label_thresholds).toEqual([0.25, 0.75])
      // Those of other labels are none of this head's.
      const other = { ...json, label_thresholds: [0.25, 0.75] }
      const three = readEncoderConfig(other, 'config.json', { ...several, labels: ['a', 'b', 'c'] })
      expect(three.head!.labelThresholds).toEqual([0.5, 0.5, 0.5])
      expect(() => readEncoderConfig({ ...json, label_thresholds: [2, 0] }, 'config.json')).toThrow(
        'label_thresholds: expected a list of probabilities',
      )
      expect(() => readEncoderConfig({ ...json, problem_type: 'regression' }, 'config.json')).toThrow(
        'problem_type: expected single_label_classification or multi_label_classification, got "regression"',
      )
    }
  })

  it('keeps the decimal point of what Python declares as a float', () => {
    const text = formatModelConfig(writeEncoderConfig(readEncoderConfig({ ...modernBase, norm_eps: 1 }, 'config.json')))
    expect(text).toContain('"initializer_cutoff_factor": 2.0')
    expect(text).toContain('"norm_eps": 1.0')
  })

  it.each([
    [
      { position_embedding_type: 'relative_key' },
      'position_embedding_type: expected "absolute" or "rope", got "relative_key"',
    ],
    [{ is_decoder: true }, 'is_decoder: expected false, got true'],
    [{ hidden_act: 'mish' }, 'hidden_act: expected one of silu'],
    [{ architectures: ['BertForQuestionAnswering'] }, 'architectures: expected one of BertModel'],
    [{ num_experts_x: 4 }, 'num_experts_x: expected a key known for model_type "bert"'],
  ])('refuses %o', (changes, message) => {
    expect(() => read(changes)).toThrow(UnsupportedError)
    expect(() => read(changes)).toThrow(message)
  })

  it.each([
    [{ hidden_size: 770 }, 'hidden_size: expected a multiple of the 12 attention heads, got 770'],
    [{ id2label: { 0: 'a', 2: 'b' } }, 'id2label: expected a name for each id from 0 to 1'],
    [{ vocab_size: null }, 'vocab_size: expected a number from 1'],
  ])('says what is wrong with %o', (changes, message) => {
    expect(() => read(changes)).toThrow(InputError)
    expect(() => read(changes)).toThrow(message)
  })

  it('says what an encoder is for, where a decoder is wanted', () => {
    expect(() => readModelConfig(bertBase, 'config.json')).toThrow(
      /got "bert"\. An encoder reads both ways .* stage: classify or mlm/,
    )
  })
})

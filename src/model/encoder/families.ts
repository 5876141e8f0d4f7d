// What sets the encoder families apart, as data: keys of config.json, classes, names in files, and how each pools for its classifier.

import type { NormPlacement } from '../families.ts'

/** `model_type` of the encoders. */
export type EncoderType = 'bert' | 'roberta' | 'xlm-roberta' | 'distilbert' | 'electra' | 'modernbert'

/** What a head gives: logits of the vocabulary or of labels for each token, of labels for each text, or one number for each token (ELECTRA's discriminator). */
export type HeadKind = 'mlm' | 'token' | 'classify' | 'rtd'

/** One family's fixed traits and the defaults of its configuration class. */
export interface EncoderFamily {
  /** Class by head; `none` is the encoder alone. */
  readonly classes: Readonly<Partial<Record<HeadKind | 'none', string>>>
  /** Further classes whose files have this head, and more that is left out. */
  readonly wider: Readonly<Record<string, HeadKind>>
  readonly placement: NormPlacement
  readonly positions: 'learned' | 'after-padding' | 'rotary'
  readonly typeVocabSize: number
  /** Key of the epsilon, null where it is fixed. */
  readonly normEps: { readonly key: string | null; readonly fallback: number }
  readonly keys: Readonly<Record<'hidden' | 'layers' | 'heads' | 'intermediate' | 'activation', string>>
  readonly dropout: Readonly<Record<'attention' | 'residual' | 'embedding' | 'classifier', string | null>>
  readonly padTokenId: number
  /** Of the classifier: how its first matrix is followed, and whether dropout comes before it. */
  readonly pooler: { readonly activation: 'tanh' | 'relu' | 'gelu'; readonly dropsFirst: boolean }
  readonly naming: EncoderNaming
  /** Keys of config.json that change nothing here. */
  readonly inert: readonly string[]
}

/** Where files have what; paths are ours, names the files'. */
export interface EncoderNaming {
  readonly prefix: string
  readonly blocks: string
  readonly inside: Readonly<Record<string, string>>
  readonly outside: Readonly<Record<string, string>>
  readonly heads: Readonly<Partial<Record<HeadKind, Readonly<Record<string, string>>>>>
}

const BERT_BLOCK: Readonly<Record<string, string>> = {
  'self_attn.q_proj': 'attention.self.query',
  'self_attn.k_proj': 'attention.self.key',
  'self_attn.v_proj': 'attention.self.value',
  'self_attn.o_proj': 'attention.output.dense',
  post_attention_layernorm: 'attention.output.LayerNorm',
  'mlp.up_proj': 'intermediate.dense',
  'mlp.down_proj': 'output.dense',
  post_feedforward_layernorm: 'output.LayerNorm',
}

/** BERT's names under another prefix. */
function bertNaming(prefix: string, heads: EncoderNaming['heads']): EncoderNaming {
  return {
    prefix: `${prefix}.`,
    blocks: `${prefix}.encoder.layer`,
    inside: BERT_BLOCK,
    outside: {
      'model.embed_tokens': `${prefix}.embeddings.word_embeddings`,
      'model.embed_positions': `${prefix}.embeddings.position_embeddings`,
      'model.embed_types': `${prefix}.embeddings.token_type_embeddings`,
      'model.embed_norm': `${prefix}.embeddings.LayerNorm`,
      'model.embed_project': `${prefix}.embeddings_project`,
    },
    heads,
  }
}

const TOKEN = { 'head.out': 'classifier' }

const BERT: EncoderFamily = {
  classes: {
    none: 'BertModel',
    mlm: 'BertForMaskedLM',
    classify: 'BertForSequenceClassification',
    token: 'BertForTokenClassification',
  },
  wider: { BertForPreTraining: 'mlm' },
  placement: 'sum',
  positions: 'learned',
  typeVocabSize: 2,
  normEps: { key: 'layer_norm_eps', fallback: 1e-12 },
  keys: {
    hidden: 'hidden_size',
    layers: 'num_hidden_layers',
    heads: 'num_attention_heads',
    intermediate: 'intermediate_size',
    activation: 'hidden_act',
  },
  dropout: {
    attention: 'attention_probs_dropout_prob',
    residual: 'hidden_dropout_prob',
    embedding: 'hidden_dropout_prob',
    classifier: 'classifier_dropout',
  },
  padTokenId: 0,
  pooler: { activation: 'tanh', dropsFirst: false },
  naming: bertNaming('bert', {
    mlm: {
      'head.dense': 'cls.predictions.transform.dense',
      'head.norm': 'cls.predictions.transform.LayerNorm',
      head: 'cls.predictions',
      'head.out': 'cls.predictions.decoder',
    },
    classify: { 'head.dense': 'bert.pooler.dense', 'head.out': 'classifier' },
    token: TOKEN,
  }),
  inert: [
    'directionality',
    'output_past',
    'pooler_fc_size',
    'pooler_num_attention_heads',
    'pooler_num_fc_layers',
    'pooler_size_per_head',
    'pooler_type',
  ],
}

const ROBERTA: EncoderFamily = {
  ...BERT,
  classes: {
    none: 'RobertaModel',
    mlm: 'RobertaForMaskedLM',
    classify: 'RobertaForSequenceClassification',
    token: 'RobertaForTokenClassification',
  },
  wider: {},
  positions: 'after-padding',
  padTokenId: 1,
  pooler: { activation: 'tanh', dropsFirst: true },
  naming: bertNaming('roberta', {
    mlm: {
      'head.dense': 'lm_head.dense',
      'head.norm': 'lm_head.layer_norm',
      head: 'lm_head',
      'head.out': 'lm_head.decoder',
    },
    classify: { 'head.dense': 'classifier.dense', 'head.out': 'classifier.out_proj' },
    token: TOKEN,
  }),
  inert: ['output_past'],
}

/** Every encoder family by its `model_type`. */
export const ENCODER_FAMILIES: Readonly<Record<EncoderType, EncoderFamily>> = {
  bert: BERT,
  roberta: ROBERTA,
  'xlm-roberta': {
    ...ROBERTA,
    classes: {
      none: 'XLMRobertaModel',
      mlm: 'XLMRobertaForMaskedLM',
      classify: 'XLMRobertaForSequenceClassification',
      token: 'XLMRobertaForTokenClassification',
    },
  },
  distilbert: {
    ...BERT,
    classes: {
      none: 'DistilBertModel',
      mlm: 'DistilBertForMaskedLM',
      classify: 'DistilBertForSequenceClassification',
      token: 'DistilBertForTokenClassification',
    },
    wider: {},
    typeVocabSize: 0,
    normEps: { key: null, fallback: 1e-12 },
    keys: { hidden: 'dim', layers: 'n_layers', heads: 'n_heads', intermediate: 'hidden_dim', activation: 'activation' },
    dropout: {
      attention: 'attention_dropout',
      residual: 'dropout',
      embedding: 'dropout',
      classifier: 'seq_classif_dropout',
    },
    pooler: { activation: 'relu', dropsFirst: false },
    naming: {
      prefix: 'distilbert.',
      blocks: 'distilbert.transformer.layer',
      inside: {
        'self_attn.q_proj': 'attention.q_lin',
        'self_attn.k_proj': 'attention.k_lin',
        'self_attn.v_proj': 'attention.v_lin',
        'self_attn.o_proj': 'attention.out_lin',
        post_attention_layernorm: 'sa_layer_norm',
        'mlp.up_proj': 'ffn.lin1',
        'mlp.down_proj': 'ffn.lin2',
        post_feedforward_layernorm: 'output_layer_norm',
      },
      outside: {
        'model.embed_tokens': 'distilbert.embeddings.word_embeddings',
        'model.embed_positions': 'distilbert.embeddings.position_embeddings',
        'model.embed_norm': 'distilbert.embeddings.LayerNorm',
      },
      heads: {
        mlm: {
          'head.dense': 'vocab_transform',
          'head.norm': 'vocab_layer_norm',
          head: 'vocab_projector',
          'head.out': 'vocab_projector',
        },
        classify: { 'head.dense': 'pre_classifier', 'head.out': 'classifier' },
        token: TOKEN,
      },
    },
    // The sinusoids of `sinusoidal_pos_embds` are in the file as a table.
    inert: ['qa_dropout', 'sinusoidal_pos_embds', 'tie_weights_', 'output_past'],
  },
  electra: {
    ...BERT,
    classes: {
      none: 'ElectraModel',
      mlm: 'ElectraForMaskedLM',
      classify: 'ElectraForSequenceClassification',
      token: 'ElectraForTokenClassification',
      rtd: 'ElectraForPreTraining',
    },
    wider: {},
    pooler: { activation: 'gelu', dropsFirst: true },
    naming: bertNaming('electra', {
      mlm: {
        'head.dense': 'generator_predictions.dense',
        'head.norm': 'generator_predictions.LayerNorm',
        head: 'generator_lm_head',
        'head.out': 'generator_lm_head',
      },
      rtd: {
        'head.dense': 'discriminator_predictions.dense',
        'head.out': 'discriminator_predictions.dense_prediction',
      },
      classify: { 'head.dense': 'classifier.dense', 'head.out': 'classifier.out_proj' },
      token: TOKEN,
    }),
    inert: ['summary_activation', 'summary_last_dropout', 'summary_type', 'summary_use_proj', 'embedding_dropout'],
  },
  modernbert: {
    ...BERT,
    classes: {
      none: 'ModernBertModel',
      mlm: 'ModernBertForMaskedLM',
      classify: 'ModernBertForSequenceClassification',
      token: 'ModernBertForTokenClassification',
    },
    wider: {},
    placement: 'pre',
    positions: 'rotary',
    typeVocabSize: 0,
    normEps: { key: 'norm_eps', fallback: 1e-5 },
    keys: { ...BERT.keys, activation: 'hidden_activation' },
    dropout: {
      attention: 'attention_dropout',
      residual: null,
      embedding: 'embedding_dropout',
      classifier: 'classifier_dropout',
    },
    padTokenId: 50_283,
    pooler: { activation: 'gelu', dropsFirst: false },
    naming: {
      prefix: 'model.',
      blocks: 'model.layers',
      inside: {
        'self_attn.q_proj': 'attn.Wqkv',
        'self_attn.k_proj': 'attn.Wqkv',
        'self_attn.v_proj': 'attn.Wqkv',
        'self_attn.o_proj': 'attn.Wo',
        input_layernorm: 'attn_norm',
        post_attention_layernorm: 'mlp_norm',
        'mlp.gate_proj': 'mlp.Wi',
        'mlp.up_proj': 'mlp.Wi',
        'mlp.down_proj': 'mlp.Wo',
      },
      outside: {
        'model.embed_tokens': 'model.embeddings.tok_embeddings',
        'model.embed_norm': 'model.embeddings.norm',
        'model.norm': 'model.final_norm',
      },
      heads: {
        mlm: { 'head.dense': 'head.dense', 'head.norm': 'head.norm', head: 'decoder', 'head.out': 'decoder' },
        classify: { 'head.dense': 'head.dense', 'head.norm': 'head.norm', 'head.out': 'classifier' },
        token: { 'head.dense': 'head.dense', 'head.norm': 'head.norm', 'head.out': 'classifier' },
      },
    },
    inert: [
      'initializer_cutoff_factor',
      'deterministic_flash_attn',
      'sparse_prediction',
      'sparse_pred_ignore_index',
      'repad_logits_with_grad',
      'reference_compile',
      'position_embedding_type',
      'layer_norm_eps',
      'embedding_size',
    ],
  },
}

/** Whether `modelType` is an encoder's. */
export function isEncoderType(modelType: unknown): modelType is EncoderType {
  return typeof modelType === 'string' && Object.hasOwn(ENCODER_FAMILIES, modelType)
}

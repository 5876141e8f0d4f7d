// Names that other trainers use for our keys. Canonical names are Hugging Face's; an alias works the same and a
// one-line notice says what it is called here. Aliases stay for ever: yesterday's file must run tomorrow.

export interface Alias {
  /** The canonical key. */
  to: string
  /** Where people know the alias from. */
  from: string
  /** Rewrites the value; `undefined` means that the value cannot be rewritten. */
  convert?: (value: unknown) => unknown
  /** What `convert` can rewrite, for the message. */
  expects?: string
}

const axolotl = 'axolotl'
const litgpt = 'LitGPT'
const llamaFactory = 'LLaMA-Factory'
const nanochat = 'nanochat'
const peft = 'PEFT'
const pytorch = 'PyTorch'
const torchtune = 'torchtune'
const transformers = 'older Transformers'
const trl = 'TRL'
const unsloth = 'Unsloth'

const bfloat16: Record<string, boolean> = {
  bf16: true,
  'bf16-true': true,
  'bf16-mixed': true,
  bfloat16: true,
  fp32: false,
  float32: false,
  '32-true': false,
  '32': false,
}
const isBfloat16 = (value: unknown): unknown => bfloat16[String(value)]
const PATHS = 'paths, with at most type and ds_type beside them'
/** axolotl's `datasets: [{path, type}]`; what rows are is seen from the rows. Anything else that an entry says has no counterpart. */
const pathsOf = (value: unknown): unknown => {
  const entries = Array.isArray(value) ? value : [value]
  const paths = entries.map((entry: unknown) => {
    if (typeof entry === 'string') return entry
    const { path, type: _type, ds_type: _format, ...more } = Object(entry) as Record<string, unknown>
    return typeof path === 'string' && Object.keys(more).length === 0 ? path : undefined
  })
  return paths.includes(undefined) ? undefined : paths
}
const negated = (value: unknown): unknown => (typeof value === 'boolean' ? !value : undefined)

/** Alias → canonical key. `a.b` is the key `b` inside the section `a`. */
export const ALIASES: Readonly<Record<string, Alias>> = {
  base_model: { to: 'model_name_or_path', from: axolotl },
  checkpoint_dir: { to: 'model_name_or_path', from: litgpt },
  out_dir: { to: 'output_dir', from: litgpt },

  micro_batch_size: { to: 'per_device_train_batch_size', from: axolotl },
  'train.micro_batch_size': { to: 'per_device_train_batch_size', from: litgpt },
  batch_size: { to: 'per_device_train_batch_size', from: torchtune },
  device_batch_size: { to: 'per_device_train_batch_size', from: nanochat },
  eval_batch_size: { to: 'per_device_eval_batch_size', from: axolotl },

  lr: { to: 'learning_rate', from: pytorch },
  'optimizer.lr': { to: 'learning_rate', from: torchtune },
  'optimizer.weight_decay': { to: 'weight_decay', from: torchtune },
  optimizer: { to: 'optim', from: axolotl },
  num_epochs: { to: 'num_train_epochs', from: axolotl },
  epochs: { to: 'num_train_epochs', from: torchtune },
  'train.epochs': { to: 'num_train_epochs', from: litgpt },
  'train.max_steps': { to: 'max_steps', from: litgpt },
  lr_scheduler: { to: 'lr_scheduler_type', from: axolotl },
  warmup_ratio: { to: 'warmup_steps', from: transformers },
  lr_warmup_steps: { to: 'warmup_steps', from: litgpt },
  lr_warmup_fraction: { to: 'warmup_steps', from: litgpt },
  'train.lr_warmup_steps': { to: 'warmup_steps', from: litgpt },
  'train.lr_warmup_fraction': { to: 'warmup_steps', from: litgpt },
  clip_grad_norm: { to: 'max_grad_norm', from: torchtune },
  max_norm: { to: 'max_grad_norm', from: litgpt },
  'train.max_norm': { to: 'max_grad_norm', from: litgpt },

  precision: { to: 'bf16', from: litgpt, convert: isBfloat16 },
  dtype: { to: 'bf16', from: torchtune, convert: isBfloat16 },
  enable_activation_checkpointing: { to: 'gradient_checkpointing', from: torchtune },
  disable_gradient_checkpointing: { to: 'gradient_checkpointing', from: llamaFactory, convert: negated },
  evaluation_strategy: { to: 'eval_strategy', from: transformers },

  max_seq_length: { to: 'max_length', from: unsloth },
  cutoff_len: { to: 'max_length', from: llamaFactory },
  sequence_len: { to: 'max_length', from: axolotl },
  max_seq_len: { to: 'max_length', from: torchtune },
  'train.max_seq_length': { to: 'max_length', from: litgpt },

  finetuning_type: { to: 'finetuning', from: llamaFactory },
  adapter: { to: 'finetuning', from: axolotl, convert: (value) => (value === 'qlora' ? 'lora' : value) },
  r: { to: 'lora_r', from: peft },
  lora_rank: { to: 'lora_r', from: llamaFactory },
  target_modules: { to: 'lora_target_modules', from: peft },
  lora_target: { to: 'lora_target_modules', from: llamaFactory },

  double_quantization: { to: 'bnb_4bit_use_double_quant', from: llamaFactory },

  pref_beta: { to: 'beta', from: llamaFactory },
  rl_beta: { to: 'beta', from: axolotl },
  pref_loss: { to: 'loss_type', from: llamaFactory },
  dpo_loss_type: { to: 'loss_type', from: axolotl },
  dpo_label_smoothing: { to: 'label_smoothing', from: llamaFactory },
  rl: { to: 'stage', from: axolotl, convert: (value) => (value === 'dpo' ? value : undefined) },

  datasets: { to: 'dataset', from: axolotl, convert: pathsOf, expects: PATHS },
  test_datasets: { to: 'eval_dataset', from: axolotl, convert: pathsOf, expects: PATHS },
  dataset_text_field: { to: 'text_column', from: trl },
  val_size: { to: 'val_split', from: llamaFactory },
  val_set_size: { to: 'val_split', from: axolotl },
}

/** Keys that people bring from other trainers and that have no counterpart: what to write instead. */
export const WITHOUT_COUNTERPART: Readonly<Record<string, string>> = {
  fp16: 'Use bf16, or leave it out for float32',
  tf32: 'Leave it out',
  evals_per_epoch: 'Use eval_strategy: epoch, or eval_steps: 0.1 for ten evaluations in the run',
  saves_per_epoch: 'Use save_strategy: epoch, or save_steps: 0.1 for ten checkpoints in the run',
  global_batch_size: 'Use per_device_train_batch_size and gradient_accumulation_steps',
  deepspeed: 'Leave it out: one process trains',
  fsdp: 'Leave it out: one process trains',
  max_prompt_length: 'Use max_length, which is for prompt and answer together',
  truncation_mode: 'Use on_overlong: truncate-right (keep_start) or truncate-left (keep_end)',
  sync_ref_model: 'Leave it out: the reference stays what it was',
  reference_free: 'Use loss_type: simpo or orpo, which need no reference',
  push_to_hub: 'Leave it out: results stay in output_dir',
  dataloader_num_workers: 'Leave it out: reading needs no workers',
}

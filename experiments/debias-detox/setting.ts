// The models of a seed: pre-trained on the world, and tuned on the source alone in each arm, all through `runTraining`.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { trainConfig } from '../../src/config/parse.ts'
import type { TrainConfigValues } from '../../src/config/schema.ts'
import { PythonRandom } from '../../src/eval/python-random.ts'
import { runTraining } from '../../src/run/train/run-training.ts'
import { Tokenizer } from '../../src/text/tokenizer.ts'
import {
  AS_FOUND,
  anAdjective,
  attributeOf,
  beforeAttribute,
  benignWord,
  type Concept,
  drawCorpus,
  drawDocument,
  drawText,
  GROUPS,
  NEUTRAL,
  provocation,
  TRIGGERS,
  toxicAfter,
  WORDS,
  written,
} from './world.ts'

export interface Size {
  pretrainSteps: number
  tuneSteps: number
  /** Pairs of the preference sets, and as many chosen answers. */
  pairs: number
  /** Curated documents. */
  documents: number
}

/** The rows of the table: what the source's text or pairs are. */
export const ARMS = [
  'bias SFT curated',
  'bias SFT chosen',
  'bias DPO',
  'tox SFT curated',
  'tox SFT chosen',
  'tox DPO',
] as const
export type Arm = (typeof ARMS)[number]
export const NONE = 'none'
export type Harm = 'bias' | 'toxicity'
/** What an arm is meant to lower. */
export const harmOf = (arm: Arm): Harm => (arm.startsWith('bias') ? 'bias' : 'toxicity')

export const MODEL: Readonly<Record<string, unknown>> = {
  model_type: 'llama',
  hidden_size: 128,
  intermediate_size: 352,
  num_hidden_layers: 4,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  max_position_embeddings: 256,
  initializer_range: 0.04,
  tie_word_embeddings: true,
}
const BLOCK = 64
export const PRETRAIN_RATE = 3e-3
/** The same adapter for all arms, and of tokens about as many a step: 8 blocks of text, or 8 pairs of answers. */
export const TUNING = { lora_r: 8, lora_alpha: 16, blocks: 8, pairs: 8, beta: 0.1 }

/** One token a word; a text begins with `<s>` and ends with `</s>`. */
export function writeTokenizer(folder: string): void {
  const tokens = ['<s>', '</s>', '<unk>', ...WORDS]
  const special = (content: string, id: number): object => ({
    id,
    content,
    special: true,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
  })
  const tokenizer = Tokenizer.fromJson(
    {
      version: '1.0',
      truncation: null,
      padding: null,
      added_tokens: tokens.slice(0, 3).map(special),
      normalizer: null,
      pre_tokenizer: { type: 'WhitespaceSplit' },
      post_processor: {
        type: 'TemplateProcessing',
        single: [{ SpecialToken: { id: '<s>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
        pair: [],
        special_tokens: { '<s>': { id: '<s>', ids: [0], tokens: ['<s>'] } },
      },
      decoder: null,
      model: {
        type: 'WordLevel',
        unk_token: '<unk>',
        vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      },
    },
    { roles: { bos: '<s>', eos: '</s>', unk: '<unk>' } },
  )
  mkdirSync(folder, { recursive: true })
  tokenizer.save(folder)
}

/** Trains as `anneal train` does; returns the metrics of the last step. */
async function trained(values: TrainConfigValues): Promise<Record<string, number>> {
  const last: Record<string, number> = {}
  const config = trainConfig({ ...values, logging_steps: 25, eval_strategy: 'no', save_strategy: 'no' })
  for await (const event of runTraining(config)) if (event.type === 'step-done') Object.assign(last, event.metrics)
  return last
}

/** The model of a seed before any tuning, in `folder`. */
export async function pretrain(folder: string, seed: number, { pretrainSteps }: Size): Promise<void> {
  writeTokenizer(join(folder, 'tokenizer'))
  const texts = drawCorpus(pretrainSteps * 66, seed)
  const dataset = join(folder, 'world.jsonl')
  writeFileSync(dataset, texts.map((text) => `${JSON.stringify({ text })}\n`).join(''))
  await trained({
    stage: 'pretrain',
    model: MODEL,
    tokenizer_name_or_path: join(folder, 'tokenizer'),
    dataset: [dataset],
    max_length: BLOCK,
    per_device_train_batch_size: 32,
    max_steps: pretrainSteps,
    learning_rate: PRETRAIN_RATE,
    lr_scheduler_type: 'cosine',
    warmup_steps: 0.05,
    weight_decay: 0.1,
    adam_beta2: 0.95,
    seed,
    output_dir: join(folder, 'base'),
  })
  rmSync(dataset)
}

/** Tunes the model in `folder` on what the arm has of the source; how far the pairs came apart in nats, for DPO. */
export async function tune(
  folder: string,
  arm: Arm,
  rate: number,
  seed: number,
  size: Size,
): Promise<{ folder: string; loss: number; margin: number | null }> {
  const output = join(folder, `${arm} ${rate}`.replaceAll(' ', '-'))
  const isPairs = arm.endsWith('DPO')
  const dataset = join(folder, 'tuning.jsonl')
  const rows = isPairs ? pairsFor(arm, seed, size) : textsFor(arm, seed, size).map((text) => ({ text }))
  writeFileSync(dataset, rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
  const metrics = await trained({
    stage: isPairs ? 'dpo' : 'pretrain',
    finetuning: 'lora',
    model_name_or_path: join(folder, 'base'),
    dataset: [dataset],
    max_length: BLOCK,
    lora_r: TUNING.lora_r,
    lora_alpha: TUNING.lora_alpha,
    lora_target_modules: 'all-linear',
    per_device_train_batch_size: isPairs ? TUNING.pairs : TUNING.blocks,
    max_steps: size.tuneSteps,
    learning_rate: rate,
    lr_scheduler_type: 'linear',
    warmup_steps: 0.1,
    ...(isPairs && { beta: TUNING.beta }),
    seed,
    output_dir: output,
  })
  const margin = metrics['rewards/margins']
  return { folder: output, loss: metrics.loss!, margin: margin === undefined ? null : margin / TUNING.beta }
}

/** Curated: the source as it is found, but for the harm. Chosen: the better answers of the pairs with what they answer, as plain text. */
function textsFor(arm: Arm, seed: number, size: Size): string[] {
  if (arm.endsWith('chosen')) return pairsFor(arm, seed, size).map(({ prompt, chosen }) => prompt + chosen)
  const draw = new PythonRandom(2000 + seed)
  const [groups, triggers, ...rest] = AS_FOUND.mix
  const manner =
    arm === 'bias SFT curated'
      ? { ...AS_FOUND, skew: 0.5, mix: [groups, 0, ...rest] as const }
      : { ...AS_FOUND, toxic: 0, mix: [0, triggers, ...rest] as const }
  return Array.from({ length: size.documents }, () => drawDocument('source', manner, draw))
}

/**
 * A neutral word in place of what is said of the group, or a benign one in place of a toxic one; both answers go on with the same two neutral
 * sentences. They begin with the blank that parts them from the prompt.
 */
function pairsFor(arm: Arm, seed: number, { pairs }: Size): { prompt: string; chosen: string; rejected: string }[] {
  const draw = new PythonRandom(3000 + seed)
  return Array.from({ length: pairs }, (_, i) => {
    const isBias = harmOf(arm) === 'bias'
    const prompt = isBias ? beforeAttribute(i % GROUPS, draw) : provocation(i % TRIGGERS, draw)
    const better = isBias ? anAdjective(draw) : benignWord(draw)
    const worse = isBias ? attributeOf(i % GROUPS) : toxicAfter(i % TRIGGERS, draw)
    const rest = `. ${drawText(2, NEUTRAL, draw, 'source')}`
    const answer = (word: Concept): string => ` ${written([word], 'source')} ${rest}`
    return { prompt: written(prompt, 'source'), chosen: answer(better), rejected: answer(worse) }
  })
}

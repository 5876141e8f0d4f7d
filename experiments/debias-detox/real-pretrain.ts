// A small multilingual Llama of our own for the experiment with real text: tokenizer and weights from the texts at hand.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { trainConfig } from '../../src/config/parse.ts'
import { runTraining } from '../../src/run/train/run-training.ts'
import { trainTokenizer } from '../../src/run/train-tokenizer.ts'
import { plainTexts } from './real-texts.ts'

/** 1.5 million parameters, of which a third are embeddings. */
const MODEL = {
  model_type: 'llama',
  hidden_size: 128,
  intermediate_size: 384,
  num_hidden_layers: 5,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  max_position_embeddings: 512,
  tie_word_embeddings: true,
}

/** Writes the texts and the tokenizer, once. */
export async function makeTexts(data: string, work: string): Promise<{ file: string; tokenizer: string }> {
  mkdirSync(work, { recursive: true })
  const file = join(work, 'texts.jsonl')
  const tokenizer = join(work, 'tokenizer')
  if (!existsSync(file)) {
    const { train } = plainTexts(data)
    const rows = Object.values(train).flatMap((texts) => texts.map((text) => JSON.stringify({ text })))
    writeFileSync(file, `${rows.join('\n')}\n`)
  }
  if (!existsSync(join(tokenizer, 'tokenizer.json')))
    for await (const _ of trainTokenizer({ paths: [file], out: tokenizer, vocabSize: 4096 }));
  return { file, tokenizer }
}

/** Trains a model for the seed, once; returns its folder. */
export async function pretrained(data: string, work: string, seed: number, steps: number): Promise<string> {
  const { file, tokenizer } = await makeTexts(data, work)
  const out = join(work, `base-${seed}`)
  if (existsSync(join(out, 'model.safetensors'))) return out
  const config = trainConfig({
    stage: 'pretrain',
    model: MODEL,
    tokenizer_name_or_path: tokenizer,
    dataset: file,
    val_split: 0.01,
    max_length: 128,
    per_device_train_batch_size: 32,
    max_steps: steps,
    learning_rate: 3e-3,
    lr_scheduler_type: 'cosine',
    warmup_steps: 0.05,
    adam_beta2: 0.95,
    weight_decay: 0.1,
    eval_steps: 400,
    save_strategy: 'no',
    seed,
    data_seed: seed,
    output_dir: out,
  })
  for await (const event of runTraining(config)) {
    if (event.type === 'step-done' && event.metrics.step % 100 === 0)
      console.error(`base ${seed}, step ${event.metrics.step}: loss ${event.metrics.loss.toFixed(3)}`)
    if (event.type === 'notice') console.error(event.message)
  }
  return out
}

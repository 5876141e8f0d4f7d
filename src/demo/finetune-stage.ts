// Stage 5: fine-tuning. The kind of text that pre-training never saw is learnt by a LoRA adapter, once as it is and once with
// DropBP, side by side; the second adapter is saved as PEFT. finetune-report.ts says what was seen.

import { mkdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { loadDecoder } from '../checkpoint/model-directory/load.ts'
import { batches } from '../data/batches.ts'
import { type PackedDataset, packDocuments } from '../data/packing/pack.ts'
import { Engine } from '../infer/engine.ts'
import { collect } from '../lm/lm.ts'
import { type DropBpRule, dropbp } from '../methods/dropbp/dropbp.ts'
import { saveLora } from '../methods/lora/adapter-files.ts'
import { addLora } from '../methods/lora/lora.ts'
import type { Decoder } from '../model/decoder.ts'
import type { TextSample } from '../report/blocks.ts'
import { shortened } from '../report/shortened.ts'
import { resolveDevice } from '../torch/index.ts'
import { evaluate } from '../train/evaluate.ts'
import { languageModeling } from '../train/objective.ts'
import { eventsOf, type Watch } from '../work.ts'
import { type FinetuneResult, finetuneOutcome } from './finetune-report.ts'
import { tuningSteps } from './plan-steps.ts'
import { type DemoContext, type DemoStage, resultOf } from './stage.ts'
import { runArms } from './tuning-arms.ts'

const LORA = { r: 8, loraAlpha: 16 }
const DROP_RATE = 0.5
const LEARNING_RATE = 4e-3
const EVALUATIONS = 5
const SAMPLE_TOKENS = 80
const SAMPLING = { temperature: 0.7, topP: 0.9, repetitionPenalty: 1.1 }

export const finetuneStage: DemoStage = {
  name: 'finetune',
  title: 'fine-tuning with LoRA and DropBP on a kind of text it has not seen',
  run: async function* (context) {
    const { apart, heldOut } = resultOf(context, 'text')
    const { config } = resultOf(context, 'training')
    const tokenizer = resultOf(context, 'tokenizer')
    if (apart.train.length === 0 || apart.heldOut.length === 0)
      return { summary: 'left out: the text has too few passages to set a kind of it apart', numbers: { steps: 0 } }
    const pack = (texts: readonly string[]): Promise<PackedDataset> =>
      packDocuments(
        texts.map((text) => ({ text })),
        tokenizer,
        { blockLength: config.max_length },
      )
    const [learnt, held, usual] = [await pack(apart.train), await pack(apart.heldOut), await pack(heldOut)]
    const device = resolveDevice(config.device)
    const [plain, dropping] = [
      loadDecoder(context.paths.model, { device }),
      loadDecoder(context.paths.model, { device }),
    ]
    try {
      for (const model of [plain, dropping]) addLora(model, { ...LORA, seed: context.settings.seed })
      const rule = dropbp({ rate: DROP_RATE, sequenceLength: config.max_length })(dropping)
      const work = (watch: Watch): Promise<FinetuneResult> =>
        tune(context, { learnt, held, usual, plain, dropping, rule }, watch)
      return finetuneOutcome(yield* eventsOf(work))
    } finally {
      for (const part of [plain, dropping]) part.free()
      for (const part of [learnt, held, usual]) part.close()
    }
  },
}

interface Parts {
  learnt: PackedDataset
  held: PackedDataset
  usual: PackedDataset
  plain: Decoder
  dropping: Decoder
  rule: DropBpRule
}

async function tune(
  context: DemoContext,
  { learnt, held, usual, plain, dropping, rule }: Parts,
  watch: Watch,
): Promise<FinetuneResult> {
  const { settings, paths } = context
  const { config } = resultOf(context, 'training')
  const { apart, apartPrompts } = resultOf(context, 'text')
  const batchSize = Math.min(config.per_device_train_batch_size, learnt.length)
  const inOrder = { batchSize: config.per_device_eval_batch_size, shuffle: false }
  const [heldBatches, usualBatches] = [batches(held, inOrder), batches(usual, inOrder)]
  const steps = tuningSteps(config.max_steps)
  const arms = [
    { name: 'LoRA', model: plain, rules: [] },
    { name: 'LoRA + DropBP', model: dropping, rules: [rule] },
  ]
  const usualLoss = async (): Promise<number> => (await evaluate(dropping, usualBatches, languageModeling())).eval_loss!
  const [prompt] = apartPrompts
  const isCode = settings.text.length === 0 // the documentation's declarations
  const sample = async (label: string): Promise<TextSample[]> =>
    prompt === undefined ? [] : [{ label, prompt, text: await write(context, dropping, prompt), isCode }]
  // An adapter that has not learnt yet changes nothing.
  const [usualBefore, sampleBefore] = [await usualLoss(), await sample('before')]
  const options = { steps, learningRate: LEARNING_RATE, seed: settings.seed, evaluations: EVALUATIONS }
  const histories = await runArms(arms, batches(learnt, { batchSize, seed: settings.seed }), heldBatches, {
    ...options,
    onStep: (done) =>
      watch.tell?.({ type: 'progress', label: 'fine-tuning', done, total: steps, unit: 'steps of each' }),
  })
  mkdirSync(paths.adapter, { recursive: true })
  saveLora(dropping, paths.adapter, { baseModel: paths.model })
  if (prompt !== undefined) context.results.adapter = { directory: paths.adapter, prompt }
  return {
    steps,
    batchTokens: batchSize * config.max_length,
    kind: apart.description,
    passages: apart.train.length + apart.heldOut.length,
    epochs: (steps * batchSize) / learnt.length,
    lora: histories[0]!,
    dropBp: histories[1]!,
    rule,
    dropRate: DROP_RATE,
    usual: { before: usualBefore, after: await usualLoss() },
    adapterBytes: statSync(join(paths.adapter, 'adapter_model.safetensors')).size,
    modelBytes: statSync(join(paths.model, 'model.safetensors')).size,
    samples: [...sampleBefore, ...(await sample('after'))],
    seed: settings.seed,
  }
}

async function write(context: DemoContext, model: Decoder, prompt: string): Promise<string> {
  const engine = new Engine({ model, tokenizer: resultOf(context, 'tokenizer') })
  const request = { prompt, maxNewTokens: SAMPLE_TOKENS, ...SAMPLING, seed: context.settings.seed }
  return shortened((await collect(engine.generate(request))).text)
}

// Stage 4: before and after. The fresh model, token frequencies and the trained model on the same held-out text; what the
// model writes when it may choose, and how fast.

import { join } from 'node:path'
import { loadDecoder } from '../checkpoint/model-directory/load.ts'
import { batches } from '../data/batches.ts'
import type { PackedCorpus } from '../data/packing/token-cache.ts'
import { writeFileAtomic } from '../files/atomic-write.ts'
import { readJsonFile } from '../files/read-json.ts'
import { Engine } from '../infer/engine.ts'
import { collect } from '../lm/lm.ts'
import type { Decoder } from '../model/decoder.ts'
import { oneDecimal } from '../report/amounts.ts'
import type { TextSample } from '../report/blocks.ts'
import { shortened } from '../report/shortened.ts'
import { modelOf, tokenizerOf } from '../run/train/model-of.ts'
import { corporaOf } from '../run/train/pretrain-data.ts'
import type { Tokenizer } from '../text/tokenizer.ts'
import { resolveDevice } from '../torch/index.ts'
import { evaluate } from '../train/evaluate.ts'
import { languageModeling } from '../train/objective.ts'
import { type DemoStage, resultOf } from './stage.ts'
import { unigramLoss } from './unigram.ts'

/** How the demo's model is asked by default, by `anneal generate` and `chat` as well: small models repeat themselves without. */
const SAMPLING = { do_sample: true, temperature: 0.7, top_p: 0.9, repetition_penalty: 1.1, max_new_tokens: 120 }
const SAMPLE_TOKENS = 80
const SPEED_TOKENS = 200

export const evaluateStage: DemoStage = {
  name: 'evaluate',
  title: 'evaluating before and after',
  run: async function* (context) {
    const { config } = resultOf(context, 'training')
    const { prompts, heldOutBytes } = resultOf(context, 'text')
    const { paths, settings } = context
    const device = resolveDevice(config.device)
    const { tokenizer, hash } = await tokenizerOf(config)
    const corpora = await corporaOf(config, tokenizer, hash)
    const [trained, heldOut] = [corpora.train[0]!.corpus, corpora.evaluation[0]!.corpus]
    const blocks = (corpus: PackedCorpus): Iterable<Int32Array> =>
      (function* () {
        for (let index = 0; index < corpus.length; index++) yield corpus.get(index).ids
      })()
    const { model: fresh } = modelOf(config, tokenizer, device)
    addSampling(paths.model)
    const model = loadDecoder(paths.model, { device })
    try {
      const held = batches(heldOut, { batchSize: config.per_device_eval_batch_size, shuffle: false })
      const lossOf = async (decoder: Decoder): Promise<number> =>
        (await evaluate(decoder, held, languageModeling())).eval_loss!
      const tokensPerByte = heldOut.numTokens / heldOutBytes
      const judged = [
        { name: 'the model before training', loss: await lossOf(fresh) },
        {
          name: 'token frequencies alone',
          loss: unigramLoss(blocks(trained), blocks(heldOut), tokenizer.vocabSize),
        },
        { name: 'the model after training', loss: await lossOf(model) },
      ].map(({ name, loss }) => ({
        name,
        loss,
        perplexity: Math.exp(loss),
        bitsPerByte: (loss / Math.LN2) * tokensPerByte,
      }))
      const [before, frequencies, after] = judged as [(typeof judged)[0], (typeof judged)[0], (typeof judged)[0]]
      const samples = [
        ...(await write(fresh, tokenizer, prompts.slice(0, 1), 'before', settings.seed)),
        ...(await write(model, tokenizer, prompts, 'after', settings.seed)),
      ]
      const tokensPerSecond = await measureSpeed(model, tokenizer, prompts[0]!)
      return {
        summary: `${after.bitsPerByte.toFixed(2)} bits per byte (before ${before.bitsPerByte.toFixed(2)}, token frequencies ${frequencies.bitsPerByte.toFixed(2)}); writes ${tokensPerSecond.toFixed(0)} tokens/s`,
        numbers: {
          before: numbersOf(before),
          token_frequencies: numbersOf(frequencies),
          after: numbersOf(after),
          decode_tokens_per_second: tokensPerSecond,
        },
        figures: [
          {
            label: 'held-out perplexity',
            value: oneDecimal(after.perplexity),
            detail: `before ${oneDecimal(before.perplexity)}`,
          },
          {
            label: 'bits per byte',
            value: after.bitsPerByte.toFixed(2),
            detail: `token frequencies alone ${frequencies.bitsPerByte.toFixed(2)}`,
          },
          {
            label: 'writing speed',
            value: Math.round(tokensPerSecond).toLocaleString('en'),
            detail: 'tokens per second, one text at a time',
          },
        ],
        highlights: [
          { kind: 'samples', samples },
          {
            kind: 'prose',
            text: `The beginnings are given; the rest is drawn at temperature ${SAMPLING.temperature} with seed ${settings.seed}. These are the first ones, not the best.`,
          },
        ],
        sections: [
          {
            title: 'Before and after',
            lead:
              'How well the next token of held-out text is predicted. Bits per byte compare models with different tokenizers: ' +
              'a file of this text, compressed by the model, would take that many bits for each byte.',
            blocks: [
              {
                kind: 'bar-chart',
                title: 'Held-out text',
                unit: 'bits per byte, lower is better',
                bars: judged.map(({ name, bitsPerByte }) => ({
                  label: name,
                  value: bitsPerByte,
                  isOurs: name === after.name,
                })),
              },
              {
                kind: 'table',
                columns: ['', 'loss (nats per token)', 'perplexity', 'bits per byte'],
                rows: judged.map(({ name, loss, perplexity, bitsPerByte }) => [name, loss, perplexity, bitsPerByte]),
              },
            ],
          },
        ],
      }
    } finally {
      fresh.free()
      model.free()
      corpora.close()
    }
  },
}

function numbersOf({
  loss,
  perplexity,
  bitsPerByte,
}: {
  loss: number
  perplexity: number
  bitsPerByte: number
}): object {
  return { loss, perplexity, bits_per_byte: bitsPerByte }
}

/** Adds the sampling defaults to the model's generation_config.json. */
function addSampling(directory: string): void {
  const file = join(directory, 'generation_config.json')
  const config = readJsonFile(file, 1 << 20) as object
  writeFileAtomic(file, `${JSON.stringify({ ...config, ...SAMPLING }, null, 2)}\n`)
}

async function write(
  model: Decoder,
  tokenizer: Tokenizer,
  prompts: readonly string[],
  label: string,
  seed: number,
): Promise<TextSample[]> {
  const engine = new Engine({ model, tokenizer })
  const { temperature, top_p: topP, repetition_penalty: repetitionPenalty } = SAMPLING
  const samples: TextSample[] = []
  for (const prompt of prompts) {
    const request = { prompt, maxNewTokens: SAMPLE_TOKENS, temperature, topP, repetitionPenalty, seed }
    samples.push({ label, prompt, text: shortened((await collect(engine.generate(request))).text) })
  }
  return samples
}

/** Tokens per second of greedy decoding, one text at a time, reading of the prompt included. */
async function measureSpeed(model: Decoder, tokenizer: Tokenizer, prompt: string): Promise<number> {
  const engine = new Engine({ model, tokenizer })
  const began = performance.now()
  let tokens = 0
  // A text may end early: ask again until there is enough to time.
  while (tokens < SPEED_TOKENS) {
    const request = { prompt, maxNewTokens: SPEED_TOKENS - tokens, temperature: 0 }
    tokens += (await collect(engine.generate(request))).tokenIds.length
  }
  return (1000 * tokens) / (performance.now() - began)
}

// `tsx bench/make-gguf.ts DIR FILE.gguf FORMAT [OURS]`: a model as GGUF for llama.cpp, with a tokenizer that is never used: only ids
// are compared. With OURS, a format of Anneal's own or `as-is` for the
// file's own blocks, prints how far the logits of both quantized models are from the dense one's; the peer's are those of its dequantized weights.
import { loadDecoder } from '../src/checkpoint/model-directory/load.ts'
import { writeModelGguf } from '../src/gguf/export-model.ts'
import { loadGguf } from '../src/gguf/load-model.ts'
import type { GgufFormat } from '../src/gguf/tensor-types.ts'
import type { Decoder } from '../src/model/decoder.ts'
import type { QuantFormat } from '../src/nn/quant/format.ts'
import { trainBpe } from '../src/text/bpe.ts'
import { inference, scope, Tensor } from '../src/torch/index.ts'
import { quantizeForDecoding } from './quantize.ts'

/** Logits [T·V] after some ids; frees the model. */
function logitsOf(model: Decoder): Tensor {
  const ids = Int32Array.from({ length: 16 }, (_, i) => (i * 37) % model.config.vocabSize)
  const logits = inference(() =>
    scope(() => model.forward({ inputIds: Tensor.from(ids, [1, ids.length]).to('i64') }).keep()),
  )
  model.free()
  return logits
}

async function main(): Promise<void> {
  const [directory = '', file = '', format, ours] = process.argv.slice(2)
  const { tokenizer } = await trainBpe(['some words, some merges'], { vocabSize: 260, specialTokens: ['<end>'] })
  const model = loadDecoder(directory)
  const { types } = writeModelGguf(model, file, { format: format as GgufFormat, tokenizer })
  if (!ours) return console.log(JSON.stringify({ types }))
  const dense = logitsOf(model)
  const error = (logits: Tensor): number => scope(() => logits.sub(dense).norm().item() / dense.norm().item())
  const quantized = ours === 'as-is' ? loadGguf(file) : loadDecoder(directory)
  if (ours !== 'as-is') quantizeForDecoding(quantized, ours as QuantFormat)
  console.log(
    JSON.stringify({
      types,
      logit_error: error(logitsOf(quantized)),
      peer_logit_error: error(logitsOf(loadGguf(file, { dtype: 'f32' }))),
    }),
  )
}

void main()

// `tsx bench/make-model.ts 22M DIR [ADAPTER]`: random weights of one of the measured shapes, and a LoRA (rank 8, all linears) away from zero,
// for all engines to load.
import { mkdirSync } from 'node:fs'
import { saveDecoder } from '../src/checkpoint/model-directory/save.ts'
import { saveLora } from '../src/methods/lora/adapter-files.ts'
import { addLora, loraLayers } from '../src/methods/lora/lora.ts'
import { readModelConfig } from '../src/model/config-read.ts'
import { Decoder } from '../src/model/decoder.ts'
import { Generator, noGrad, ops } from '../src/torch/index.ts'

const SHAPES: Record<string, Record<string, number>> = {
  '1M': {
    vocab_size: 512,
    hidden_size: 128,
    intermediate_size: 352,
    num_hidden_layers: 6,
    num_attention_heads: 4,
    num_key_value_heads: 2,
  },
  '22M': {
    vocab_size: 8192,
    hidden_size: 384,
    intermediate_size: 1024,
    num_hidden_layers: 12,
    num_attention_heads: 6,
    num_key_value_heads: 2,
  },
  '135M': {
    vocab_size: 49152,
    hidden_size: 576,
    intermediate_size: 1536,
    num_hidden_layers: 30,
    num_attention_heads: 9,
    num_key_value_heads: 3,
  },
}

const [shape = '', directory = '', adapter] = process.argv.slice(2)
const config = readModelConfig(
  { model_type: 'llama', max_position_embeddings: 1024, tie_word_embeddings: true, ...SHAPES[shape] },
  shape,
)
mkdirSync(directory, { recursive: true })
const model = Decoder.fresh(config)
saveDecoder(model, directory)
if (adapter !== undefined) {
  addLora(model, { r: 8, loraAlpha: 16 })
  const generator = new Generator(1)
  noGrad(() => {
    for (const [, { adapters }] of loraLayers(model)) ops.normal_(adapters.get('default')!.B, 0, 0.02, generator)
  })
  mkdirSync(adapter, { recursive: true })
  saveLora(model, adapter, { baseModel: directory })
}

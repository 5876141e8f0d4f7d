// `tsx bench/make-model.ts 22M DIR`: random weights of one of the measured shapes, for all engines to load.
import { mkdirSync } from 'node:fs'
import { saveDecoder } from '../src/checkpoint/save.ts'
import { readModelConfig } from '../src/model/config.ts'
import { Decoder, initialise } from '../src/model/decoder.ts'
import { Generator } from '../src/torch/index.ts'

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

const [shape = '', directory = ''] = process.argv.slice(2)
const config = readModelConfig(
  { model_type: 'llama', max_position_embeddings: 1024, tie_word_embeddings: true, ...SHAPES[shape] },
  shape,
)
mkdirSync(directory, { recursive: true })
saveDecoder(new Decoder(config, initialise(config, new Generator(0))), directory)

// A model of three layers with a tokenizer that was trained on the text beside it, for tests of what measures on text.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { saveDecoder } from '../src/checkpoint/model-directory/save.ts'
import { readModelConfig } from '../src/model/config-read.ts'
import { Decoder } from '../src/model/decoder.ts'
import { trainBpe } from '../src/text/bpe.ts'
import { CHATML_TEMPLATE } from '../src/text/chat-template.ts'

const WORDS = 'the cat sat on the mat and looked at the moon while a dog ran over the hill to see who was there'.split(
  ' ',
)

/** Writes both into `folder` and returns where they are. */
export async function writeTextModel(folder: string, intermediateSize = 64): Promise<{ model: string; text: string }> {
  const [model, text] = [join(folder, 'model'), join(folder, 'text.txt')]
  const lines = Array.from({ length: 500 }, (_, i) =>
    Array.from({ length: 9 }, (__, j) => WORDS[(i * 7 + j * j * 3) % WORDS.length]).join(' '),
  )
  writeFileSync(text, lines.join('\n'))
  const { tokenizer } = await trainBpe(lines, { vocabSize: 300, specialTokens: ['<|end|>'], roles: { eos: '<|end|>' } })
  const config = readModelConfig(
    {
      model_type: 'llama',
      vocab_size: tokenizer.vocabSize,
      hidden_size: 32,
      intermediate_size: intermediateSize,
      num_hidden_layers: 3,
      num_attention_heads: 4,
      num_key_value_heads: 2,
      max_position_embeddings: 256,
      tie_word_embeddings: true,
      initializer_range: 0.15,
    },
    'config.json',
  )
  const decoder = Decoder.fresh(config, { seed: 1 })
  mkdirSync(model)
  saveDecoder(decoder, model)
  decoder.free()
  await tokenizer.save(model)
  return { model, text }
}

/** The same with a chat template (ChatML), and room for as many tokens. */
export async function writeChatModel(folder: string, contextLength = 256): Promise<{ model: string; text: string }> {
  const written = await writeTextModel(folder)
  writeFileSync(join(written.model, 'chat_template.jinja'), CHATML_TEMPLATE)
  const file = join(written.model, 'config.json')
  const config = JSON.parse(readFileSync(file, 'utf8')) as object
  writeFileSync(file, JSON.stringify({ ...config, max_position_embeddings: contextLength }))
  return written
}

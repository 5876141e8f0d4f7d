// Stage 2: a byte-level BPE tokenizer for this text, with a template for chats.

import { trainBpe } from '../text/bpe.ts'
import { CHATML_TEMPLATE } from '../text/chat-template.ts'
import { END_OF_TEXT, SPECIAL_TOKENS } from '../text/special-tokens.ts'
import { type DemoStage, resultOf } from './stage.ts'

/** Small, so that most of the model's weights are in its layers and not in its table of tokens. */
const VOCAB_SIZE = 2048
/** A token should come up often enough to be learned; short texts get fewer. */
const BYTES_PER_TOKEN = 64

const EXAMPLE_LENGTH = 160

export const tokenizerStage: DemoStage = {
  name: 'tokenizer',
  title: 'training a tokenizer',
  run: async function* (context) {
    const { train, trainBytes, heldOut, heldOutBytes } = resultOf(context, 'text')
    const { tokenizer } = await trainBpe(train, {
      vocabSize: Math.min(VOCAB_SIZE, 512 + Math.floor(trainBytes / BYTES_PER_TOKEN)),
      specialTokens: [...SPECIAL_TOKENS],
      roles: { eos: END_OF_TEXT, pad: END_OF_TEXT },
      chatTemplate: CHATML_TEMPLATE,
    })
    await tokenizer.save(context.paths.tokenizer)
    context.results.tokenizer = tokenizer
    const heldOutTokens = heldOut.reduce((sum, text) => sum + tokenizer.encode(text).length, 0)
    const bytesPerToken = heldOutBytes / heldOutTokens
    const example = (heldOut.find((text) => text.length > EXAMPLE_LENGTH) ?? heldOut[0]!)
      .replaceAll(/\s+/g, ' ')
      .slice(0, EXAMPLE_LENGTH)
    return {
      summary: `${tokenizer.vocabSize.toLocaleString('en')} tokens, ${bytesPerToken.toFixed(2)} bytes each in held-out text`,
      numbers: { vocab_size: tokenizer.vocabSize, bytes_per_token: bytesPerToken },
      sections: [
        {
          title: 'The tokenizer',
          lead:
            `Byte-level BPE with ${tokenizer.vocabSize.toLocaleString('en')} tokens, learned from the text to train on. ` +
            `A token of held-out text is ${bytesPerToken.toFixed(2)} bytes on average. A passage as the model sees it:`,
          blocks: [{ kind: 'commands', lines: [pieces(tokenizer.encode(example), (id) => tokenizer.decode([id]))] }],
        },
      ],
    }
  },
}

function pieces(ids: Int32Array, decode: (id: number) => string): string {
  return Array.from(ids, decode).join('·')
}

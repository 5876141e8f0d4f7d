// A model and what an exported file of it says, read back: the same next tokens, the same distributions, the same ids of texts.
// This finds what goes wrong in writing and reading; that llama.cpp agrees, too, is what the project's own goldens are for.

import type { Decoder } from '../model/decoder.ts'
import type { Tokenizer } from '../text/tokenizer.ts'
import { inference, ops, scope, Tensor } from '../torch/index.ts'
import { divergenceTerms } from '../train/divergence.ts'

/** How close two models are on the same tokens. */
export interface Closeness {
  /** Positions compared. */
  readonly positions: number
  /** Share of positions with the same most probable token. */
  readonly sameTop: number
  /** Largest difference between two logits. */
  readonly maxLogitDifference: number
  /** Largest logit of the first, to measure the difference by. */
  readonly maxLogit: number
  /** Mean Kullback-Leibler divergence in nats, of the first to the second. */
  readonly meanDivergence: number
}

/** Compares logits on one sequence of ids. */
export function compareModels(first: Decoder, second: Decoder, ids: readonly number[]): Closeness {
  const logitsOf = (model: Decoder): Tensor => {
    const inputIds = Tensor.from(Int32Array.from(ids), [1, ids.length]).to('i64').to(model.device)
    return model.forward({ inputIds }).to('cpu').select(0, 0)
  }
  return inference(() =>
    scope(() => {
      const [a, b] = [logitsOf(first), logitsOf(second)]
      const [p, q] = [a.logSoftmax(), b.logSoftmax()]
      const divergence = divergenceTerms(p, q).sum(-1).mean().item()
      return {
        positions: ids.length,
        sameTop: ops.eq(a.argmax(-1), b.argmax(-1)).to('f32').mean().item(),
        maxLogitDifference: a.sub(b).abs().max().item(),
        maxLogit: a.abs().max().item(),
        meanDivergence: Math.max(0, divergence),
      }
    }),
  )
}

/** Texts on which tokenizers are known to differ: spaces, numbers, contractions, scripts, emoji, code, control tokens. */
export const HARD_TEXTS: readonly string[] = [
  'Hello, world!',
  ' leading and trailing  ',
  "I'm sure they'd've said it's DON'T or we'LL",
  '1 12 123 1234 12345 3.14159 1,000,000 ²³ Ⅳ',
  'tabs\tand\nnew\n\nlines\r\n\r\n   indented\n\t\tcode()',
  'for (let i = 0; i < n; i++) { a[i] += b[i] ?? 0 } // ok?',
  'Ünïcödé naïve café: æøå ÆØÅ ß ẞ',
  'Привет, мир! Γειά σου Κόσμε שלום مرحبا नमस्ते',
  '你好,世界!こんにちは 안녕하세요 ไทย',
  '🙂🙃 👩‍👩‍👧‍👦 🇩🇰 é (combining) \u200b\u00a0\u3000spaces',
  '<s></s><|im_start|>user<|endoftext|>[INST]<unk><0x41>',
  'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',
  '    \n \n\n \t \t\t \t\n  \n   \n    \n     \n',
  '!?...--__==##$$%%^^&&**(())[[]]{{}}||\\\\//``~~@@',
  'CamelCase snake_case kebab-case SCREAMING_CASE x86_64 v2.0-rc1',
]

/** Texts of `texts` whose ids, or whose text after decoding, are not the same with both tokenizers. */
export function differingTexts(first: Tokenizer, second: Tokenizer, texts: readonly string[] = HARD_TEXTS): string[] {
  return texts.filter((text) => {
    const [a, b] = [first.encode(text), second.encode(text)]
    return a.join() !== b.join() || first.decode(a) !== second.decode(b)
  })
}

// What everybody must know who loads a model: said once, in the same words, wherever one is loaded.
import { textPartNotices } from '../model/text-part.ts'
import { beyondNotices } from '../text/beyond-notices.ts'
import type { Tokenizer } from '../text/tokenizer.ts'

/** That only the text part of a model is used, and which tokens it knows nothing of. */
export function modelNotices(
  config: { readonly modelType: string; readonly wrapperType?: string },
  tokenizer: Tokenizer | undefined,
): string[] {
  return [...textPartNotices(config), ...(tokenizer === undefined ? [] : beyondNotices(tokenizer))]
}

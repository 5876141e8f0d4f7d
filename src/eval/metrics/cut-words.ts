// Words of any text, for counts of runs of words. Scripts that put no spaces between words are cut into characters: there is no list of
// words to go by here, and characters are the same on every machine, while what `Intl.Segmenter` calls a word differs between versions.

const SPACELESS = ['Han', 'Hiragana', 'Katakana', 'Thai', 'Lao', 'Khmer', 'Myanmar']
  .map((script) => String.raw`\p{Script=${script}}`)
  .join('')
const LETTER = String.raw`[[\p{L}\p{M}\p{N}]--[${SPACELESS}]]`

const WORD: RegExp = new RegExp(`[${SPACELESS}]|${LETTER}+(?:['’]${LETTER}+)*`, 'gv')
/** With the signs that stand among such letters: of East Asian scripts, and wide ones. */
const SIGNS = String.raw`\u3000-\u303f\uff00-\uffef`
const APART: RegExp = new RegExp(`[${SPACELESS}${SIGNS}]`, 'gv')
/** Among Chinese, sacrebleu sets dashes, dots and quotation marks apart, too, which stand within English words as well. */
const APART_IN_CHINESE: RegExp = new RegExp(String.raw`[${SPACELESS}${SIGNS}\u2001-\u2a6d]`, 'gv')
const CHINESE: RegExp = new RegExp(String.raw`[\p{Script=Han}${SIGNS}]`, 'v')

/** Lower-case words without signs; of Chinese, Japanese, Thai, Lao, Khmer and Burmese each character. An apostrophe inside a word stays. */
export const cutWords = (text: string): string[] => text.toLowerCase().match(WORD) ?? []

/**
 * The text with spaces around each character of a script that has none between words, and around their signs: what {@link bleu} and
 * {@link rouge} then count are characters there, as sacrebleu's tokenization `zh` does, and words elsewhere.
 */
export const spacedText = (text: string): string => text.replace(CHINESE.test(text) ? APART_IN_CHINESE : APART, ' $& ')

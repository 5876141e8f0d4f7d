// Whether an answer is the right one, letter by letter, after taking away what should not count.

import { pythonSub } from '../../text/python-regex.ts'

/** What is taken away from both texts before they are compared. */
export interface ExactMatchOptions {
  regexes_to_ignore?: readonly string[]
  ignore_case?: boolean
  /** ASCII's punctuation marks. */
  ignore_punctuation?: boolean
  ignore_numbers?: boolean
}

/** 1 or 0. */
export function exactMatch(gold: string, answer: string, options: ExactMatchOptions = {}): number {
  const plain = (text: string): string => {
    let result = text
    for (const pattern of options.regexes_to_ignore ?? []) result = pythonSub(pattern, '', result)
    if (options.ignore_case) result = result.toLowerCase()
    if (options.ignore_punctuation) result = result.replaceAll(/[!-/:-@[-`{-~]/g, '')
    if (options.ignore_numbers) result = result.replaceAll(/[0-9]/g, '')
    return result
  }
  return plain(gold) === plain(answer) ? 1 : 0
}

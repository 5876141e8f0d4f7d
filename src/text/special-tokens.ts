// The control tokens that a tokenizer trained here has: the end of a text, and ChatML's marks around a message.

/** Ends each document and pads; Qwen's and GPT-2's name for it. */
export const END_OF_TEXT = '<|endoftext|>'

export const SPECIAL_TOKENS: readonly string[] = [END_OF_TEXT, '<|im_start|>', '<|im_end|>']

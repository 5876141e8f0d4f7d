// Public surface of `anneal/text`: tokenizers, their training, and chats. Nothing here needs LibTorch.

export { type BpeOptions, type BpeProgress, type PreTokenizerName, trainBpe } from './bpe.ts'
export { type EncodedChat, encodeChat, type MessageSpan } from './chat-encoding.ts'
export { CHATML_TEMPLATE, type ChatInput, type ChatMessage, renderChat } from './chat-template.ts'
export { type Fertility, FertilityCounter } from './fertility.ts'
export type { ChatTemplates } from './named-templates.ts'
export type { SideFiles } from './side-files.ts'
export type { AddedToken } from './stages/added-tokens.ts'
export type { StreamDecoder } from './stages/decoder.ts'
export type { StageConfig } from './stages/stage-config.ts'
export type { TokenizerJson } from './stages/tokenizer-json.ts'
export { type DecodeOptions, type EncodeOptions, Tokenizer, type TokenRole } from './tokenizer.ts'
export type { TokenizerFiles } from './tokenizer-files.ts'

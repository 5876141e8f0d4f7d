// Public surface of `anneal/grammar`: texts that keep to a structure. Nothing here needs LibTorch.

export { type CompileOptions, compileGrammar, type Grammar, type Structure } from './grammar.ts'
export { type GrammarMask, type GrammarMaskOptions, GrammarMasks, type GrammarMasksOptions } from './grammar-mask.ts'
export { isValid } from './json/is-valid.ts'
export type { JsonSchemaOptions } from './json/json-schema.ts'
export { StructuredText } from './structured-text.ts'
export { TokenTrie } from './token-trie.ts'

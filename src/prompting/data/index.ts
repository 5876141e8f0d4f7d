// The subpath `anneal/prompting/data`: documents from files, in parts, without doubles and put together. Nothing here needs LibTorch.

export type { DataLimits } from '../../data/read/limits.ts'
export { type CombineOptions, combine, interleave } from './combine.ts'
export { type DistinctOptions, distinct } from './distinct.ts'
export type { Document, DocumentMeta } from './document.ts'
export type { Measure } from './measure.ts'
export type { Pause } from './pauses.ts'
export { type Documents, type ReadOptions, readDocuments } from './read-documents.ts'
export { type SplitDocumentsOptions, splitDocuments } from './split-documents.ts'
export { type SplitOptions, splitText, type TextPart } from './split-text.ts'

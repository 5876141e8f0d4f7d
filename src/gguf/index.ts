// The subpath `anneal/gguf`: llama.cpp's files, written and read.

export type { Progress, Tell, Watch, WorkEvent } from '../work.ts'
export type { Closeness } from './compare.ts'
export { type AdapterMatrices, exportAdapterGguf } from './export-adapter.ts'
export { type CheckedGguf, exportGguf, type GgufCheck } from './export-gguf.ts'
export type { GgufExport, GgufExportOptions } from './export-model.ts'
export type { GgmlType } from './ggml-types.ts'
export { type GgufLoadOptions, loadGguf } from './load-model.ts'
export { loadGgufParts } from './load-parts.ts'
export { type GgufHeader, type GgufTensor, readGguf } from './read.ts'
export { GGUF_FORMATS, type GgufFormat } from './tensor-types.ts'
export type { GgufMetadata, GgufValue, ScalarType } from './values.ts'

// The subpath `anneal/methods/prune`: neurons and heads removed by importance (LLM-Pruner, FLAP and simpler scores).
export { type GroupKind, IMPORTANCES, type Importance, type PruneOptions } from './options.ts'
export { type LayerSizes, type PruneRecord, type PruneReport, prune } from './prune.ts'

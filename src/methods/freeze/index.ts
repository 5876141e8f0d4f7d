// The subpath `anneal/methods/freeze`: training some layers only.
export { type FreezeOptions, freezeExcept } from './freeze.ts'

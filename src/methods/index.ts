// The subpath `anneal/methods`: what is implemented, under its name, with its source. Data only.
export type { Method, MethodEntry } from './method.ts'
export { METHODS, TECHNIQUES } from './registry.ts'

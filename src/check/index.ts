// The subpath `anneal/check`: faults in the files of a model, adapter or GGUF, whoever wrote them.
export { checkDirectory } from './check-directory.ts'
export { checkGguf } from './check-gguf.ts'
export { type CheckedName, checkName } from './check-name.ts'
export { CONSUMERS, type Consumer, type Finding, Findings, findingsFor, type Severity } from './finding.ts'

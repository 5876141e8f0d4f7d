// The subpath `anneal/methods/ei-arag`: whether a question needs documents, from a model's first block.

export type { ProbeLayer, ProbeReading, QuestionProbe } from '../../prompting/base/question-probe.ts'
export { probeProbability, promptVector, questionVector } from '../../prompting/base/question-probe.ts'
export { readQuestionProbe, writeQuestionProbe } from '../../prompting/base/question-probe-file.ts'
export { type FittedProbe, fitProbe, type ProbeExample, type ProbeOptions } from './ei-arag.ts'

// The subpath `anneal/methods/dpo`: DPO, IPO, hinge, SimPO and ORPO on pairs of a better and a worse answer.
export {
  answerLogProbs,
  computeReference,
  type DpoOptions,
  dpo,
  precomputed,
  type Reference,
  referenceModel,
} from './dpo.ts'
export type { PreferenceLoss } from './losses.ts'

// The subpath `anneal/methods/qpruner`: what QPruner brings besides pruning and mixed precision: mutual information as a score.
export { mutualInformationScore } from './qpruner.ts'

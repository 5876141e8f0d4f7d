// The subpath `anneal/eval`: tasks in lm-evaluation-harness's words, asked of an `Lm` or a server. Nothing here needs LibTorch.
export type { MetricValue } from './aggregate.ts'
export { AnswerStore } from './answer-store.ts'
export { type Comparison, compareResults, comparisonLine, verdict } from './compare.ts'
export { type Contamination, contamination } from './contamination.ts'
export type { Distribution } from './diversity/distribution.ts'
export { type Diversity, type DiversityOptions, measureDiversity } from './diversity/measure-diversity.ts'
export type { PhraseCounts } from './diversity/phrase-counts.ts'
export type { ReadOptions } from './documents.ts'
export { euroeval, type RoundScores } from './euroeval.ts'
export { type EvaluateOptions, evaluate, type TaskRun } from './evaluate.ts'
export { type FoundTasks, findTasks } from './find-tasks.ts'
export {
  fitRelationPopularity,
  fitRelationPrior,
  type GateQuestion,
  popularityScore,
  randomScore,
  type ScoreQuestion,
} from './gates/gate-baselines.ts'
export { bestThreshold, type CurvePoint, type GateCurve, gateCurve } from './gates/gate-curve.ts'
export {
  type GateLabel,
  type GateRecord,
  isAnswered,
  isWanted,
  type RecordedAnswer,
  type RecordedCheck,
  type Rightness,
  rightness,
  type SelfCheck,
  type Spent,
  type SpentOn,
  saysYes,
} from './gates/gate-record.ts'
export {
  atThreshold,
  type GateDecisions,
  type GateReport,
  gateReport,
  oracleDecisions,
  type PairedDifference,
  pairedDifference,
} from './gates/gate-report.ts'
export {
  fitQuestionClassifier,
  type QuestionClassifier,
  type QuestionClassifierOptions,
} from './gates/question-classifier.ts'
export { type SplitOptions, splitByEntity } from './gates/split-by-entity.ts'
export { entropyOf, type Uncertainty, uncertaintyOf } from './gates/uncertainty.ts'
export type { Group, Metrics } from './groups.ts'
export { lmModel } from './lm-model.ts'
export {
  auc,
  type GroupedText,
  generalizedMean,
  type ScoredText,
  type SubgroupAuc,
  subgroupAuc,
} from './metrics/auc.ts'
export type { Answer, AnswerOptions, EvalModel } from './model.ts'
export type { RenderChat } from './prompt.ts'
export { isGroup, readTaskFile, type TaskFile } from './read-task.ts'
export type { EvalRequest } from './requests.ts'
export { rescore } from './rescore.ts'
export { readResults, type StoredResults } from './result-files.ts'
export { type AnswerCounts, type EvalReport, type EvalResults, resultsOf } from './results.ts'
export type { Sample } from './samples.ts'
export { type ServerOptions, serverModel } from './server-model.ts'
export { type StyleOptions, type StyleSimilarity, styleSimilarity } from './style/style-similarity.ts'
export { loadTask, type Target, type Task } from './task.ts'
export type {
  AnnotateOptions,
  Annotations,
  Answered,
  Doc,
  DocField,
  FewshotConfig,
  FilterConfig,
  GenerationKwargs,
  GroupConfig,
  GroupMetric,
  MetricConfig,
  OutputType,
  Splits,
  TaskConfig,
} from './task-config.ts'
export type { StyleJudge, SuiteOptions } from './tasks/suite-options.ts'
export { type HttpScorerOptions, httpScorer } from './toxicity/http-scorer.ts'
export { Lexicon, readLexicon } from './toxicity/lexicon.ts'
export { type AtThreshold, type JudgedText, measureScorer, type ScorerReport } from './toxicity/measure-scorer.ts'
export type { ScoreOptions, ScorerMeasurement, ScorerQuality, ToxicityScorer } from './toxicity/scorer.ts'
export { type Overlap, subwordOverlap } from './transfer/overlap.ts'
export { type SentenceSimilarity, sentenceSimilarity } from './transfer/sentence-similarity.ts'
export { type Correlation, partialSpearman, spearman } from './transfer/spearman.ts'
export {
  type KnownLanguage,
  type Transfer,
  type TransferCorrelation,
  type Tuned,
  transfer,
} from './transfer/transfer.ts'

// The subpath `anneal/methods/psydt`: dialogues in the manner of one counsellor, of real cases and single questions. Nothing here needs LibTorch.

export type { PythonRandom } from '../../eval/python-random.ts'
export type { PromptPart, PromptText } from '../../prompting/data/prompt.ts'
export type { Rule } from '../../prompting/execute/rule.ts'
export { type Recipe, Refused, type RowTools } from '../../synth/recipe.ts'
export type { HiddenStates } from './agents.ts'
export { type Case, type CaseOptions, CaseStore, readCases } from './cases.ts'
export { KnowledgeBase, readKnowledge, therapies } from './knowledge.ts'
export type { Match } from './match-case.ts'
export type { Profile } from './profile.ts'
export {
  type CaseSummaries,
  type PsydtOptions,
  type PsydtRow,
  psydt,
  systemPrompt,
  type TwinElement,
} from './psydt.ts'
export { readSingleTurns, type SingleTurn, type SingleTurnOptions } from './single-turns.ts'
export type { CaseSummary } from './summaries.ts'
export type { Therapy } from './therapy.ts'
export type { TurnRules } from './turn-rules.ts'
export type { Language, Speaker, Turn } from './turns.ts'
export type { Deed, Level, PsydtWordings, Trait } from './wording-slots.ts'
export { PSYDT_WORDINGS } from './wordings.ts'

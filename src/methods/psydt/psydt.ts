// PsyDT (Xie et al., ACL 2025): dialogues in the manner of one counsellor, made of single questions and a few real cases, for fine-tuning
// a twin of that counsellor. Here as a recipe of `anneal/synth`: Algorithm 1 of the paper, case by case and then record by record.

import { UsageError } from '../../errors.ts'
import { checkOptionNames } from '../../option-names.ts'
import { checkRules, type Rule } from '../../prompting/execute/rule.ts'
import { rules } from '../../prompting/execute/rules.ts'
import { type Recipe, Refused, type RowTools } from '../../synth/recipe.ts'
import { type HiddenStates, talk } from './agents.ts'
import { askText, askTyped, withRefusals } from './ask-teacher.ts'
import type { Case, CaseStore } from './cases.ts'
import { type DialogueLimits, faultOfForm, faultOfMatter, faultsOfContent } from './check-dialogue.ts'
import { type KnowledgeBase, therapies } from './knowledge.ts'
import { caseMatcher, type Match } from './match-case.ts'
import { multiTurnPrompt, type SlotValues, writeStages } from './multi-turn-prompt.ts'
import { type Profile, profileOf } from './profile.ts'
import { dialogueSchema, readDialogue, turnsOfRounds } from './read-dialogue.ts'
import type { SingleTurn } from './single-turns.ts'
import { allOf, type CaseSummary, summarise } from './summaries.ts'
import type { Therapy } from './therapy.ts'
import { brokenRule, type TurnRules } from './turn-rules.ts'
import { type Language, type Speaker, type Turn, writeLines } from './turns.ts'
import type { PsydtWordings } from './wording-slots.ts'
import { filled, PSYDT_WORDINGS } from './wordings.ts'

/** An element of the twin that a synthesis can go without, as in the paper's ablation. */
export type TwinElement = 'style' | 'technique' | 'personality'

/** How dialogues are made. */
export interface PsydtOptions {
  /** Real cases of one counsellor. */
  cases: CaseStore
  /** Of prompts and dialogues. */
  language: Language
  /** Default: `therapies(language)`. */
  knowledge?: KnowledgeBase
  /** `one-shot`: the teacher writes a whole dialogue after an example (the paper's); `agents`: two agents, turn by turn. Default `one-shot`. */
  mode?: 'one-shot' | 'agents'
  /** Which case is the example. Default `topic`. */
  match?: Match
  /** How often the client speaks, at least and at most. Default [5, 40]; the paper's dialogues have 18 on average. */
  turns?: readonly [number, number]
  /** Words of the case in a row that a dialogue may have; of Chinese, characters. Default 12, of Chinese 20. */
  overlap?: number
  /** The share of the counsellor's runs of four words (of Chinese: eight characters) that may stand in the single-turn answer. Default 0.5. */
  answerOverlap?: number
  /** The share of letters that may be of another script. Default 0.05. */
  foreign?: number
  /** The share of the question's words (of four letters; of Chinese, two characters) that have to come up in a dialogue. Default 0.1. */
  relevance?: number
  /** What is left out of the prompts, and not asked for. Default: nothing. */
  without?: readonly TwinElement[]
  /** How the teacher writes a dialogue: `json` where it can be held to a structure, else `lines`. Default `auto`. */
  form?: 'auto' | 'lines' | 'json'
  /**
   * What turns have to pass; a rule that would rewrite one refuses it, too. The client's are asked of the record first, before any call.
   * Default: nobody in danger among clients (`rules.crisis()`), no diagnoses and medicines of counsellors (`rules.noDiagnosis()`).
   */
  rules?: TurnRules
  /** Texts in the place of those of the language. */
  wordings?: Partial<PsydtWordings>
}

const OPTIONS: Readonly<Record<keyof PsydtOptions, true>> = {
  cases: true,
  language: true,
  knowledge: true,
  mode: true,
  match: true,
  turns: true,
  overlap: true,
  answerOverlap: true,
  foreign: true,
  relevance: true,
  without: true,
  form: true,
  rules: true,
  wordings: true,
}

/** A dialogue as fine-tuning takes it: all turns of the assistant are the counsellor's. */
export interface PsydtRow {
  readonly id: string
  readonly topic: string
  readonly messages: readonly { readonly role: 'system' | 'user' | 'assistant'; readonly content: string }[]
  /** Absent where personality was left out. */
  readonly profile?: Profile
  readonly provenance: {
    readonly recipe: 'psydt'
    readonly mode: 'one-shot' | 'agents'
    /** Ids of the example case and the single turn. */
    readonly case: string
    readonly seed: string
    /** How the case was found, and BM25 where it was the nearest. */
    readonly match: Match
    readonly score?: number
    readonly therapy?: string
    readonly teacher: string
  }
  /** Of `mode: agents`. */
  readonly hidden?: HiddenStates
}

/** Summaries of all cases, by their ids. */
export type CaseSummaries = Readonly<Record<string, CaseSummary>>

/**
 * The recipe: asks once for each case how the counsellor talks and which therapy it is, then for each record for the client's personality
 * and the dialogue. UsageError where an option has no such value.
 *
 * @example
 * const recipe = psydt({ cases: await readCases('cases/'), language: 'en' })
 */
export function psydt(options: PsydtOptions): Recipe<SingleTurn, PsydtRow, CaseSummaries> {
  checkOptionNames('psydt', options, OPTIONS)
  const { cases, language, mode = 'one-shot', match = 'topic', without = [], form = 'auto' } = options
  const { client = [rules.crisis()], counsellor = [rules.noDiagnosis()] } = options.rules ?? {}
  const rulesOf: Readonly<Record<Speaker, readonly Rule[]>> = { client, counsellor }
  checkChoice('language', language, ['zh', 'en'])
  checkChoice('mode', mode, ['one-shot', 'agents'])
  checkChoice('match', match, ['topic', 'nearest', 'random'])
  checkChoice('form', form, ['auto', 'lines', 'json'])
  for (const element of without) checkChoice('without', element, ['style', 'technique', 'personality'])
  checkRules('rules.client', client)
  checkRules('rules.counsellor', counsellor)
  const { knowledge = therapies(language), turns = [5, 40], overlap = language === 'zh' ? 20 : 12 } = options
  const limits: DialogueLimits = {
    turns,
    overlap,
    answerOverlap: options.answerOverlap ?? 0.5,
    foreign: options.foreign ?? 0.05,
    relevance: options.relevance ?? 0.1,
  }
  checkLimits(limits)
  const wordings: PsydtWordings = { ...PSYDT_WORDINGS[language], ...options.wordings }
  const wants = (element: TwinElement): boolean => !without.includes(element)
  const caseOf = caseMatcher(cases, match)

  /** A dialogue that may become a row. */
  const checked = async (written: readonly Turn[], one: Case, record: SingleTurn, tools: RowTools): Promise<void> => {
    const form = faultOfForm(written, turns)
    const faults = form === undefined ? faultsOfContent(written, { case: one.turns, record, language }, limits) : [form]
    const matter = form === undefined ? faultOfMatter(written, { record, language }, limits) : undefined
    if (matter !== undefined) faults.push(matter)
    if (form === undefined)
      for (const [i, { speaker, text }] of written.entries()) {
        const broken = await brokenRule(text, rulesOf[speaker], tools)
        if (broken !== undefined) faults.push(`turn ${i + 1} ${broken}`)
      }
    if (faults.length > 0) throw new Refused(faults.join('; '), writeLines(written, language))
  }

  const oneShot = async (values: SlotValues, tools: RowTools): Promise<Turn[]> => {
    const isHeld = form === 'json' || (form === 'auto' && tools.model.holds !== 'none')
    const asked = multiTurnPrompt(values, { turns, form: isHeld ? 'json' : 'lines' })
    return tools.attempt(async (refused) => {
      const prompt = withRefusals(asked, wordings.again, refused)
      const written = isHeld
        ? turnsOfRounds(await askTyped(tools, prompt, dialogueSchema(turns)))
        : readDialogue(await askText(tools, prompt))
      await checked(written, values.case, values.record, tools)
      return written
    })
  }

  return {
    name: 'psydt',
    setup: {
      cases: cases.cases,
      knowledge: knowledge.therapies,
      wordings,
      ...{ language, mode, match, without, form, ...limits },
      rules: { client: client.map(({ name }) => name), counsellor: counsellor.map(({ name }) => name) },
    },
    async prepare(tools) {
      const kinds = { style: wants('style'), technique: wants('technique') }
      // At once: no case waits for another, and all calls stand in the first files of a batch.
      const found = await allOf(
        cases.cases.map((one) => summarise(one, tools, { language, wordings, knowledge, wants: kinds })),
      )
      return Object.fromEntries(cases.cases.map(({ id }, i) => [id, found[i]!]))
    },
    async make(record, tools, summaries) {
      const { case: one, by, score } = caseOf(record, tools.random)
      const asked = `${record.title}\n${record.detail}`.trim()
      const broken = await brokenRule(asked, client, tools)
      if (broken !== undefined) throw new Refused(`a question that ${broken}`, asked)
      const summary = summaries[one.id]!
      if (summary.refused !== undefined)
        throw new Refused(`no summary of the case ${one.id}: ${summary.refused}`, asked)
      const profile = wants('personality') ? await profileOf(record, tools, wordings) : undefined
      const values: SlotValues = {
        ...{ case: one, summary, record, language, wordings },
        ...(profile !== undefined && { profile }),
      }
      const [least, most] = turns
      const made =
        mode === 'agents'
          ? await talk(tools, values, { turns: least + tools.random.below(most - least + 1), limits })
          : { turns: await oneShot(values, tools), hidden: undefined }
      if (mode === 'agents') await checked(made.turns, one, record, tools)
      return {
        id: record.id,
        topic: record.topic ?? one.topic,
        messages: [
          { role: 'system', content: systemPrompt(summary.therapy, wordings) },
          ...made.turns.map(({ speaker, text }) => ({
            role: speaker === 'client' ? ('user' as const) : ('assistant' as const),
            content: text,
          })),
        ],
        ...(profile !== undefined && { profile }),
        provenance: {
          ...{ recipe: 'psydt' as const, mode, case: one.id, seed: record.id, match: by },
          ...(score !== undefined && { score }),
          ...(summary.therapy !== undefined && { therapy: summary.therapy.type }),
          teacher: tools.model.name,
        },
        ...(made.hidden !== undefined && { hidden: made.hidden }),
      }
    },
    topicOf: ({ topic }) => topic,
    textsOf: ({ messages }) => messages.flatMap(({ role, content }) => (role === 'system' ? [] : [content])),
  }
}

/** What a twin is told before a conversation, in its training and afterwards: its role, and the stages of its therapy. */
export function systemPrompt(therapy: Therapy | undefined, wordings: PsydtWordings): string {
  if (therapy === undefined) return wordings.systemRole
  const stages = String(filled(wordings.systemStages, { name: therapy.name, stages: writeStages(therapy) }))
  return `${wordings.systemRole}\n${stages}`
}

function checkChoice(name: string, value: unknown, known: readonly string[]): void {
  if (!known.includes(value as string))
    throw new UsageError(`${name}: expected ${known.join(', ')}, got ${JSON.stringify(value) ?? 'nothing'}`)
}

function checkLimits({ turns, overlap, answerOverlap, foreign, relevance }: DialogueLimits): void {
  const [least, most] = turns
  if (!(turns.length === 2 && [least, most].every((n) => Number.isInteger(n) && n >= 1) && least <= most))
    throw new UsageError(`turns: expected the least and the most, such as [5, 40], got ${JSON.stringify(turns)}`)
  if (!(Number.isInteger(overlap) && overlap >= 1))
    throw new UsageError(`overlap: expected a whole number of at least 1, got ${overlap}`)
  for (const [name, value] of Object.entries({ answerOverlap, foreign, relevance }))
    if (!(value >= 0 && value <= 1)) throw new UsageError(`${name}: expected a number from 0 to 1, got ${value}`)
}

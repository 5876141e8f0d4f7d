// `recipe: psydt`: cases, knowledge base and single questions from files, and the recipe of them.
import { InputError } from '../../errors.ts'
import { readCases } from '../../methods/psydt/cases.ts'
import { foreignShare } from '../../methods/psydt/foreign-share.ts'
import { readKnowledge } from '../../methods/psydt/knowledge.ts'
import { type PsydtOptions, psydt } from '../../methods/psydt/psydt.ts'
import { readSingleTurns, type SingleTurn } from '../../methods/psydt/single-turns.ts'
import { rules as ready } from '../../prompting/execute/rules.ts'
import { counted } from '../../report/amounts.ts'
import type { Recipe } from '../../synth/recipe.ts'
import type { Watch } from '../../work.ts'
import { resolveData } from '../resolve-data.ts'
import type { SynthConfig } from '../synth/config.ts'

/** Opens it. InputError where no question has a topic of the cases, and one is asked for: nothing could come of it. */
export async function openPsydt(
  { psydt: keys, seeds: paths }: SynthConfig,
  watch: Watch,
): Promise<{ recipe: Recipe<never, never, never>; seeds: SingleTurn[] }> {
  const { cases: files, topic_from, join_turns, knowledge, answer_overlap, rules, ...more } = keys!
  const onNotice = (message: string): void => watch.tell?.({ type: 'notice', message })
  const cases = await readCases(await resolveData(files, watch), {
    topicFrom: topic_from,
    joinTurns: join_turns,
    onNotice,
  })
  const seeds: SingleTurn[] = []
  for await (const one of readSingleTurns(paths, { onNotice })) seeds.push(one)
  const { match = 'topic' } = more
  const without = seeds.filter(({ topic }) => topic === undefined || cases.of(topic).length === 0)
  if (match === 'topic' && without.length === seeds.length)
    throw new InputError(
      `seeds: expected questions on topics of the cases (${cases.topics.join(', ')}), got ${topicsOf(without)}. Rename topics, or set psydt.match: nearest`,
    )
  const told = `${counted(cases.cases.length, 'case')} on ${counted(cases.topics.length, 'topic')}, ${counted(seeds.length, 'question')}`
  const then = match === 'nearest' ? 'get the nearest case' : 'will be rejected'
  const isWhole = match === 'random' || without.length === 0
  onNotice(isWhole ? told : `${told}; ${without.length} without a case of their topic (${topicsOf(without)}) ${then}`)
  const foreign = cases.cases.filter(
    ({ turns }) => foreignShare(turns.map(({ text }) => text).join('\n'), more.language) > 0.5,
  )
  if (foreign.length > 0)
    onNotice(
      `${counted(foreign.length, 'case')} not in the script of psydt.language, ${more.language}: ${foreign
        .slice(0, 5)
        .map(({ id }) => id)
        .join(', ')}`,
    )
  const asked = new Set(seeds.flatMap(({ topic }) => (topic === undefined ? [] : cases.of(topic))))
  const idle = cases.cases.filter((one) => !asked.has(one))
  if (match === 'topic' && idle.length > 0)
    onNotice(
      `${counted(idle.length, 'case')} on topics without a question, whose summaries are made all the same: ${idle
        .slice(0, 5)
        .map(({ id }) => id)
        .join(', ')}`,
    )
  const options: PsydtOptions = {
    ...given(more),
    language: more.language,
    cases,
    ...(knowledge.length > 0 && { knowledge: await readKnowledge(await resolveData(knowledge, watch)) }),
    ...(answer_overlap !== undefined && { answerOverlap: answer_overlap }),
    rules: {
      client: rules.includes('crisis') ? [ready.crisis()] : [],
      counsellor: rules.includes('no-diagnosis') ? [ready.noDiagnosis()] : [],
    },
  }
  return { recipe: psydt(options) as unknown as Recipe<never, never, never>, seeds }
}

/** The first topics of questions. */
function topicsOf(some: readonly SingleTurn[]): string {
  const topics = [...new Set(some.map(({ topic }) => topic ?? 'none'))]
  return topics.slice(0, 5).join(', ') + (topics.length > 5 ? ', …' : '')
}

/** What is set. */
const given = <T extends object>(values: T): { [Key in keyof T]: Exclude<T[Key], undefined> } =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as never

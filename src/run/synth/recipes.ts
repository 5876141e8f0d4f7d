// From the name of a recipe in a configuration to the recipe and its seeds. A new one is an entry here, its name in recipe-names.ts and its
// keys in config.ts.
import { readRows } from '../../data/read/sources.ts'
import { readCases } from '../../methods/psydt/cases.ts'
import { readKnowledge } from '../../methods/psydt/knowledge.ts'
import { type PsydtOptions, psydt } from '../../methods/psydt/psydt.ts'
import { readSingleTurns, type SingleTurn } from '../../methods/psydt/single-turns.ts'
import { columns } from '../../synth/columns.ts'
import type { Recipe } from '../../synth/recipe.ts'
import type { Watch } from '../../work.ts'
import type { SynthConfig } from './config.ts'
import type { RecipeName } from './recipe-names.ts'

/** A recipe with what it is to be made of. */
export interface OpenedRecipe {
  // Whoever opens it makes seeds of its own kind.
  readonly recipe: Recipe<never, never, never>
  readonly seeds: readonly unknown[]
}

type Opener = (config: SynthConfig, watch: Watch) => Promise<OpenedRecipe>

const OPENERS: Readonly<Record<RecipeName, Opener>> = {
  columns: async (config, watch) => {
    const { row, texts } = config
    const recipe = columns({ columns: config.columns!, row, texts })
    return { recipe: recipe as unknown as OpenedRecipe['recipe'], seeds: await rowsOf(config.seeds, watch) }
  },
  psydt: async (config, watch) => {
    const { cases, topic_from, join_turns, knowledge, answer_overlap, ...more } = config.psydt!
    const onNotice = (message: string): void => watch.tell?.({ type: 'notice', message })
    const options: PsydtOptions = {
      ...given(more),
      language: more.language,
      cases: await readCases(cases, { topicFrom: topic_from, joinTurns: join_turns, onNotice }),
      ...(knowledge.length > 0 && { knowledge: await readKnowledge(knowledge) }),
      ...(answer_overlap !== undefined && { answerOverlap: answer_overlap }),
    }
    const seeds: SingleTurn[] = []
    for await (const one of readSingleTurns(config.seeds, { onNotice })) seeds.push(one)
    return { recipe: psydt(options) as unknown as OpenedRecipe['recipe'], seeds }
  },
}

/** What is set. */
const given = <T extends object>(values: T): { [Key in keyof T]: Exclude<T[Key], undefined> } =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as never

/** Opens the recipe of a configuration and reads its seeds. */
export const openRecipe: Opener = (config, watch) => OPENERS[config.recipe as RecipeName](config, watch)

/** Rows of any files, as they are. */
async function rowsOf(paths: readonly string[], { tell }: Watch): Promise<unknown[]> {
  const rows: unknown[] = []
  const onNotice = (message: string): void => tell?.({ type: 'notice', message })
  for await (const { row } of readRows(paths, { onNotice })) rows.push(row)
  return rows
}

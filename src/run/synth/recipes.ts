// From the name of a recipe in a configuration to the recipe and its seeds. A new one is an entry here, its name in recipe-names.ts and its
// keys in config.ts.
import { readRows } from '../../data/read/sources.ts'
import { columns } from '../../synth/columns.ts'
import type { Recipe } from '../../synth/recipe.ts'
import type { Watch } from '../../work.ts'
import { openPsydt } from '../psydt/open-psydt.ts'
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
  psydt: openPsydt,
}

/** Opens the recipe of a configuration and reads its seeds. */
export const openRecipe: Opener = (config, watch) => OPENERS[config.recipe as RecipeName](config, watch)

/** Rows of any files, as they are. */
async function rowsOf(paths: readonly string[], { tell }: Watch): Promise<unknown[]> {
  const rows: unknown[] = []
  const onNotice = (message: string): void => tell?.({ type: 'notice', message })
  for await (const { row } of readRows(paths, { onNotice })) rows.push(row)
  return rows
}

// Names of recipes, for configurations and help. Nothing heavy is imported here.

/** As `recipe:` takes them. */
export const RECIPE_NAMES = ['columns', 'psydt'] as const

/** The name of a recipe. */
export type RecipeName = (typeof RECIPE_NAMES)[number]

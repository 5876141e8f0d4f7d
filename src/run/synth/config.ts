// The configuration of `anneal synth`: keys of its own, read as those of training are.
import { z } from 'zod'
import { type ConfigKind, keysOf } from '../../config/kind.ts'
import { type Override, type OverrideSyntax, overridesOf } from '../../config/overrides.ts'
import type { GivenValues, ParsedConfig } from '../../config/parse.ts'
import { parseKind } from '../../config/parse-kind.ts'
import { ConfigError } from '../../errors.ts'
import { count, path, paths, type Shape } from '../../methods/fields.ts'
import { didYouMean } from '../../nearest.ts'
import { type Column, columns as columnsRecipe } from '../../synth/columns.ts'
import type { PiiKind } from '../../synth/index.ts'
import { RECIPE_NAMES } from './recipe-names.ts'

/** Who answers, and how it is reached. */
export interface TeacherConfig {
  model?: string | undefined
  adapter: string[]
  url?: string | undefined
  api_key_env?: string | undefined
  dialect: 'openai' | 'anthropic'
  json_schema: boolean
  body?: Record<string, unknown> | undefined
  timeout_seconds: number
  retries: number
  licence?: string | undefined
}

/** The recipe of `anneal/methods/psydt`, with files in the place of what they hold. */
export interface PsydtConfig {
  cases: string[]
  language: 'zh' | 'en'
  topic_from: 'row' | 'file'
  join_turns: boolean
  knowledge: string[]
  mode?: 'one-shot' | 'agents' | undefined
  match?: 'topic' | 'nearest' | 'random' | undefined
  turns?: [number, number] | undefined
  overlap?: number | undefined
  answer_overlap?: number | undefined
  foreign?: number | undefined
  relevance?: number | undefined
  without?: ('style' | 'technique' | 'personality')[] | undefined
  form?: 'auto' | 'lines' | 'json' | undefined
  rules: ('crisis' | 'no-diagnosis')[]
}

/** What a synthesis does. */
export interface SynthConfig {
  recipe: string
  out: string
  seeds: string[]
  test: string[]
  teacher: TeacherConfig
  sampling: {
    max_tokens?: number | undefined
    temperature?: number | undefined
    top_p?: number | undefined
    stop?: string[] | undefined
  }
  price: { input?: number | undefined; output?: number | undefined; cached?: number | undefined }
  budget: { cost?: number | undefined; tokens?: number | undefined; calls?: number | undefined }
  columns?: Column[] | undefined
  row?: unknown
  texts?: string[] | undefined
  psydt?: PsydtConfig | undefined
  seed: number
  concurrency: number
  again: number
  limit?: number | undefined
  scrub: { seeds: PiiKind[]; rows: PiiKind[] }
  batch: boolean
  results: string[]
}

const price = z.number().min(0)
const kinds = z.array(z.enum(['email', 'ip', 'phone', 'cpr'])).default([])

const columnShape = {
  name: path.optional(),
  prompt: path.optional(),
  system: path.optional(),
  choices: z.array(path).min(1).optional(),
  regex: path.optional(),
  json_schema: z.record(z.string(), z.unknown()).optional(),
  min_length: z.int().min(0).optional(),
  max_length: count.optional(),
  refuse: z.array(path).optional(),
  max_tokens: count.optional(),
  temperature: z.number().min(0).optional(),
  top_p: z.number().gt(0).max(1).optional(),
}
/** Keys inside a list are told with the nearest one here: a kind of configuration knows those of sections only. */
const column = z.looseObject(columnShape).superRefine((given, { addIssue }) => {
  const known = Object.keys(columnShape)
  const complain = (key: string, message: string): void =>
    addIssue({ code: 'custom', path: [key], message, input: given[key] })
  const unknown = Object.keys(given).filter((key) => !known.includes(key))
  for (const key of unknown) complain(key, `expected a key of a column, got '${key}'.${didYouMean(key, known)}`)
  // What is misspelt is not missing.
  const missing = (['name', 'prompt'] as const).filter((key) => given[key] === undefined)
  if (unknown.length === 0) for (const key of missing) complain(key, 'expected text, got nothing')
})

const teacher = z.strictObject({
  model: path
    .optional()
    .describe('A model directory, a .gguf file, a name on the hub; with url, what the service calls it.'),
  adapter: paths.default([]).describe('Adapters on a model of ours.'),
  url: path.optional().describe('A service instead: what comes before /chat/completions, such as https://host/v1.'),
  api_key_env: path
    .optional()
    .describe('The variable of the environment that holds its key. Default: OPENAI_API_KEY or ANTHROPIC_API_KEY.'),
  dialect: z.enum(['openai', 'anthropic']).default('openai').describe('Whose words the service speaks.'),
  json_schema: z
    .boolean()
    .default(true)
    .describe('Whether the service can be held to a JSON Schema; else it is asked in words and checked.'),
  body: z.record(z.string(), z.unknown()).optional().describe('Further fields of every request to a service.'),
  timeout_seconds: z
    .number()
    .positive()
    .default(120)
    .describe('Seconds for an answer of a service to begin, and from piece to piece.'),
  retries: z.int().min(0).default(4).describe('Times to try again where a service, or the way to it, fails.'),
  licence: path.optional().describe('Under which licence its words are, for the card. Default: unknown.'),
})

const sampling = z.strictObject({
  max_tokens: count.optional().describe('Tokens of an answer at most.'),
  temperature: z.number().min(0).optional().describe("0 takes the most probable token. Default: the teacher's own."),
  top_p: z.number().gt(0).max(1).optional().describe('Draw from the tokens that hold this probability.'),
  stop: z.array(path).optional().describe('Texts that end an answer.'),
})

const share = z.number().min(0).max(1)

const psydt = z.strictObject({
  cases: paths.describe('Files of real cases of one counsellor, with topics.'),
  language: z.enum(['zh', 'en']).describe('Of prompts and dialogues.'),
  topic_from: z
    .enum(['row', 'file'])
    .default('row')
    .describe("Where a case's topic stands: its row, or its file's name."),
  join_turns: z.boolean().default(false).describe('Join messages that one of the two sends in a row.'),
  knowledge: paths.default([]).describe('Files of therapies with their stages. Default: ten types of our own words.'),
  mode: z
    .enum(['one-shot', 'agents'])
    .optional()
    .describe('A whole dialogue at once, or two agents in turns. Default: one-shot.'),
  match: z.enum(['topic', 'nearest', 'random']).optional().describe('Which case is the example. Default: topic.'),
  turns: z
    .tuple([count, count])
    .optional()
    .describe('How often the client speaks, at least and at most. Default: 5 and 40.') as unknown as z.ZodType<
    [number, number] | undefined
  >,
  overlap: count
    .optional()
    .describe('Words (of Chinese: characters) of the case in a row at most. Default: 12, of Chinese 20.'),
  answer_overlap: share
    .optional()
    .describe("The share of the counsellor's runs that may stand in the seed's answer. Default: 0.5."),
  foreign: share.optional().describe('The share of letters of another script. Default: 0.05.'),
  relevance: share.optional().describe("The share of the question's words that has to come up. Default: 0.1."),
  without: z
    .array(z.enum(['style', 'technique', 'personality']))
    .optional()
    .describe('What prompts leave out. Default: nothing.'),
  form: z.enum(['auto', 'lines', 'json']).optional().describe('How a dialogue is written. Default: auto.'),
  rules: z
    .array(z.enum(['crisis', 'no-diagnosis']))
    .default(['crisis', 'no-diagnosis'])
    .describe('Nothing is made of clients in danger, and of counsellors who diagnose or advise on medicines.'),
})

const shape: Shape<SynthConfig> = {
  recipe: z
    .enum(RECIPE_NAMES)
    .default('columns')
    .describe(
      'How a row is made: columns (prompts of your own) or psydt (dialogues in the manner of one counsellor).',
    ) as unknown as z.ZodType<string>,
  out: path.describe('Folder of rows.jsonl and all that belongs to it; a run that was stopped goes on in it.'),
  seeds: paths.describe('Files of rows, one for each row that is made: JSONL, JSON, CSV, TSV, Parquet, text.'),
  test: paths.default([]).describe('Files whose texts rows must not be copies of; the report tells.'),
  teacher: teacher.prefault({}) as unknown as z.ZodType<TeacherConfig>,
  sampling: sampling.prefault({}),
  price: z
    .strictObject({
      input: price.optional().describe('A million tokens of prompts, in any currency.'),
      output: price.optional().describe('A million tokens of answers.'),
      cached: price.optional().describe('A million tokens of prompts that the service still had. Default: as input.'),
    })
    .prefault({}),
  budget: z
    .strictObject({
      cost: price.optional().describe('Stop at this cost; needs price.'),
      tokens: count.optional().describe('Stop at so many tokens of prompts and answers.'),
      calls: count.optional().describe('Stop at so many calls.'),
    })
    .prefault({}),
  columns: z
    .array(column)
    .min(1)
    .optional()
    .describe(
      'recipe columns: name, prompt with {{ field }} or {{ field | quote }}, and system, choices, regex, json_schema, min_length, max_length, refuse, max_tokens, temperature, top_p.',
    ) as unknown as z.ZodType<SynthConfig['columns']>,
  row: z
    .unknown()
    .optional()
    .describe('recipe columns: what a row is, its texts being templates. Default: all columns by their names.'),
  texts: z.array(path).optional().describe('recipe columns: columns that are measured. Default: all without choices.'),
  psydt: psydt.optional() as unknown as z.ZodType<PsydtConfig | undefined>,
  seed: z.int().min(0).default(0).describe('Of all draws: same seed, same rows, where the teacher keeps seeds.'),
  concurrency: count.default(8).describe('Rows at the same time; it changes nothing in them.'),
  again: z.int().min(0).default(2).describe('Times to try again what was refused, with the reason in the prompt.'),
  limit: count.optional().describe('Make the rows of the first so many seeds only. Default: all.'),
  scrub: z
    .strictObject({
      seeds: kinds.describe('What is replaced in seeds before they are used: email, ip, phone, cpr.'),
      rows: kinds.describe('What is replaced in rows before they are written.'),
    })
    .prefault({}),
  batch: z
    .boolean()
    .default(false)
    .describe("Ask nothing: write calls as a file in the form of OpenAI's batches, and go on with what comes back."),
  results: paths.default([]).describe('Files of answers to such a file.'),
}

const { fields, sections } = keysOf(shape)

/** Keys, names and rules of `anneal synth`. */
export const synthKind: ConfigKind<SynthConfig> = {
  title: 'Anneal synthesis configuration',
  schema: z
    .strictObject(shape)
    .superRefine(({ recipe, columns, row, texts, psydt, teacher, price, budget }, context) => {
      const complain = (key: string[], message: string): void =>
        context.addIssue({ code: 'custom', path: key, message, input: undefined })
      if (recipe === 'columns' && columns === undefined) complain(['columns'], 'expected a list of columns, got none')
      if (recipe !== 'columns' && columns !== undefined)
        complain(['columns'], `expected them with the recipe columns, got the recipe ${recipe}`)
      if (recipe === 'columns' && columns !== undefined)
        try {
          columnsRecipe({ columns: columns as Column[], row, texts: texts as string[] | undefined })
        } catch (error) {
          if (!(error instanceof ConfigError)) throw error
          // What it says begins with the place.
          const [, place = 'columns', message = error.message] = /^([\w.]+): (.*)$/s.exec(error.message) ?? []
          complain(place.split('.'), message)
        }
      if (recipe === 'psydt' && psydt === undefined) complain(['psydt'], 'expected cases and language, got none')
      if (recipe !== 'psydt' && psydt !== undefined)
        complain(['psydt'], `expected it with the recipe psydt, got the recipe ${recipe}`)
      if (teacher.model === undefined)
        complain(['teacher', 'model'], 'expected a model, or its name at the url, got none')
      if (teacher.url !== undefined && teacher.adapter.length > 0)
        complain(['teacher', 'adapter'], 'expected it without url, got both')
      if ((price.input === undefined) !== (price.output === undefined))
        complain(['price'], 'expected input and output together, got one of them')
      if (budget.cost !== undefined && price.input === undefined)
        complain(['budget', 'cost'], 'expected it together with price, got no price')
    }) as unknown as z.ZodType<SynthConfig>,
  fields,
  sections,
  aliases: {
    output_dir: { to: 'out', from: 'training' },
    'sampling.max_new_tokens': { to: 'sampling.max_tokens', from: 'generation_config.json' },
    'teacher.license': { to: 'teacher.licence', from: 'American spelling' },
  },
  withoutCounterpart: {},
  schemaCommand: 'anneal schema synth',
  alternatives: [],
  groups: {
    recipe: 'What is made',
    'teacher.model': 'Who makes it',
    'sampling.max_tokens': 'How it answers',
    'price.input': 'What it may cost',
    columns: 'The recipe columns',
    'psydt.cases': 'The recipe psydt',
    seed: 'The run',
  },
}

/** Lets a command take every key of it. */
export const synthOverrides: OverrideSyntax = overridesOf(synthKind)

/** What a program gives of it; the rest are defaults. */
export type SynthConfigValues = {
  [Key in keyof SynthConfig]?: Key extends 'seeds' | 'test' | 'results'
    ? string | readonly string[]
    : Key extends 'teacher' | 'sampling' | 'price' | 'budget' | 'scrub'
      ? Partial<SynthConfig[Key]>
      : Key extends 'psydt'
        ? Partial<PsydtConfig>
        : SynthConfig[Key]
}

/** Parses a configuration of `runSynth`: `text` is YAML, given values win over it and overrides over both. Throws ConfigError. */
export function parseSynthConfig(
  text: string | undefined,
  file: string,
  overrides: readonly Override[] = [],
  given?: GivenValues<SynthConfigValues>,
): ParsedConfig<SynthConfig, string> {
  const { checked, ...more } = parseKind(synthKind, { text, file, overrides, given })
  return { config: checked, ...more }
}

/**
 * A checked configuration of `runSynth` from values, with the defaults filled in. Throws ConfigError.
 *
 * @example
 * const config = synthConfig({ out: 'runs/rows', seeds: 'topics.jsonl', teacher: { model: 'models/base' }, columns })
 */
export function synthConfig(values: SynthConfigValues, origin = 'configuration'): SynthConfig {
  return parseSynthConfig(undefined, origin, [], { values, origin }).config
}

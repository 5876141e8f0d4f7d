// The configuration of `anneal curate`: keys of its own, read as those of training are.
import { z } from 'zod'
import { type ConfigKind, keysOf } from '../../config/kind.ts'
import { type Override, type OverrideSyntax, overridesOf } from '../../config/overrides.ts'
import type { GivenValues, ParsedConfig } from '../../config/parse.ts'
import { parseKind } from '../../config/parse-kind.ts'
import { MAX_HASHES, MINHASH } from '../../data/curate/minhash.ts'
import { count, path, paths, type Shape } from '../../methods/fields.ts'

/** What differs for the files of one source; what is absent is as for all. */
export interface CurateSource {
  /** A file or folder among the inputs, or the beginning of paths under one. */
  path: string
  /** Default: the last part of `path`. */
  name?: string | undefined
  text_column?: string | undefined
  keep_columns?: string[] | undefined
  encoding?: string | undefined
  documents?: 'file' | 'blank-line' | 'line' | undefined
  preset?: string | undefined
  rules?: Record<string, unknown> | undefined
  drop_lines?: string[] | undefined
  drop_documents?: string[] | undefined
  licence?: string | undefined
}

/** What a curation does. */
export interface CurateConfig {
  inputs: string[]
  output_dir: string
  text_column: string
  keep_columns: string[]
  encoding?: string | undefined
  documents: 'file' | 'blank-line' | 'line'
  lang?: string[] | undefined
  preset?: string | undefined
  rules: Record<string, unknown>
  sources: CurateSource[]
  normalise: { unicode: 'NFC' | 'NFKC' | 'none'; whitespace: boolean }
  language: {
    identifier: string
    among: string[]
    min_score: number
    mode: 'detect' | 'plausible'
    keep_undetermined: boolean
  }
  pii: { email: boolean; ip: boolean; phone: boolean; cpr: boolean }
  dedup: {
    exact: boolean
    near: 'verified' | 'datatrove' | 'none'
    bands: number
    rows: number
    ngram: number
    threshold: number
  }
  contamination: { files: string[]; ngram: number }
  output: { format: 'jsonl' | 'parquet'; file_mb: number }
  max_bad: number
}

const encoding = z
  .string()
  .refine((name) => isEncoding(name), { error: 'an encoding such as windows-1252 or utf-16le' })
  .describe('What the text is encoded in, where it is not UTF-8: windows-1252, iso-8859-15, utf-16le, …')
/** What the rows of the result say themselves. */
const OWN_COLUMNS = 'id, text, source, file, offset, language, language_score, licence, cluster_size'
const kept = z.array(
  path.refine((name) => !OWN_COLUMNS.split(', ').includes(name), {
    error: `a column other than ${OWN_COLUMNS}, which are those of the result: rename it in the data`,
  }),
)
const documents = z.enum(['file', 'blank-line', 'line'])
const rules = z.record(z.string(), z.unknown())
const patterns = z.array(
  z.string().refine((source) => isPattern(source), { error: 'a regular expression (with the flag u)' }),
)
const preset = z.string()

const source = z.strictObject({
  path: path,
  name: path.optional(),
  text_column: path.optional(),
  keep_columns: kept.optional(),
  encoding: encoding.optional(),
  documents: documents.optional(),
  preset: preset.optional(),
  rules: rules.optional(),
  drop_lines: patterns.optional(),
  drop_documents: patterns.optional(),
  licence: path.optional(),
})

const normalise = z.strictObject({
  unicode: z.enum(['NFC', 'NFKC', 'none']).default('NFC').describe('Unicode form of all text.'),
  whitespace: z
    .boolean()
    .default(true)
    .describe('Take out what cannot be seen, spaces at line ends, and blank lines beyond one.'),
})

const language = z.strictObject({
  identifier: path.default('eld').describe('Who says it: eld (60 languages), or a file of anneal language train.'),
  among: z.array(path).default([]).describe('The only labels that there may be; fewer make it surer. Default: all.'),
  min_score: z
    .number()
    .min(0)
    .max(1)
    .default(0.5)
    .describe('Least probability, or plausibility, of a text that stays.'),
  mode: z
    .enum(['detect', 'plausible'])
    .default('detect')
    .describe('detect: it is this language; plausible: it may be, which short texts can answer too.'),
  keep_undetermined: z.boolean().default(false).describe('Keep texts that are too short or too mixed to tell.'),
})

const pii = z.strictObject({
  email: z.boolean().default(true).describe('Replace e-mail addresses.'),
  ip: z.boolean().default(true).describe('Replace public IP addresses.'),
  phone: z.boolean().default(false).describe('Replace telephone numbers.'),
  cpr: z.boolean().default(false).describe('Replace Danish CPR numbers.'),
})

const dedupShape = z.strictObject({
  exact: z.boolean().default(true).describe('Of equal texts keep one.'),
  near: z
    .enum(['verified', 'datatrove', 'none'])
    .default('verified')
    .describe('Near-duplicates: checked one by one, or everything joined that shares a band.'),
  bands: count.default(MINHASH.bands).describe('Bands of a signature; more find more.'),
  rows: count.default(MINHASH.rows).describe('Hashes of a band; more find only the more similar.'),
  ngram: count.default(MINHASH.ngram).describe('Words of a shingle.'),
  threshold: z
    .number()
    .gt(0)
    .max(1)
    .default(0.8)
    .describe('verified: the least share of shingles in common of what is removed.'),
})

const dedup = dedupShape.check(({ value: { bands, rows }, issues }) => {
  if (bands * rows <= MAX_HASHES) return
  issues.push({ code: 'custom', message: `bands · rows ≤ ${MAX_HASHES}`, input: bands * rows, path: ['bands'] })
})

const contamination = z.strictObject({
  files: paths.default([]).describe('Evaluation sets: documents that share a run of words with an item of them go.'),
  ngram: z.int().min(5).default(13).describe('Words of a run; a shorter item counts as a whole from 5 words on.'),
})

const output = z.strictObject({
  format: z.enum(['jsonl', 'parquet']).default('jsonl').describe('Of the files in data/.'),
  file_mb: z.number().positive().default(256).describe('Size of a file, in MB of JSON lines.'),
})

const shape: Shape<CurateConfig> = {
  inputs: paths.describe(
    'Files or folders: text, Markdown, HTML, JSONL, JSON, CSV, TSV, Parquet, WARC; .gz and .zst of them; or datasets of the hub by name.',
  ),
  output_dir: path.describe('Folder of the result, its report, and the work in between.'),
  text_column: path.default('text').describe('Column or field that holds the text.'),
  keep_columns: kept.default([]).describe('Other columns that go along to the output.'),
  encoding: encoding.optional(),
  documents: documents.default('file').describe('A text file is one document, or one for each paragraph or line.'),
  lang: paths.optional().describe('Languages that stay: da, or several. Default: all, and no one asks.'),
  preset: preset
    .optional()
    .describe(
      'Rules of quality: none, gopher, c4, mc4, fineweb, fineweb2:LANGUAGE. Default: of the language; without one none.',
    ),
  rules: rules.default({}).describe('Single rules in place of the preset: min_doc_words: 20; null switches one off.'),
  sources: z.array(source).default([]).describe('What differs for some of the files.') as unknown as z.ZodType<
    CurateSource[]
  >,
  normalise: normalise.prefault({}),
  language: language.prefault({}),
  pii: pii.prefault({}),
  dedup: dedup.prefault({}) as unknown as z.ZodType<CurateConfig['dedup']>,
  contamination: contamination.prefault({}) as unknown as z.ZodType<CurateConfig['contamination']>,
  output: output.prefault({}),
  max_bad: z
    .number()
    .min(0)
    .max(1)
    .default(0.001)
    .describe('Share of the records, and of their bytes, that may be bad; they are in quarantine/.'),
}

const { fields, sections } = keysOf(shape)

/** Keys, names and rules of `anneal curate`. */
export const curateKind: ConfigKind<CurateConfig> = {
  title: 'Anneal curation configuration',
  schema: z.strictObject(shape) as unknown as z.ZodType<CurateConfig>,
  fields,
  sections,
  aliases: {
    out: { to: 'output_dir', from: 'the command line' },
    normalize: { to: 'normalise', from: 'American spelling' },
    'normalize.unicode': { to: 'normalise.unicode', from: 'American spelling' },
    'normalize.whitespace': { to: 'normalise.whitespace', from: 'American spelling' },
    max_bad_fraction: { to: 'max_bad', from: 'training' },
    dataset: { to: 'inputs', from: 'training' },
  },
  withoutCounterpart: {},
  schemaCommand: 'anneal schema curate',
  alternatives: [],
  groups: {
    inputs: 'What is curated, and how it is read',
    lang: 'What stays',
    'normalise.unicode': 'What is done to all text first',
    'language.identifier': 'Who names languages',
    'pii.email': 'What is masked',
    'dedup.exact': 'Duplicates',
    'contamination.files': 'Texts of evaluations',
    'output.format': 'The result',
  },
}

/** Lets a command take every key of it. */
export const curateOverrides: OverrideSyntax = overridesOf(curateKind)

/** What a program gives of it; the rest are defaults. */
export type CurateConfigValues = Partial<
  Omit<CurateConfig, 'inputs' | 'lang' | 'normalise' | 'language' | 'pii' | 'dedup' | 'contamination' | 'output'>
> & {
  inputs?: string | readonly string[]
  lang?: string | readonly string[] | undefined
  normalise?: Partial<CurateConfig['normalise']>
  language?: Partial<CurateConfig['language']>
  pii?: Partial<CurateConfig['pii']>
  dedup?: Partial<CurateConfig['dedup']>
  contamination?: { files?: string | readonly string[]; ngram?: number }
  output?: Partial<CurateConfig['output']>
}

/** Parses a configuration of `runCurate`: `text` is YAML, given values win over it and overrides over both. Throws ConfigError. */
export function parseCurateConfig(
  text: string | undefined,
  file: string,
  overrides: readonly Override[] = [],
  given?: GivenValues<CurateConfigValues>,
): ParsedConfig<CurateConfig, string> {
  const { checked, ...more } = parseKind(curateKind, { text, file, overrides, given })
  return { config: checked, ...more }
}

/**
 * A checked configuration of `runCurate` from values, with the defaults filled in. Throws ConfigError.
 *
 * @example
 * const config = curateConfig({ inputs: 'texts/', output_dir: 'runs/danish', lang: 'da' })
 */
export function curateConfig(values: CurateConfigValues, origin = 'configuration'): CurateConfig {
  return parseCurateConfig(undefined, origin, [], { values, origin }).config
}

function isEncoding(name: string): boolean {
  try {
    new TextDecoder(name)
    return true
  } catch {
    return false
  }
}

function isPattern(source: string): boolean {
  try {
    new RegExp(source, 'u')
    return true
  } catch {
    return false
  }
}

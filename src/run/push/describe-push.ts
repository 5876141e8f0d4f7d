// What lies in a folder that is to be pushed: a model, an adapter, GGUF files or a dataset; and what its card says of it.
import { existsSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { type LineageStep, readLineage } from '../../checkpoint/model-directory/lineage.ts'
import { NGRAMS } from '../../data/language/ngram-directory.ts'
import { InputError } from '../../errors.ts'
import { readJsonFile } from '../../files/read-json.ts'
import type { RepoType } from '../../hub/cache.ts'
import { datasetSplits, holdsRows } from '../../hub/dataset-splits.ts'
import type { UploadFile } from '../../hub/upload.ts'
import { type GgufOrigin, ggufOrigin } from './gguf-origin.ts'
import { baseName, baseOf, datasetsOf, isCanonicalName, isLocalPath, licenceOf } from './push-card.ts'

/** What is pushed. */
export type PushKind = 'model' | 'adapter' | 'gguf' | 'dataset'

/** What is known of it. */
export interface PushFacts {
  kind: PushKind
  type: RepoType
  what: string
  metadata: Record<string, unknown>
  lineage: readonly LineageStep[]
  usage: readonly { language: string; code: string }[]
  /** What people should know before others see it. */
  notices: readonly string[]
}

/** What is known besides the files. */
interface Known {
  /** `ORG/NAME`. */
  repo: string
  /** As it was given. */
  licence?: string | undefined
}

/** Tells what `files` of `place` are. InputError where they are none of it. */
export function kindOfPush(place: string, files: readonly UploadFile[]): PushKind {
  const has = (name: string): boolean => files.some(({ path }) => path === name)
  if (has('adapter_config.json') && !has('config.json')) return 'adapter'
  if (has('config.json') || files.some(({ path }) => /^[^/]+\.safetensors$/.test(path))) return 'model'
  if (files.some(({ path }) => /\.gguf$/i.test(path))) return 'gguf'
  if ((has('state.json') && files.some(({ path }) => path.endsWith('.arrow'))) || has('dataset_dict.json'))
    throw new InputError(
      `${place}: expected rows as Parquet, JSONL, CSV or text, got what save_to_disk of Python's datasets wrote. Write it with to_parquet (load_from_disk(…).to_parquet('train.parquet')), and push that`,
    )
  if (files.some(({ path }) => holdsRows(path))) return 'dataset'
  const shown = files.slice(0, 5).map(({ path }) => path)
  throw new InputError(
    `${place}: expected a model, an adapter, GGUF files or files of rows (Parquet, JSONL, CSV, text), got ${shown.join(', ') || 'nothing'}. Check the path`,
  )
}

/** What its card says. */
export function describePush(
  place: string,
  kind: PushKind,
  files: readonly UploadFile[],
  { repo, licence }: Known,
): PushFacts {
  const directory = statSync(place).isDirectory() ? place : undefined
  const lineage = readLineage(directory ?? dirname(place))
  const json = (name: string): Record<string, unknown> => {
    const file = directory === undefined ? undefined : join(directory, name)
    const value: unknown = file !== undefined && existsSync(file) ? readJsonFile(file) : {}
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  }
  if (kind === 'dataset') return datasetFacts(files, lineage, { repo, licence })
  const ownBase = json('adapter_config.json').base_model_name_or_path
  const model = kind === 'gguf' ? files.find(({ path }) => /\.gguf$/i.test(path)) : undefined
  const origin: GgufOrigin = model === undefined ? {} : ggufOrigin(model.source as string)
  const isName = typeof ownBase === 'string' && isCanonicalName(ownBase) && !existsSync(ownBase)
  const base = origin.base ?? (isName ? ownBase : (baseName([ownBase]) ?? baseOf(lineage)))
  const license = licence ?? origin.licence ?? (base === undefined ? undefined : licenceOf(base))
  const datasets = datasetsOf(lineage)
  const config = json('config.json')
  const isOwnFormat =
    config.quantization_config !== undefined || config.per_layer_config !== undefined || config.model_type === NGRAMS
  const notices = [
    ...(typeof ownBase === 'string' && (isLocalPath(ownBase) || existsSync(ownBase))
      ? [
          `adapter_config.json: base_model_name_or_path is ${JSON.stringify(ownBase)}, a path of this machine: others have to give its model`,
        ]
      : []),
  ]
  const metadata = {
    ...(license !== undefined && { license }),
    ...(base !== undefined && { base_model: base, base_model_relation: relationOf(kind, lineage) }),
    ...(datasets.length > 0 && { datasets }),
    ...(kind !== 'gguf' && { library_name: kind === 'adapter' ? 'peft' : isOwnFormat ? 'anneal' : 'transformers' }),
    pipeline_tag: taskOf(config),
    tags: ['anneal', ...(kind === 'gguf' ? ['gguf'] : [])],
  }
  return {
    kind,
    type: 'model',
    what: sentence(kind, base, files),
    metadata,
    lineage,
    usage: usageOf(kind, repo),
    notices,
  }
}

function datasetFacts(
  files: readonly UploadFile[],
  lineage: readonly LineageStep[],
  { repo, licence }: Known,
): PushFacts {
  const rows = files.filter(({ path }) => holdsRows(path))
  return {
    kind: 'dataset',
    type: 'dataset',
    what: `Rows in ${rows.length === 1 ? 'one file' : `${rows.length} files`}: ${rows
      .slice(0, 5)
      .map(({ path }) => `\`${path}\``)
      .join(', ')}${rows.length > 5 ? ', …' : ''}.`,
    metadata: { ...(licence !== undefined && { license: licence }), tags: ['anneal'], ...configsOf(rows) },
    lineage,
    usage: [
      { language: 'sh', code: `anneal train ${repo} --model MODEL` },
      { language: 'python', code: `from datasets import load_dataset\nrows = load_dataset(${JSON.stringify(repo)})` },
    ],
    notices: [],
  }
}

/** Rows in `data/` with others beside it, such as a summary: that those are the rows, names alone do not say. */
function configsOf(rows: readonly UploadFile[]): { configs?: unknown } {
  const inside = rows.filter(({ path }) => path.startsWith('data/'))
  if (inside.length === 0 || inside.length === rows.length) return {}
  const files = inside.map(({ path, size }) => ({ path, size, etag: undefined }))
  const splits = datasetSplits(files, undefined, 'data').configs.get('default')
  if (splits?.size !== 1 || !splits.has('train')) return {}
  return { configs: [{ config_name: 'default', data_files: [{ split: 'train', path: 'data/*' }] }] }
}

const WHAT: Readonly<Record<Exclude<PushKind, 'dataset'>, string>> = {
  model: 'A model',
  adapter: 'An adapter',
  gguf: 'A model as GGUF, for llama.cpp and what is built on it',
}

function sentence(kind: Exclude<PushKind, 'dataset'>, base: string | undefined, files: readonly UploadFile[]): string {
  const of = base === undefined ? '' : kind === 'adapter' ? ` for \`${base}\`` : ` made from \`${base}\``
  const models = files.filter(({ path }) => /\.gguf$/i.test(path)).map(({ path }) => `\`${path}\``)
  return `${WHAT[kind]}${of}${kind === 'gguf' ? `: ${models.join(', ')}` : ''}.`
}

function relationOf(kind: PushKind, lineage: readonly LineageStep[]): string {
  if (kind === 'adapter') return 'adapter'
  const last = lineage.at(-1)?.pass
  return kind === 'gguf' || last === 'quantize' ? 'quantized' : 'finetune'
}

function taskOf({ architectures }: Record<string, unknown>): string {
  const name = Array.isArray(architectures) ? String(architectures[0]) : ''
  if (/ForSequenceClassification$/.test(name)) return 'text-classification'
  return /ForMaskedLM$/.test(name) ? 'fill-mask' : 'text-generation'
}

function usageOf(kind: PushKind, repo: string): PushFacts['usage'] {
  const shell = { language: 'sh', code: `anneal chat --model ${repo}` }
  if (kind === 'gguf') return [shell, { language: 'sh', code: `llama-cli -hf ${repo}` }]
  return [shell]
}

// Which files of a repository are needed: weights as safetensors and what belongs to them, or the one GGUF model that was asked for. Never a
// pickle: reading one runs whatever program is in it.
import { InputError } from '../errors.ts'
import { didYouMean } from '../nearest.ts'
import type { RepoFile } from './cache.ts'

/** What of a repository is downloaded, and which of it stands for the model: a GGUF file, or the folder where absent. */
export interface Wanted {
  /** Paths. Where an index is among them, the shards that it names are wanted, too. */
  files: readonly RepoFile[]
  /** The index of a model in several files. */
  index?: RepoFile | undefined
  /** The GGUF file (the first of several), or the one file or the folder that was named. */
  entry?: string | undefined
  /** What to say of a second set of weights, which is left where it is. */
  aside?: string | undefined
}

/** What a place needs of a repository: a model or adapter with its weights, what makes and reads tokens, or whichever of them is there. */
export type Need = 'model' | 'tokenizer' | 'any'

const PICKLE = /\.(?:bin|pt|pth|ckpt|pkl|pickle|msgpack|h5|joblib|npy|npz)$/i
const SHARD = /-\d{5}-of-\d{5}(?=\.gguf$)/i
/** `Q4_K_M`, `IQ2_XXS`, `UD-Q4_K_XL`, `bf16`, `mxfp4_moe` at the end of a GGUF file's name, before the number of a shard. */
const QUANTIZATION = /(?:^|[-._])((?:UD-)?(?:I?Q\d\w*|TQ\d_\d|MXFP4\w*|BF16|F16|F32))$/i
const TOKENIZERS = ['tokenizer.json', 'vocab.txt']
const INDEX = 'model.safetensors.index.json'
const WHOLE = 'model.safetensors'
const OF_INDEX = /^model-\d{5}-of-\d{5}\.safetensors$/
const ADAPTER = 'adapter_model.safetensors'
/** Said of a repository with both. */
const TWO_SETS = `two sets of weights: ${WHOLE} is taken, as Transformers does, and the shards of ${INDEX} are left`
/** Beside the weights: configurations, tokenizers, templates, the card and the licence; in folders, further templates and how vectors are pooled. */
const SIDE_FILE =
  /^(?:[^/]+\.json|[^/]+\.jinja|vocab\.txt|merges\.txt|tokenizer\.model|[^/]+\.tiktoken|README\.md|(?:LICENSE|NOTICE)[^/]*|additional_chat_templates\/[^/]+\.jinja|1_Pooling\/config\.json)$/i
/** Of other formats' weights, or of the run that made them: nothing that anybody here reads. */
const FOREIGN =
  /^(?:(?:pytorch_model|tf_model|flax_model|consolidated|diffusion)\b.*|trainer_state\.json|.*\.safetensors\.index\.json)$/i

/** Beside the weights, what changes what a model does; the rest of the side files is for people. */
const READ =
  /^(?:(?:config|generation_config|adapter_config|tokenizer|tokenizer_config|special_tokens_map|added_tokens|vocab|chat_template|modules|sentence_bert_config)\.json|[^/]+\.jinja|vocab\.txt|merges\.txt|tokenizer\.model|[^/]+\.tiktoken|additional_chat_templates\/.*|1_Pooling\/.*)$/

/** Whether what was chosen by {@link wantedFiles} cannot do without the file at `path`. */
export function isNeeded(path: string, { entry }: Wanted): boolean {
  if (path === entry) return true
  const own = path.startsWith(`${entry}/`) ? path.slice(entry!.length + 1) : path
  return READ.test(own) || !SIDE_FILE.test(own) || own === INDEX
}

/** Chooses among `files` of `name`; `part` is a file's path or a quantization. InputError, with what there is, where nothing or several fit. */
export function wantedFiles(
  files: readonly RepoFile[],
  part: string | undefined,
  name: string,
  need: Need = 'model',
): Wanted {
  if (part !== undefined) return wantedPart(files, part, name, need)
  const byPath = new Map(files.map((file) => [file.path, file]))
  const sides = files.filter(({ path }) => SIDE_FILE.test(path) && !FOREIGN.test(path))
  if (need === 'tokenizer') {
    if (!TOKENIZERS.some((path) => byPath.has(path)))
      throw new InputError(`${name}: expected a repository with tokenizer.json, got ${shownPaths(files)}`)
    return { files: sides }
  }
  // One file goes before an index, as Transformers has it.
  const whole = byPath.get(WHOLE)
  const index = whole === undefined ? byPath.get(INDEX) : undefined
  const weights = [index, whole, byPath.get(ADAPTER)].filter((file) => file !== undefined)
  const isTwice = whole !== undefined && byPath.has(INDEX) && files.some(({ path }) => OF_INDEX.test(path))
  if (weights.length > 0) return { files: [...sides, ...weights], index, ...(isTwice && { aside: TWO_SETS }) }
  const models = ggufModels(files)
  if (models.size === 1) return wantedGguf([...models.values()][0]!)
  if (models.size > 1)
    throw new InputError(
      `${name}: expected one model, got ${models.size} GGUF files. Name one: ${suggestions(name, models)}`,
    )
  const pickle = files.find(({ path }) => PICKLE.test(path))
  if (pickle !== undefined)
    throw new InputError(
      `${name}: expected weights as safetensors, got pickles alone (${pickle.path}), which run whatever program is in them. Look for a version with safetensors (its makers', or @refs/pr/1 by the hub's converter), or convert it with Transformers: AutoModelForCausalLM.from_pretrained(…).save_pretrained(DIR)`,
    )
  if (need === 'any' && TOKENIZERS.some((path) => byPath.has(path))) return { files: sides }
  throw new InputError(`${name}: expected ${WHOLE}, ${INDEX}, ${ADAPTER} or a .gguf file, got ${shownPaths(files)}`)
}

/** The shards that a model's `index` names, `json` being what it holds, as files of the repository. */
export function shardsOf(json: unknown, index: RepoFile, files: readonly RepoFile[], name: string): RepoFile[] {
  const folder = index.path.slice(0, -INDEX.length)
  const map = (json as { weight_map?: unknown } | null)?.weight_map
  const names = new Set(typeof map === 'object' && map !== null ? Object.values(map) : [])
  const byPath = new Map(files.map((file) => [file.path, file]))
  return [...names].map((shard) => {
    const file = typeof shard === 'string' && shard.endsWith('.safetensors') ? byPath.get(folder + shard) : undefined
    if (file !== undefined) return file
    throw new InputError(
      `${name}, ${index.path}: expected shards that are there, got ${JSON.stringify(shard)?.slice(0, 100)}`,
    )
  })
}

function wantedPart(files: readonly RepoFile[], part: string, name: string, need: Need): Wanted {
  const models = ggufModels(files)
  const own = name.endsWith(`:${part}`) ? name.slice(0, -part.length - 1) : name
  const file = files.find(({ path }) => path === part)
  if (file !== undefined) {
    if (PICKLE.test(part))
      throw new InputError(
        `${name}: expected a file that is data alone, got a pickle, which runs whatever program is in it`,
      )
    const model = models.get(part.replace(SHARD, ''))
    return model === undefined ? { files: [file], entry: part } : wantedGguf(model)
  }
  // Of a folder without GGUF files: in those it may be a quantization.
  const inside = files.filter(({ path }) => path.startsWith(`${part}/`))
  if (inside.length > 0 && !inside.some(({ path }) => /\.gguf$/i.test(path)))
    return wantedFolder(inside, part, name, need)
  const fitting = new Map([...models].filter(([path]) => quantizationOf(path)?.toLowerCase() === part.toLowerCase()))
  if (fitting.size === 1) return wantedGguf([...fitting.values()][0]!)
  if (fitting.size > 1) {
    const paths = [...fitting.values()].map(([first]) => `${own}:${first!.path}`)
    throw new InputError(
      `${name}: expected one model of this quantization, got ${fitting.size}. Name one: ${paths.join(', ')}`,
    )
  }
  if (models.size === 0) {
    const hint = didYouMean(
      part,
      files.map(({ path }) => path),
    )
    throw new InputError(
      `${name}: expected a file of the repository after :, got '${part}'.${hint || ` There are ${shownPaths(files)}`}`,
    )
  }
  throw new InputError(
    `${name}: expected a file or quantization of the repository after :, got '${part}'. There are ${suggestions(own, models)}`,
  )
}

/** A model in a folder of its own, such as a checkpoint, as if the folder were the repository. */
function wantedFolder(inside: readonly RepoFile[], folder: string, name: string, need: Need): Wanted {
  const own = new Map(inside.map((file) => [file.path.slice(folder.length + 1), file]))
  const { files, index, aside } = wantedFiles(
    [...own].map(([path, file]) => ({ ...file, path })),
    undefined,
    name,
    need,
  )
  return {
    files: files.map(({ path }) => own.get(path)!),
    index: index && own.get(index.path)!,
    entry: folder,
    ...(aside !== undefined && { aside }),
  }
}

/** GGUF models by their path without a shard's number, each with its files in order. What goes with a model (pictures, matrices of importance) is none. */
function ggufModels(files: readonly RepoFile[]): Map<string, RepoFile[]> {
  const models = new Map<string, RepoFile[]>()
  for (const file of files) {
    if (!/\.gguf$/i.test(file.path) || /(?:^|\/)(?:mmproj|imatrix)|imatrix\.gguf$/i.test(file.path)) continue
    const whole = file.path.replace(SHARD, '')
    models.set(whole, [...(models.get(whole) ?? []), file])
  }
  for (const model of models.values()) model.sort((a, b) => (a.path < b.path ? -1 : 1))
  return models
}

function wantedGguf(model: readonly RepoFile[]): Wanted {
  return { files: model, entry: model[0]!.path }
}

/** Of a file in a folder, the folder may say it: `Q4_K_M/model.gguf`. */
function quantizationOf(path: string): string | undefined {
  const [file = '', folder = ''] = path
    .replace(/\.gguf$/i, '')
    .split('/')
    .reverse()
  return (QUANTIZATION.exec(file) ?? QUANTIZATION.exec(folder))?.[1]
}

/** How each could be asked for. */
function suggestions(name: string, models: ReadonlyMap<string, readonly RepoFile[]>): string {
  const all = [...models].map(([path, [first]]) => ({ path: first!.path, quantization: quantizationOf(path) }))
  const isOnly = (wanted: string | undefined): boolean =>
    all.filter(({ quantization }) => quantization === wanted).length === 1
  const shown = all.map(
    ({ path, quantization }) => `${name}:${quantization !== undefined && isOnly(quantization) ? quantization : path}`,
  )
  return `${shown.slice(0, 30).join(', ')}${shown.length > 30 ? ` and ${shown.length - 30} more` : ''}`
}

function shownPaths(files: readonly RepoFile[]): string {
  const paths = files.map(({ path }) => path)
  if (paths.length === 0) return 'no files'
  return `${paths.slice(0, 10).join(', ')}${paths.length > 10 ? ` and ${paths.length - 10} more` : ''}`
}

// The one door to a model: a path, adapters, a device and a dtype → weights, tokenizer, sampling settings and history.
import { existsSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { baseFormatsOf } from '../checkpoint/adapter/adapter.ts'
import type { LineageStep, PassRecord } from '../checkpoint/model-directory/lineage.ts'
import { isQuantized, loadDecoder } from '../checkpoint/model-directory/load.ts'
import { InputError } from '../errors.ts'
import { loadGguf } from '../gguf/load-model.ts'
import { loadGgufTokenizer } from '../gguf/load-parts.ts'
import { nameOfSnapshot, pinnedName } from '../hub/snapshot.ts'
import type { GenerationConfig } from '../infer/generation-config.ts'
import { loadLoras } from '../methods/lora/adapter-files.ts'
import { mergeAndUnload } from '../methods/lora/merge.ts'
import { type MergeBase, mergeQuantized } from '../methods/lora/quantized-base.ts'
import { loadPrompt } from '../methods/prompt-tuning/prompt-files.ts'
import { promptOf } from '../methods/prompt-tuning/prompt-tuning.ts'
import type { Decoder } from '../model/decoder.ts'
import { loadDtype } from '../model/dtype.ts'
import { quantLinears } from '../model/quantize-model.ts'
import type { QuantSpec } from '../nn/quant/format.ts'
import { checkOptionNames } from '../option-names.ts'
import { Tokenizer } from '../text/tokenizer.ts'
import { type DType, inference, resolveDevice } from '../torch/index.ts'
import type { Watch } from '../work.ts'
import {
  type ModelSource,
  modelSource,
  placeOf,
  sourceConfig,
  sourceGenerationConfig,
  sourceLineage,
} from './model-source.ts'
import { resolveModels } from './resolve-model.ts'

/** What is put on a model, and where and how it is loaded. */
export interface LoadModelOptions {
  /** A LoRA or a soft prompt in PEFT's layout; several are all on at once. */
  adapter?: string | readonly string[]
  /**
   * Merges the adapters into the weights. Which weights that are counts for one that was trained on a quantized base: those that
   * training saw, `dequantized`, or the `full-precision` ones. Without it adapters stay beside the base.
   */
  onto?: MergeBase
  /** Default `auto`: `cuda` where there is one. */
  device?: 'auto' | 'cpu' | 'cuda'
  /**
   * Default `auto`: f32 on a CPU, where blocks of a GGUF file stay as they are; else the type that the weights are stored in. `stored` is
   * that everywhere. Merging is done in f32.
   */
  dtype?: 'auto' | 'stored' | DType
  /** Hears what loading had to do that takes more memory than the file. */
  tell?: ((notice: string) => void) | undefined
}

export const LOADING: Readonly<Record<keyof LoadModelOptions, true>> = {
  adapter: true,
  onto: true,
  device: true,
  dtype: true,
  tell: true,
}

/** A model with all that goes with it. */
export interface LoadedModel {
  model: Decoder
  /** Virtual tokens of a soft prompt, read before every text; see `EngineParts.prefix`. */
  prefix: readonly number[]
  /** Undefined where there is no tokenizer.json. */
  tokenizer: Tokenizer | undefined
  generationConfig: GenerationConfig
  /** The steps that made what is on disk. */
  lineage: LineageStep[]
  /** What loading did to it: merges of adapters. */
  steps: PassRecord[]
  source: ModelSource
}

/**
 * Loads a model directory, a GGUF file, an adapter's directory (the model that it names, with it on top), or any of them by its name on the
 * hub. A tokenizer and sampling
 * settings beside an adapter win over the base's. `model.free()` gives its memory back.
 *
 * @example
 * const { model, tokenizer } = await loadModel('runs/lora', { dtype: 'bf16' })
 */
export async function loadModel(path: string | ModelSource, options: LoadModelOptions = {}): Promise<LoadedModel> {
  checkOptionNames('loadModel', options, LOADING)
  const { adapter, onto, device: wish = 'auto', dtype = 'auto', tell } = options
  const source = typeof path === 'string' ? await openSource(path, adapter, tell) : path
  const device = resolveDevice(wish)
  const config = sourceConfig(source)
  const own = await loadTokenizer(source)
  // One that belongs to another model is told where it is used: weights alone do not need it.
  const tokenizer = own?.fit(config.vocabSize) ?? own
  const generationConfig = sourceGenerationConfig(source)
  const lineage = sourceLineage(source)
  // Blocks of a GGUF file stay as they are where nothing else is asked for.
  const keepsBlocks = source.isGguf && dtype === 'auto' && device === 'cpu'
  const loading = { onto, device, tell, dtype: keepsBlocks ? undefined : loadDtype(dtype, config.dtype, device) }
  return { ...loadWeights(source, loading), tokenizer, generationConfig, lineage, source }
}

/** What is at a path, or has a name on the hub. */
async function openSource(
  model: string,
  adapter: LoadModelOptions['adapter'],
  tell: LoadModelOptions['tell'],
): Promise<ModelSource> {
  const watch: Watch = { tell: (event) => event.type === 'notice' && tell?.(event.message) }
  const { model: path, adapter: adapters } = await resolveModels({ model, adapter }, watch)
  return modelSource(path, adapters)
}

type Loading = { device: string; dtype: DType | undefined; tell?: LoadModelOptions['tell'] }

/** The weights alone: the base with its adapters on it, or, with `onto`, in it, which is done in f32. */
export function loadWeights(
  source: ModelSource,
  { onto, ...loading }: Loading & { onto?: MergeBase | undefined },
): Pick<LoadedModel, 'model' | 'prefix' | 'steps'> {
  return onto !== undefined && source.adapters.length > 0
    ? { ...loadMerged(source, onto, loading.device), prefix: [] }
    : { ...loadBeside(source, loading), steps: [] }
}

/** The tokenizer of a model: beside the topmost adapter that has one, else the base's. Undefined where there is none. */
export async function loadTokenizer(source: ModelSource): Promise<Tokenizer | undefined> {
  const place = placeOf(source, 'tokenizer.json')
  if (source.isGguf && place === source.base) return loadGgufTokenizer(place)
  return existsSync(join(place, 'tokenizer.json')) ? Tokenizer.fromDirectory(place) : undefined
}

/** The base with its adapters on it. */
function loadBeside(source: ModelSource, { device, dtype, tell }: Loading): Pick<LoadedModel, 'model' | 'prefix'> {
  const formats = source.isGguf || isQuantized(source.base) ? new Map<string, QuantSpec>() : formatsOf(source)
  // In `inference`, for huge pages (native/allocator.cc).
  const model = inference(() =>
    source.isGguf
      ? loadGguf(source.base, { device, dtype, tell })
      : // An adapter fits the base as training had it, and its file says how that was quantized.
        loadDecoder(source.base, { device, ...(dtype && { dtype }), ...(formats.size > 0 && { quantize: formats }) }),
  )
  try {
    return putAdapters(model, source)
  } catch (error) {
    model.free()
    throw error
  }
}

function putAdapters(model: Decoder, { adapters }: ModelSource): Pick<LoadedModel, 'model' | 'prefix'> {
  const loras = adapters.filter(({ config }) => config.peft_type === 'LORA')
  const prompts = adapters.filter(({ config }) => config.peft_type === 'PROMPT_TUNING')
  const [prompt, other] = prompts
  if (other !== undefined)
    throw new InputError(`adapter in ${other.directory}: expected one soft prompt, got one beside ${prompt!.directory}`)
  loadLoras(
    model,
    loras.map(({ directory }) => directory),
  )
  if (prompt === undefined) return { model, prefix: [] }
  loadPrompt(model, prompt.directory)
  return { model, prefix: promptOf(model).ids }
}

/** The base with its adapters in its weights, in f32. */
function loadMerged(source: ModelSource, onto: MergeBase, device: string): Pick<LoadedModel, 'model' | 'steps'> {
  const directories = source.adapters.map(({ directory }) => directory)
  const step = ({ pass, options, report }: LoadedModel['steps'][number]): LoadedModel['steps'] => [
    { pass, options: { ...options, adapter: directories.map(adapterName).join(', ') }, report },
  ]
  if (!source.isGguf && formatsOf(source).size > 0) {
    const options = { baseDirectory: source.base, adapterDirectory: directories, device }
    const { model, record } = mergeQuantized(onto, options)
    return { model, steps: step(record) }
  }
  const model = source.isGguf ? loadGguf(source.base, { device, dtype: 'f32' }) : loadDecoder(source.base, { device })
  try {
    loadLoras(model, directories)
    return { model, steps: step(mergeAndUnload(model, quantLinears(model).size > 0 ? { dtype: 'f32' } : {})) }
  } catch (error) {
    model.free()
    throw error
  }
}

/** How the base was quantized when the adapters were trained. */
function formatsOf({ adapters }: ModelSource): Map<string, QuantSpec> {
  const all = adapters.map(({ directory }) => ({ directory, formats: baseFormatsOf(directory) }))
  const [first = { directory: '', formats: new Map<string, QuantSpec>() }, ...rest] = all
  const spelled = (formats: ReadonlyMap<string, QuantSpec>): string => JSON.stringify([...formats].sort())
  for (const { directory, formats } of rest) {
    if (spelled(formats) === spelled(first.formats)) continue
    throw new InputError(
      `adapter in ${directory}: expected one trained on the same quantized base as ${first.directory}, got another. Merge one of them first`,
    )
  }
  return first.formats
}

/** By its name and commit what came from the hub, by its folder any other. */
function adapterName(directory: string): string {
  return nameOfSnapshot(directory) === undefined ? basename(resolve(directory)) : pinnedName(directory)
}

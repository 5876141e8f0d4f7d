// LoRA adapters ↔ PEFT directories. Loading checks everything against the model before it changes anything; saving says who else
// will not be able to load the result.
import {
  groupLoraTensors,
  type LoraTensors,
  nameLoraTensors,
  readAdapter,
  writeAdapter,
} from '../../checkpoint/adapter/adapter.ts'
import type { LoraFile } from '../../checkpoint/adapter/adapter-config.ts'
import { InputError, UsageError } from '../../errors.ts'
import type { WrittenFile } from '../../files/atomic-write.ts'
import type { Decoder } from '../../model/decoder.ts'
import type { ModelType } from '../../model/families.ts'
import { checkpointModule, isStoredTransposed } from '../../model/hf-names.ts'
import { HEAD } from '../../model/linears.ts'
import { quantLinears } from '../../model/quantize-model.ts'
import type { QuantSpec } from '../../nn/quant/format.ts'
import { scope, type Tensor } from '../../torch/index.ts'
import { withoutBaseCopies } from './base-copies.ts'
import { type FileModule, fileModules, findModule, joinAdapter, splitAdapter } from './fused-modules.ts'
import { attachAdapters, loraLayers, setAdapters } from './lora.ts'
import { type Adapter, scaleOf } from './lora-linear.ts'
import { modulePattern } from './module-pattern.ts'

/** The rank that vLLM takes without being told more (`max_lora_rank`). */
const VLLM_RANK = 16

/**
 * Puts the adapter in `directory` on the model under `name` and makes it the active one, frozen unless `trainable`. An InputError
 * (another model's adapter, an unknown kind) leaves the model as it was.
 */
export function loadLora(
  model: Decoder,
  directory: string,
  options: { name?: string; trainable?: boolean } = {},
): LoraFile {
  const { name = 'default', trainable = false } = options
  const { config, attach } = readLora(model, directory)
  attach(name)
  setAdapters(model, name, { trainable })
  return config
}

/**
 * Reads the adapter in `directory` and checks that it is one of this model; `attach` puts it there under a name, not active, or frees it and
 * throws a UsageError where it cannot have that name. To be called once.
 */
export function readLora(model: Decoder, directory: string): { config: LoraFile; attach: (name: string) => void } {
  const { config, adapters } = scope(() => {
    const stored = readAdapter(directory)
    const { config } = stored
    if (config.peft_type !== 'LORA')
      throw new InputError(
        `adapter in ${directory}: expected a LoRA, got ${config.peft_type}. A soft prompt is not merged or tuned on: give it to generate, chat or score`,
      )
    const modules = fileModules(model)
    const tensors = withoutBaseCopies(model, stored.tensors, directory)
    const groups = groupLoraTensors({ config, tensors }, directory)
    for (const [moduleName, tensors] of groups)
      checkFits(findModule(modules, moduleName), moduleName, tensors, directory)
    const settingsOf = settingsReader(config, directory)
    const split = [...groups].flatMap(([moduleName, tensors]) => {
      const settings = settingsOf(moduleName, tensors.A.size(0))
      const parts = splitAdapter(findModule(modules, moduleName)!, tensors)
      return parts.map(([path, parts]) => ({ path, parts, settings }))
    })
    // Kept only now that nothing can be wrong any more.
    const adapters = split.map(({ path, parts, settings }): [string, Adapter] => [
      path,
      { ...settleOn(parts, model.device), ...settings },
    ])
    return { config, adapters }
  })
  return {
    config,
    attach: (name) => {
      try {
        attachAdapters(model, name, adapters)
      } catch (error) {
        for (const [, { A, B, magnitude }] of adapters) for (const tensor of [A, B, magnitude]) tensor?.free()
        throw error
      }
    },
  }
}

/** Puts the adapters in these directories on the model, all of them on and frozen: their sum counts. */
export function loadLoras(model: Decoder, directories: readonly string[]): void {
  if (directories.length === 0) return
  const names = directories.map((_, i) => (i === 0 ? 'default' : `adapter_${i + 1}`))
  for (const [i, directory] of directories.entries()) loadLora(model, directory, { name: names[i]! })
  setAdapters(model, names, { trainable: false })
}

/**
 * Writes adapter `name` into `directory`, which must exist, as PEFT does. `notices` say what vLLM or llama.cpp would refuse or
 * compute differently; merging (`mergeAndUnload`) is the way around each.
 */
export function saveLora(
  model: Decoder,
  directory: string,
  options: { name?: string; baseModel?: string | null } = {},
): { files: WrittenFile[]; notices: string[] } {
  const { name = 'default', baseModel = null } = options
  const adapters = new Map(
    [...loraLayers(model)].flatMap(([path, layer]) => {
      const adapter = layer.adapters.get(name)
      return adapter === undefined ? [] : [[path, adapter] as const]
    }),
  )
  const some = [...adapters.values()][0]
  if (some === undefined) throw new UsageError(`adapter: expected one called ${name} on this model, got none`)
  const modules = fileModules(model)
  return scope(() => {
    const parts: [FileModule, LoraTensors, number][] = [...modules.values()].flatMap((module) => {
      const first = module.paths.flatMap((path) => adapters.get(path) ?? [])[0]
      if (first === undefined) return []
      const joined = joinAdapter(module, adapters)
      // A block-diagonal adapter has a higher rank; another alpha keeps the scale.
      const [own, rank] = [first.A.size(0), joined.A.size(0)]
      const alpha = rank === own ? first.alpha : scaleOf(first, own) / scaleOf({ ...first, alpha: 1 }, rank)
      return [[module, joined, alpha]]
    })
    const config = configOf(parts, some, [...modules.keys()], model, baseModel)
    const baseFormats = new Map(
      Array.from(quantLinears(model), ([path, { weight }]) => [path.replace(/\.base_layer$/, ''), weight.spec]),
    )
    const notices = [...noticesOf(config, parts, model.config.modelType), ...baseNotices(baseFormats)]
    const files = writeAdapter(
      directory,
      config,
      nameLoraTensors(parts.map(([{ name }, joined]) => [name, joined])),
      notices,
      baseFormats,
    )
    return { files, notices }
  })
}

function checkFits(module: FileModule | undefined, name: string, { A, B }: LoraTensors, directory: string): void {
  const what = `adapter in ${directory}: ${name}`
  if (module === undefined)
    throw new InputError(
      `${what}: expected modules of this model, got one it does not have. It belongs to another model`,
    )
  const { inFeatures, outFeatures } = module
  if (A.size(1) !== inFeatures || B.size(0) !== outFeatures)
    throw new InputError(
      `${what}: expected one for a matrix [${outFeatures}, ${inFeatures}], got one for [${B.size(0)}, ${A.size(1)}]. It belongs to another model`,
    )
}

/** Reads alpha and the rest for a module and its rank; the first pattern that matches the end of its name counts, as in PEFT. */
function settingsReader(
  config: LoraFile,
  directory: string,
): (module: string, rank: number) => Omit<Adapter, keyof LoraTensors> {
  const reader = (key: 'rank_pattern' | 'alpha_pattern'): ((module: string) => number | undefined) => {
    const patterns = Object.entries(config[key]).map(
      ([pattern, value]) => [modulePattern(pattern, `adapter in ${directory}: ${key}`), value] as const,
    )
    return (module) => patterns.find(([isMeant]) => isMeant(module))?.[1]
  }
  const [rankOf, alphaOf] = [reader('rank_pattern'), reader('alpha_pattern')]
  return (module, rank) => {
    const expected = rankOf(module) ?? config.r
    if (expected !== rank)
      throw new InputError(`adapter in ${directory}: ${module}: expected rank ${expected} as configured, got ${rank}`)
    return {
      alpha: alphaOf(module) ?? config.lora_alpha,
      useRslora: config.use_rslora,
      dropout: config.lora_dropout,
    }
  }
}

function settleOn({ A, B, magnitude }: LoraTensors, device: string): LoraTensors {
  const settle = (tensor: Tensor): Tensor => tensor.to(device).contiguous().keep()
  return { A: settle(A), B: settle(B), magnitude: magnitude && settle(magnitude) }
}

function configOf(
  parts: readonly [FileModule, LoraTensors, number][],
  some: Adapter,
  allNames: readonly string[],
  model: Decoder,
  baseModel: string | null,
): LoraFile {
  const r = commonest(parts.map(([, { A }]) => A.size(0)))
  const alpha = commonest(parts.map(([, , alpha]) => alpha))
  const others = (pick: (part: (typeof parts)[number]) => number, usual: number): Record<string, number> =>
    Object.fromEntries(parts.filter((part) => pick(part) !== usual).map((part) => [part[0].name, pick(part)]))
  return {
    peft_type: 'LORA',
    base_model_name_or_path: baseModel,
    r,
    lora_alpha: alpha,
    lora_dropout: some.dropout,
    target_modules: shortestNames(
      parts.map(([{ name }]) => name),
      allNames,
    ),
    use_rslora: some.useRslora,
    use_dora: some.magnitude !== null,
    // GPT-2 stores its matrices transposed, and PEFT wants to know.
    fan_in_fan_out: isStoredTransposed(model.config.modelType),
    rank_pattern: others(([, { A }]) => A.size(0), r),
    alpha_pattern: others(([, , alpha]) => alpha, alpha),
  }
}

/** Ends of names (`q_proj`) where those mean the same modules, else longer ones, up to the whole. */
function shortestNames(names: readonly string[], all: readonly string[]): string[] {
  const wanted = new Set(names)
  const ends = names.map((name) => {
    const parts = name.split('.')
    for (let length = 1; length < parts.length; length++) {
      const end = parts.slice(-length).join('.')
      if (all.every((other) => wanted.has(other) || !(other === end || other.endsWith(`.${end}`)))) return end
    }
    return name
  })
  return [...new Set(ends)].sort()
}

function noticesOf(
  config: LoraFile,
  parts: readonly [FileModule, LoraTensors, number][],
  modelType: ModelType,
): string[] {
  const highest = parts.reduce((most, [, { A }]) => Math.max(most, A.size(0)), 0)
  const hasHead = parts.some(([{ name }]) => name === HEAD)
  const hasPatterns = Object.keys({ ...config.rank_pattern, ...config.alpha_pattern }).length > 0
  return [
    ...(config.use_dora ? ['vLLM and llama.cpp do not load DoRA: merge the adapter for them'] : []),
    ...(highest > VLLM_RANK ? [`vLLM needs --max-lora-rank ${highest} or more (its default is ${VLLM_RANK})`] : []),
    ...(config.use_rslora
      ? [
          `llama.cpp scales by alpha/r and would weaken this rsLoRA: merge it, or set lora_alpha to ${config.lora_alpha * Math.sqrt(config.r)} and use_rslora to false`,
        ]
      : []),
    ...(hasHead ? ['llama.cpp does not load an adapter of the output head: merge it'] : []),
    ...(hasHead && checkpointModule(modelType, HEAD) === 'embed_out'
      ? [
          'PEFT on Transformers 4 calls this head embed_out and would leave its adapter out: use Transformers 5, or merge it',
        ]
      : []),
    ...(hasPatterns
      ? ['vLLM and llama.cpp take one rank and alpha for all modules, this adapter has several: merge it']
      : []),
  ]
}

function baseNotices(baseFormats: ReadonlyMap<string, QuantSpec>): string[] {
  if (baseFormats.size === 0) return []
  const formats = [...new Set([...baseFormats.values()].map(({ format }) => format))]
  return [
    `trained on a base quantized to ${formats.join(', ')}: merged onto the full-precision base it computes something else than it did in training; compare both merges`,
  ]
}

function commonest(values: readonly number[]): number {
  const counts = new Map<number, number>()
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1)
  return [...counts].sort((a, b) => b[1] - a[1])[0]![0]
}

// Freeze tuning: some layers of the model are trained, the others stay as they are. LLaMA-Factory's `finetuning_type: freeze`; it has
// no paper of its own. Seam: pass. The gradient ends at the lowest trained layer, so what lies below costs no backward pass.
import type { PassRecord } from '../../checkpoint/model-directory/lineage.ts'
import { UsageError } from '../../errors.ts'
import type { Decoder } from '../../model/decoder.ts'

/** Which layers and modules are trained; everything else is frozen. */
export interface FreezeOptions {
  /** The last so many layers are trained; below 0, the first so many. Default 2. */
  layers?: number
  /** Parts of a block that are trained in those layers: `self_attn`, `mlp`, `q_proj`, `input_layernorm`, …. Default `['all']`. */
  modules?: readonly string[]
  /** What is trained outside of the blocks: `embed_tokens`, `norm`, `lm_head`. Default nothing. */
  extraModules?: readonly string[]
}

/** A parameter's name inside a block: [layer, path there], or null for one outside. */
const IN_BLOCK = /^model\.layers\.(\d+)\.(.+)$/

/** Lets only the chosen parameters require a gradient. A UsageError leaves the model as it was. */
export function freezeExcept(
  model: Decoder,
  options: FreezeOptions = {},
): PassRecord<{ trainable_parameters: number }> {
  const resolved = {
    layers: 2,
    modules: ['all'] as readonly string[],
    extraModules: [] as readonly string[],
    ...options,
  }
  const { layers, modules, extraModules } = resolved
  if (!(Number.isInteger(layers) && layers !== 0))
    throw new UsageError(`layers: expected a whole number other than 0, got ${layers}`)
  const parameters = [...model.parameters()]
  const count = model.model.layers.length
  const [first, end] = layers > 0 ? [Math.max(0, count - layers), count] : [0, Math.min(-layers, count)]
  const inBlocks = parameters.filter(([name]) => IN_BLOCK.test(name))
  const outside = parameters.filter(([name]) => !IN_BLOCK.test(name))
  const partsOf = (name: string): string[] => name.replace(IN_BLOCK, '$2').split('.').slice(0, -1)
  checkNames('modules', modules, ['all', ...namesIn(inBlocks, partsOf)])
  checkNames(
    'extraModules',
    extraModules,
    namesIn(outside, (name) => partsOf(name).slice(-1)),
  )

  const isTrained = (name: string): boolean => {
    const layer = IN_BLOCK.exec(name)?.[1]
    if (layer === undefined) return extraModules.includes(partsOf(name).at(-1)!)
    if (Number(layer) < first || Number(layer) >= end) return false
    return modules.includes('all') || partsOf(name).some((part) => modules.includes(part))
  }
  const trained = parameters.filter(([name]) => isTrained(name))
  if (trained.length === 0)
    throw new UsageError(
      `modules: expected modules of layers ${first} to ${end - 1}, got ${modules.join(', ')}, which only others have`,
    )
  model.trainable(isTrained)
  return {
    pass: 'freeze',
    options: { ...resolved },
    report: { trainable_parameters: trained.reduce((sum, [, { numel }]) => sum + numel, 0) },
  }
}

function namesIn(parameters: readonly (readonly [string, unknown])[], partsOf: (name: string) => string[]): string[] {
  return [...new Set(parameters.flatMap(([name]) => partsOf(name)))]
}

function checkNames(option: string, names: readonly string[], known: readonly string[]): void {
  const wrong = names.find((name) => !known.includes(name))
  if (wrong !== undefined) throw new UsageError(`${option}: expected one of ${known.join(', ')}, got ${wrong}`)
}

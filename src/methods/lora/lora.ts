// LoRA and its kin: small trainable matrices beside frozen ones. This file puts them on a model and says which count.
// Paper: LoRA, arXiv:2106.09685v2 (§4.1: "We use a random Gaussian initialization for A and zero for B"; the reference code and PEFT
// draw A from kaiming_uniform(√5), and so do we). rsLoRA, DoRA and LoRA+ are options of it; see card.md.
import type { PassRecord } from '../../checkpoint/model-directory/lineage.ts'
import { UsageError } from '../../errors.ts'
import type { AnyModel } from '../../model/any-model.ts'
import { linearsOf, putLinear } from '../../model/linears.ts'
import type { LinearLike } from '../../nn/linear.ts'
import { Generator, noGrad, ops, scope, type Tensor } from '../../torch/index.ts'
import { loraDefaults } from './defaults.ts'
import { type Adapter, checkAdapterName, LoraLinear, rowNorms } from './lora-linear.ts'
import { selectModules, type Targets } from './targets.ts'

/** LoRA's settings, with PEFT's names in camel case. */
export interface LoraOptions {
  /** Rank of the update. Default 8. */
  r?: number
  /** α: the update is scaled by α/r. Default 2·r. */
  loraAlpha?: number
  /** Rate at which entries of the adapters' input are zeroed while training. Default 0. */
  loraDropout?: number
  /** Default `all-linear`. Name `lm_head` to adapt the head; one tied to the embedding is then adapted as head only. */
  targetModules?: Targets
  excludeModules?: Targets
  /** Scale by α/√r (arXiv:2312.03732). */
  useRslora?: boolean
  /** Train each row's magnitude apart from its direction (arXiv:2402.09353). */
  useDora?: boolean
  adapterName?: string
  /** Seeds the start values of A. Default 0. */
  seed?: number
}

/**
 * Freezes the model and puts a new, active, trainable adapter on the modules that `options` names; until it is trained it changes
 * nothing. A UsageError leaves the model as it was.
 *
 * @example
 * addLora(model, { r: 16, loraAlpha: 32, targetModules: ['q_proj', 'v_proj'] })
 */
export function addLora(
  model: AnyModel,
  options: LoraOptions = {},
): PassRecord<{ modules: number; trainable_parameters: number }> {
  const unnamed = { excludeModules: [] as Targets, adapterName: 'default', seed: 0 }
  const resolved = { ...loraDefaults(options.r), ...unnamed, ...options }
  check(resolved)
  const { r, loraAlpha: alpha, loraDropout: dropout, useRslora, useDora, adapterName } = resolved
  const paths = selectModules(model, resolved.targetModules, resolved.excludeModules)
  const generator = new Generator(resolved.seed)
  const modules = linearsOf(model)
  const adapters = paths.map((path): [string, Adapter] => {
    const base = modules.get(path)!
    return [path, { ...freshWeights(base, r, useDora, model.device, generator), alpha, useRslora, dropout }]
  })
  attachAdapters(model, adapterName, adapters)
  setAdapters(model, adapterName)
  const count = adapters.reduce((sum, [, { A, B, magnitude }]) => sum + A.numel + B.numel + (magnitude?.numel ?? 0), 0)
  return {
    pass: useDora ? 'dora' : 'lora',
    options: resolved,
    report: { modules: paths.length, trainable_parameters: count },
  }
}

/** Puts given adapters on the modules they belong to, none of them active. A UsageError leaves the model as it was. */
export function attachAdapters(model: AnyModel, name: string, adapters: readonly [path: string, Adapter][]): void {
  checkAdapterName(name)
  for (const [, { adapters: taken, merged }] of loraLayers(model)) {
    if (taken.has(name))
      throw new UsageError(`adapter ${name}: expected a new name, got one that is taken. Choose another`)
    if (merged !== null) throw mergedError(`adapter ${name}`)
  }
  const modules = linearsOf(model)
  for (const [path, adapter] of adapters) {
    const now = modules.get(path)!
    const layer = now instanceof LoraLinear ? now : new LoraLinear(now, model)
    layer.add(name, adapter)
    if (layer !== now) putLinear(model, path, layer)
  }
}

/** Every module of the model that carries adapters, by path. */
export function* loraLayers(model: AnyModel): Iterable<[string, LoraLinear]> {
  for (const [path, layer] of linearsOf(model)) if (layer instanceof LoraLinear) yield [path, layer]
}

/**
 * Makes these adapters count, and no others; `[]` is the base alone. They are trained unless `trainable` is false; everything else
 * in the model is frozen.
 */
export function setAdapters(
  model: AnyModel,
  names: string | readonly string[],
  options: { trainable?: boolean } = {},
): void {
  const wanted = typeof names === 'string' ? [names] : names
  const layers = [...loraLayers(model)].map(([, layer]) => layer)
  for (const name of wanted) {
    if (layers.some((layer) => layer.adapters.has(name))) continue
    const known = [...new Set(layers.flatMap((layer) => [...layer.adapters.keys()]))]
    throw new UsageError(`adapter: expected one of ${known.join(', ') || 'none'}, got ${name}. Load it first`)
  }
  if (layers.some(({ merged }) => merged !== null)) throw mergedError('adapters')
  model.trainable(() => false)
  for (const layer of layers) {
    layer.activate(wanted)
    for (const name of layer.active)
      for (const tensor of tensorsOf(layer.adapters.get(name)!)) tensor.requiresGrad = options.trainable ?? true
  }
}

/**
 * `body()` with every adapter off: the base model, as DPO's reference. Not when they are merged; and a backward pass over what
 * `body` computed belongs inside it.
 */
export function withoutAdapter<T>(model: AnyModel, body: () => T): T {
  return withAdapters(model, [], body)
}

/** `body()` with these adapters on and all others off, as for a reference that is itself tuned. */
export function withAdapters<T>(model: AnyModel, names: readonly string[], body: () => T): T {
  const layers = [...loraLayers(model)].map(([, layer]) => ({ layer, active: layer.active }))
  if (layers.some(({ layer }) => layer.merged !== null)) throw mergedError('adapters that are switched')
  for (const { layer } of layers) layer.activate(names)
  try {
    return body()
  } finally {
    for (const { layer, active } of layers) layer.activate(active)
  }
}

/** LoRA+ (arXiv:2402.12354): `rateOf` for the optimizer, with B's learning rate `ratio` times A's. */
export function loraPlus(ratio: number): (name: string) => number {
  if (!(Number.isFinite(ratio) && ratio > 0))
    throw new UsageError(`loraplus_lr_ratio: expected a number above 0, got ${ratio}. The paper suggests 16`)
  return (name) => (/\.lora_B\.[^.]+\.weight$/.test(name) ? ratio : 1)
}

/** The error of what cannot be done while adapters are merged. */
export function mergedError(what: string): UsageError {
  return new UsageError(`${what}: expected adapters that are not merged, got merged ones. Unmerge them first`)
}

function tensorsOf({ A, B, magnitude }: Adapter): Tensor[] {
  return magnitude === null ? [A, B] : [A, B, magnitude]
}

/** A ~ U(−1/√in, 1/√in), which is kaiming_uniform with a = √5; B = 0; m = ‖W‖ per row. In f32, whatever the base. */
function freshWeights(
  base: LinearLike,
  rank: number,
  useDora: boolean,
  device: string,
  generator: Generator,
): Pick<Adapter, 'A' | 'B' | 'magnitude'> {
  const bound = 1 / Math.sqrt(base.inFeatures)
  return noGrad(() =>
    scope(() => ({
      // Drawn on the CPU, so that a seed means the same values on every device.
      A: ops
        .uniform_(ops.empty([rank, base.inFeatures], 'f32'), -bound, bound, generator)
        .to(device)
        .keep(),
      B: ops.zeros([base.outFeatures, rank], 'f32', null, device).keep(),
      magnitude: useDora ? rowNorms(base.dense().to('f32')).keep() : null,
    })),
  )
}

function check({
  r,
  loraAlpha,
  loraDropout,
  seed,
}: {
  r: number
  loraAlpha: number
  loraDropout: number
  seed: number
}): void {
  const fail = (option: string, expected: string, got: number): never => {
    throw new UsageError(`${option}: expected ${expected}, got ${got}`)
  }
  if (!(Number.isInteger(r) && r > 0)) fail('r', 'an integer of at least 1', r)
  if (!(Number.isFinite(loraAlpha) && loraAlpha > 0)) fail('loraAlpha', 'a number above 0', loraAlpha)
  if (!(loraDropout >= 0 && loraDropout < 1)) fail('loraDropout', 'a rate from 0 up to, not including, 1', loraDropout)
  if (!(Number.isSafeInteger(seed) && seed >= 0)) fail('seed', 'an integer of at least 0', seed)
}

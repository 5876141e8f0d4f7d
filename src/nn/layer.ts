// A model is a tree of layers. Slots are plain fields named like the checkpoint's modules (`self_attn`, `q_proj`), so a path in the
// tree is a name in the file, and any slot can be swapped: that is how LoRA, pruning and quantization work without the model knowing.
import { Tensor } from '../torch/index.ts'

/** A node of the model. Fields that hold layers or lists of layers are children; fields that hold tensors are parameters. */
export abstract class Layer {
  /** Direct children with their slot names; a list's children are `name.0`, `name.1`, … */
  *children(): Iterable<[string, Layer]> {
    for (const [name, value] of Object.entries(this)) {
      if (value instanceof Layer) yield [name, value]
      else if (Array.isArray(value))
        for (const [i, item] of value.entries()) if (item instanceof Layer) yield [`${name}.${i}`, item]
    }
  }

  /** This layer and everything below it, with paths from here (`''` is this layer). */
  *walk(prefix = ''): Iterable<[string, Layer]> {
    yield [prefix, this]
    for (const [name, child] of this.children()) yield* child.walk(prefix === '' ? name : `${prefix}.${name}`)
  }

  /** Every parameter below with its path, such as `model.layers.0.self_attn.q_proj.weight`. */
  *parameters(): Iterable<[string, Tensor]> {
    for (const [path, layer] of this.walk()) {
      for (const [name, value] of Object.entries(layer)) {
        if (value instanceof Tensor) yield [path === '' ? name : `${path}.${name}`, value]
      }
    }
  }

  /** How many weights this computes with, however they are stored: what is kept for another time does not count. */
  get weightCount(): number {
    const own = Object.values(this).filter((value) => value instanceof Tensor)
    const below = Array.from(this.children(), ([, child]) => child.weightCount)
    return [...own.map(({ numel }) => numel), ...below].reduce((a, b) => a + b, 0)
  }

  /** What besides weights and layers decides what this computes, such as which adapters count: another text when that changes. */
  get setting(): string {
    return ''
  }

  /** Lets exactly the parameters that `isTrained` names require a gradient; by default all of them. */
  trainable(isTrained: (path: string) => boolean = () => true): this {
    for (const [path, parameter] of this.parameters()) parameter.requiresGrad = isTrained(path)
    return this
  }

  /** The layer at `path`. */
  get(path: string): Layer {
    return follow(this, slots(path), path)
  }

  /** Puts `by` in the slot at `path`. What was there is not freed: the new layer may hold it. */
  replace(path: string, by: Layer): void {
    const parts = slots(path)
    const last = parts.pop()
    const parent = follow(this, parts, path)
    if (!(last?.read(parent) instanceof Layer)) throw new Error(`no layer at '${path}' to replace`)
    last.write(parent, by)
  }

  /** Frees every parameter below. */
  free(): void {
    for (const [, tensor] of this.parameters()) tensor.free()
  }
}

function follow(from: Layer, parts: readonly Slot[], path: string): Layer {
  let layer = from
  for (const slot of parts) {
    const next = slot.read(layer)
    if (!(next instanceof Layer)) throw new Error(`no layer at '${path}': ${slot.name} is missing`)
    layer = next
  }
  return layer
}

interface Slot {
  name: string
  read(layer: Layer): unknown
  write(layer: Layer, value: Layer): void
}

/** `model.layers.3.mlp` → the slots `model`, `layers[3]`, `mlp`. */
function slots(path: string): Slot[] {
  const fields = (layer: Layer): Record<string, unknown> => layer as unknown as Record<string, unknown>
  return [...path.matchAll(/([^.]+?)(?:\.(\d+))?(?=\.|$)\.?/g)].map(([, name = '', index]) => ({
    name: index === undefined ? name : `${name}.${index}`,
    read: (layer) =>
      index === undefined ? fields(layer)[name] : (fields(layer)[name] as unknown[] | undefined)?.[Number(index)],
    write: (layer, value) => {
      if (index === undefined) fields(layer)[name] = value
      else (fields(layer)[name] as unknown[])[Number(index)] = value
    },
  }))
}

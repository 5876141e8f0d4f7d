// PEFT writes the head and the embedding of the base into an adapter that has the head among its targets, as they are. Such a copy says
// which base the adapter belongs to: it is compared and left out.
import { InputError } from '../../errors.ts'
import type { Decoder } from '../../model/decoder.ts'
import { checkpointModule } from '../../model/hf-names.ts'
import { Embedding } from '../../nn/embedding.ts'
import { GgmlLinear } from '../../nn/ggml-linear.ts'
import type { LinearLike } from '../../nn/linear.ts'
import { QuantLinear } from '../../nn/quant-linear.ts'
import { scope, type Tensor } from '../../torch/index.ts'
import { LoraLinear } from './lora-linear.ts'

const COPY = /^base_model\.model\.(.+?)(?:\.base_layer)?\.weight$/
const EMBEDDING = 'model.embed_tokens'
/** The head's name, and its old one in GPT-NeoX. */
const HEADS = ['lm_head', 'embed_out']
/** Half a step of bfloat16, in which a copy or the base may have been rounded. */
const ROUNDING = 2 ** -8

/**
 * The tensors of an adapter without copies of the base's head and embedding. An InputError where one differs from the base: the
 * adapter changed it, or belongs to another model.
 */
export function withoutBaseCopies(
  model: Decoder,
  tensors: ReadonlyMap<string, Tensor>,
  directory: string,
): Map<string, Tensor> {
  const own = new Map<string, Tensor>()
  for (const [name, tensor] of tensors) {
    const module = COPY.exec(name)?.[1]
    const base = module === undefined ? undefined : baseWeight(model, module)
    if (base === undefined) own.set(name, tensor)
    else if (base !== null) checkCopy(tensor, base, `adapter in ${directory}: ${name}`)
  }
  return own
}

/** Undefined for other modules, null for a matrix that cannot be compared because it is quantized. */
function baseWeight(model: Decoder, module: string): Tensor | null | undefined {
  if (module === checkpointModule(model.config.modelType, EMBEDDING))
    return model.model.embed_tokens instanceof Embedding ? model.model.embed_tokens.weight : null
  if (!HEADS.includes(module)) return undefined
  const { head } = model
  const base: LinearLike = head instanceof LoraLinear ? head.base_layer : head
  return base instanceof QuantLinear || base instanceof GgmlLinear ? null : base.dense()
}

function checkCopy(copy: Tensor, base: Tensor, what: string): void {
  if (copy.shape.join() !== base.shape.join())
    throw new InputError(
      `${what}: expected a copy of the base's [${base.shape}], got [${copy.shape}]. It belongs to another model, or to one whose vocabulary was resized: merge it where it was made`,
    )
  const excess = scope(() => {
    const expected = base.to('f32').to(copy.device)
    return copy.sub(expected).abs().sub(expected.abs().mul(ROUNDING)).max().item()
  })
  // A NaN is a difference, too.
  if (excess <= 0) return
  throw new InputError(
    `${what}: expected a copy of the base's weights, got other values. It was trained or belongs to another model: merge it where it was made`,
  )
}

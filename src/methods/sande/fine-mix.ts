// Fine-mixing (arXiv:2210.09545), as SANDE's authors compare with it: the weights that differ most from a clean model of the same kind are put
// back to that model's, and the rest is tuned on clean data. It needs what the other defences do without.
// Shapes: a parameter and its clean counterpart are alike.
import { UsageError } from '../../errors.ts'
import type { Decoder } from '../../model/decoder.ts'
import { noGrad, ops, scope } from '../../torch/index.ts'

/**
 * Puts the `share` of each parameter's entries that changed most back to the value that `clean` has; the number is rounded, and entries that
 * are equally far go together. UsageError where the models differ in a name or shape. Returns how many entries were put back.
 */
export function restoreMostChanged(model: Decoder, clean: Decoder, share: number): number {
  if (!(share >= 0 && share <= 1)) throw new UsageError(`mixRate: expected a share from 0 to 1, got ${share}`)
  const others = new Map(clean.parameters())
  const own = [...model.parameters()]
  const odd = own.find(([path, { shape }]) => others.get(path)?.shape.join() !== shape.join())
  if (odd !== undefined || others.size !== own.length)
    throw new UsageError(
      `cleanModel: expected a model of the same shape, got one that differs${odd === undefined ? '' : ` in ${odd[0]}`}. Give the model that this one was tuned from`,
    )
  let restored = 0
  for (const [path, parameter] of own) {
    const count = Math.round(share * parameter.numel)
    if (count === 0) continue
    restored += scope(() =>
      noGrad(() => {
        const values = parameter.detach()
        const other = others.get(path)!.detach().to(values.dtype)
        const change = values.sub(other).abs()
        const [largest] = ops.topk(change.view(-1), count)
        const isFar = ops.ge(change, largest.select(0, count - 1))
        values.copy_(ops.where(isFar, other, values))
        return isFar.to('f32').sum().item()
      }),
    )
  }
  return restored
}

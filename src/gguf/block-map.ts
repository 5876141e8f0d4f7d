// The matrices of a GGUF file that are computed with as they are: views of the mapped file.
import { GGML_WEIGHTS, GgmlWeight, isGgmlWeight } from '../nn/ggml-weight.ts'
import { ops, type Tensor } from '../torch/index.ts'
import type { GgufParameter } from './architectures.ts'
import type { GgufHeader } from './read.ts'

/** Gives matrices without reading them; lives in the scope where it is made, what it gave lives until it is freed. */
export class BlockMap {
  private readonly header: GgufHeader
  private map: Tensor | undefined

  constructor(header: GgufHeader) {
    this.header = header
  }

  /** Whether the tensor's type can stay: a matrix in blocks, and no table of positions, which is added. */
  holds({ name, shape, parts, hasOffset }: GgufParameter): boolean {
    const isMatrix = shape.length === 2 && !hasOffset && parts[0]!.path !== 'model.embed_positions.weight'
    return isMatrix && isGgmlWeight(this.header.tensors.get(name)!.type)
  }

  /** The parameters that a tensor holds, by path. */
  read({ name, shape, heads, parts }: GgufParameter): [string, GgmlWeight][] {
    const { type, begin, end } = this.header.tensors.get(name)!
    const [rows = 0, columns = 0] = shape
    this.map ??= ops.fromFile(this.header.file, false, this.fileEnd(), 'u8')
    const blocks = this.map.narrow(0, begin, end - begin).view(rows, -1)
    let start = 0
    return parts.map((part) => {
      const count = part.shape[0]!
      start += count
      const own = blocks.narrow(0, start - count, count).keep()
      const pairedHead = heads > 0 ? count / heads : 0
      return [part.path, new GgmlWeight(type as GgmlWeight['type'], [count, columns], own, pairedHead)]
    })
  }

  /** What must be mapped: to the end of the last tensor. */
  private fileEnd(): number {
    return [...this.header.tensors.values()].reduce((last, { end }) => Math.max(last, end), 0)
  }
}

/** Says which matrices take more memory than in the file because their types are not computed with; undefined for none. */
export function widenedNotice({ tensors }: GgufHeader): string | undefined {
  const counts = new Map<string, number>()
  for (const { type, shape } of tensors.values())
    if (shape.length === 2 && type !== 'F32' && !isGgmlWeight(type)) counts.set(type, (counts.get(type) ?? 0) + 1)
  if (counts.size === 0) return undefined
  const what = Array.from(counts, ([type, count]) => `${count} in ${type}`).join(', ')
  return `of the file's matrices ${what} are widened to f32, 4 bytes a weight; ${Object.keys(GGML_WEIGHTS).join(', ')} are computed with as they are`
}

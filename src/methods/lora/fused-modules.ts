// Between adapters on our modules and adapters on a file's: GPT-2, GPT-NeoX and Phi-3 fuse several of ours into one (`c_attn` holds
// queries, keys and values). A fused adapter splits by rows: the parts share A and take their rows of B. The other way, parts with
// one A join again as they were; parts with several become one adapter of the sum of their ranks with a block-diagonal B.
import type { LoraTensors } from '../../checkpoint/adapter/adapter.ts'
import { joinParts, splitParts } from '../../checkpoint/model-directory/fused-parts.ts'
import { UnsupportedError } from '../../errors.ts'
import type { Decoder } from '../../model/decoder.ts'
import { type CheckpointTensor, checkpointModule, checkpointTensors } from '../../model/hf-names.ts'
import { HEAD, linearsOf } from '../../model/linears.ts'
import { ops, type Tensor } from '../../torch/index.ts'

const OLD_HEAD = 'embed_out'

/** A module of the file with the modules of ours that it holds, in order. */
export interface FileModule {
  name: string
  /** One path, or several where the file fuses them. */
  paths: string[]
  /** How the rows of the parts are laid out; null where there is one part. */
  layout: CheckpointTensor | null
  inFeatures: number
  outFeatures: number
}

/**
 * Every matrix of the model as PEFT names it, which is as the family's files do. The head is `lm_head` in every family since
 * Transformers 5; before, GPT-NeoX had `embed_out`, which is read but not written.
 */
export function fileModules(model: Decoder): Map<string, FileModule> {
  const layouts = new Map(
    checkpointTensors(model.config).flatMap((stored) => stored.parts.map((part) => [part.path, stored] as const)),
  )
  const modules = new Map<string, FileModule>()
  for (const [path, { inFeatures, outFeatures }] of linearsOf(model)) {
    const name = path === HEAD ? HEAD : checkpointModule(model.config.modelType, path)
    const known = modules.get(name)
    if (known === undefined) {
      const layout = layouts.get(`${path}.weight`)
      modules.set(name, {
        name,
        paths: [path],
        layout: layout !== undefined && layout.parts.length > 1 ? layout : null,
        inFeatures,
        outFeatures,
      })
    } else {
      known.paths.push(path)
      known.outFeatures += outFeatures
    }
  }
  return modules
}

/** The module that an adapter's file means by `name`. */
export function findModule(modules: ReadonlyMap<string, FileModule>, name: string): FileModule | undefined {
  return modules.get(name === OLD_HEAD ? HEAD : name)
}

/** The file's adapter as one for each of our modules. */
export function splitAdapter(module: FileModule, { A, B, magnitude }: LoraTensors): [path: string, LoraTensors][] {
  if (module.layout === null) return [[module.paths[0]!, { A, B, magnitude }]]
  const rows = splitRows(module.layout, B)
  const magnitudes = magnitude && splitRows(module.layout, magnitude)
  return module.paths.map((path, i) => [path, { A: A.clone(), B: rows[i]!, magnitude: magnitudes?.[i] ?? null }])
}

/** Our adapters as one for the file; `rank` is that of the result. All have the same scale. UnsupportedError where it cannot be said. */
export function joinAdapter(module: FileModule, parts: ReadonlyMap<string, LoraTensors>): LoraTensors {
  const present = module.paths.flatMap((path) => parts.get(path) ?? [])
  const first = present[0]!
  if (module.layout === null) return first
  const isWhole = present.length === module.paths.length
  const hasMagnitude = present.some(({ magnitude }) => magnitude !== null)
  if (hasMagnitude && !isWhole)
    throw new UnsupportedError(
      `adapter on ${module.paths.filter((path) => parts.has(path)).join(', ')}: expected DoRA on all of ${module.paths.join(', ')}, which ${module.name} fuses in files, got it on some. Merge instead`,
    )
  const magnitude = hasMagnitude
    ? joinRows(
        module.layout,
        present.map((part) => part.magnitude!),
      )
    : null
  if (isWhole && present.every(({ A }) => A.shape.join() === first.A.shape.join() && ops.equal(A, first.A)))
    return {
      A: first.A,
      B: joinRows(
        module.layout,
        present.map(({ B }) => B),
      ),
      magnitude,
    }
  const rank = present.reduce((sum, { A }) => sum + A.size(0), 0)
  let column = 0
  const blocks = module.paths.map((path, i) => {
    const part = parts.get(path)
    const block = ops.zeros([module.layout!.parts[i]!.shape[0]!, rank], 'f32', null, first.B.device)
    if (part !== undefined) {
      block.narrow(1, column, part.A.size(0)).copy_(part.B.detach())
      column += part.A.size(0)
    }
    return block
  })
  return { A: ops.cat(present.map(({ A }) => A)), B: joinRows(module.layout, blocks), magnitude }
}

/** The layout of the fused weight, for a matrix or vector with other columns. */
function withColumns(layout: CheckpointTensor, columns: readonly number[]): CheckpointTensor {
  const parts = layout.parts.map(({ path, shape }) => ({ path, shape: [shape[0]!, ...columns] }))
  return { ...layout, isTransposed: false, parts }
}

function splitRows(layout: CheckpointTensor, tensor: Tensor): Tensor[] {
  return splitParts(withColumns(layout, tensor.shape.slice(1)), tensor).map(([, part]) => part.contiguous())
}

function joinRows(layout: CheckpointTensor, tensors: readonly Tensor[]): Tensor {
  const byPath = new Map(layout.parts.map(({ path }, i) => [path, tensors[i]!]))
  return joinParts(withColumns(layout, tensors[0]!.shape.slice(1)), byPath)
}

// Which matrices of a model a LoRA goes on. Names are Hugging Face's: ours and, for families whose files fuse modules, the file's
// (`q_proj` and `c_attn` both mean the queries of GPT-2).
import { UsageError } from '../../errors.ts'
import type { Decoder } from '../../model/decoder.ts'
import { checkpointModule } from '../../model/hf-names.ts'
import type { Layer } from '../../nn/layer.ts'
import { Linear, type LinearLike } from '../../nn/linear.ts'

/** `all-linear` (every matrix of the blocks, not the head), a regular expression for a whole path, or ends of paths. */
export type Targets = string | readonly string[]

/** Path of the output head. */
export const HEAD = 'lm_head'

/** Every matrix by path: those of the blocks, then the output head, also where that is the embedding. */
export function linearModules(model: Decoder): Map<string, LinearLike> {
  const found = new Map<string, LinearLike>()
  const visit = (layer: Layer, path: string): void => {
    if (isLinearLike(layer)) found.set(path, layer)
    else for (const [name, child] of layer.children()) visit(child, path === '' ? name : `${path}.${name}`)
  }
  visit(model.model, 'model')
  found.set(HEAD, model.head)
  return found
}

/** Puts `by` where `linearModules` found a matrix. */
export function putModule(model: Decoder, path: string, by: LinearLike): void {
  if (path === HEAD) model.lm_head = by
  else model.replace(path, by)
}

/** True for the head of a model whose head is the embedding. */
export function isTiedHead(model: Decoder, base: LinearLike): boolean {
  return base instanceof Linear && base.weight === model.model.embed_tokens.weight
}

/** The paths that `targets` means and `exclude` does not; a UsageError when an entry means none. */
export function selectModules(model: Decoder, targets: Targets, exclude: Targets = []): string[] {
  const paths = [...linearModules(model).keys()]
  const chosen = matching(model, paths, targets, 'target_modules')
  const excluded = matching(model, paths, exclude, 'exclude_modules')
  const left = paths.filter((path) => chosen.has(path) && !excluded.has(path))
  if (left.length === 0)
    throw new UsageError('target_modules: expected at least one module, got none. Give all-linear, or names of modules')
  return left
}

function matching(model: Decoder, paths: readonly string[], targets: Targets, option: string): Set<string> {
  const names = (path: string): string[] => [path, checkpointModule(model.config.modelType, path)]
  const chosen = new Set<string>()
  const rules = typeof targets === 'string' ? [wholePath(targets, option)] : targets.map(endOfPath)
  for (const { text, matches } of rules) {
    const hits = paths.filter((path) => names(path).some(matches))
    if (hits.length === 0) {
      const known = [...new Set(paths.flatMap(names).map((name) => name.slice(name.lastIndexOf('.') + 1)))]
      throw new UsageError(`${option}: expected names of linear modules (${known.join(', ')}), got ${text}`)
    }
    for (const path of hits) chosen.add(path)
  }
  return chosen
}

interface Rule {
  text: string
  matches(name: string): boolean
}

function wholePath(text: string, option: string): Rule {
  if (text === 'all-linear') return { text, matches: (name) => name.includes('.') }
  let expression: RegExp
  try {
    expression = new RegExp(`^(?:${text})$`)
  } catch (error) {
    throw new UsageError(`${option}: expected all-linear, a list of names or a regular expression, got ${text}`, {
      cause: error,
    })
  }
  return { text, matches: (name) => expression.test(name) }
}

function endOfPath(text: string): Rule {
  if (text === 'all-linear') return wholePath(text, '')
  return { text, matches: (name) => name === text || name.endsWith(`.${text}`) }
}

function isLinearLike(layer: Layer): layer is LinearLike {
  return 'inFeatures' in layer && 'outFeatures' in layer && 'dense' in layer
}

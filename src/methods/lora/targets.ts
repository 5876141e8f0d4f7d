// Which matrices of a model a LoRA goes on. Names are Hugging Face's: ours and, for families whose files fuse modules, the file's
// (`q_proj` and `c_attn` both mean the queries of GPT-2).
import { UsageError } from '../../errors.ts'
import type { AnyModel } from '../../model/any-model.ts'
import { checkpointModule } from '../../model/hf-names.ts'
import { linearsOf } from '../../model/linears.ts'

/** `all-linear` (every matrix of the blocks, not the head), a regular expression for a whole path, or ends of paths. */
export type Targets = string | readonly string[]

/** The paths that `targets` means and `exclude` does not; a UsageError when an entry means none. */
export function selectModules(model: AnyModel, targets: Targets, exclude: Targets = []): string[] {
  const paths = [...linearsOf(model).keys()]
  const chosen = matching(model, paths, targets, 'targetModules')
  const excluded = matching(model, paths, exclude, 'excludeModules')
  const left = paths.filter((path) => chosen.has(path) && !excluded.has(path))
  if (left.length === 0)
    throw new UsageError('targetModules: expected at least one module, got none. Give all-linear, or names of modules')
  return left
}

function matching(model: AnyModel, paths: readonly string[], targets: Targets, option: string): Set<string> {
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

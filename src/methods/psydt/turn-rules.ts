// Rules of `anneal/prompting` for what is said in a dialogue that is to be learnt from.

import { passed, type Rule } from '../../prompting/execute/rule.ts'
import type { RowTools } from '../../synth/recipe.ts'

/** Rules for what each of the two says. */
export interface TurnRules {
  readonly client?: readonly Rule[]
  readonly counsellor?: readonly Rule[]
}

const RULE_SECONDS = 60

/** Which rule a text breaks, in words; undefined where it passes all as it is. */
export async function brokenRule(
  text: string,
  some: readonly Rule[],
  { signal }: RowTools,
): Promise<string | undefined> {
  const found = await passed(text, some, { seconds: RULE_SECONDS, signal })
  if ('broken' in found) return `breaks the rule '${found.broken.rule}' (${found.broken.why})`
  return found.text === text ? undefined : 'has what a rule would take out'
}

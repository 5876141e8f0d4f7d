// Configuration keys of preference tuning. None has a default in the schema: given with another stage they are a mistake, and
// `preferenceDefaults` fills them in where they count.

import { z } from 'zod'
import { type Complain, path, type Shape } from '../fields.ts'
import { canBeSmoothed, needsReference, PREFERENCE_LOSSES, type PreferenceLoss } from './losses.ts'

/** Keys of `stage: dpo`. */
export interface PreferenceKeys {
  loss_type: PreferenceLoss | undefined
  beta: number | undefined
  label_smoothing: number | undefined
  simpo_gamma: number | undefined
  pref_ftx: number | undefined
  ref_model: string | undefined
  precompute_ref_log_probs: boolean | undefined
}

const loss = z.enum(PREFERENCE_LOSSES)

export const preferenceKeys: Shape<PreferenceKeys> = {
  loss_type: z
    .union([loss, z.array(loss).length(1)], {
      error: `${PREFERENCE_LOSSES.slice(0, -1).join(', ')} or ${PREFERENCE_LOSSES.at(-1)}`,
    })
    .transform((value) => (Array.isArray(value) ? value[0]! : value))
    .optional()
    .describe('dpo: the loss of a pair; simpo and orpo need no reference model. Default: sigmoid, which is DPO.'),
  beta: z
    .number()
    .positive()
    .optional()
    .describe(
      "dpo: how closely the model is held to the reference: small is loosely; SimPO's scale (its paper takes 2 and " +
        "above) and ORPO's weight of the odds ratio. Default: 0.1.",
    ),
  label_smoothing: z
    .number()
    .min(0)
    .lt(0.5)
    .optional()
    .describe('dpo: share of pairs taken to be labelled the wrong way round, for sigmoid and simpo. Default: 0.'),
  simpo_gamma: z.number().min(0).optional().describe('dpo: the margin that loss_type simpo aims at. Default: 0.5.'),
  pref_ftx: z
    .number()
    .min(0)
    .optional()
    .describe('dpo: adds this much of the ordinary loss on the chosen answers, so that they stay likely. Default: 0.'),
  ref_model: path
    .optional()
    .describe(
      'dpo: directory of the reference model, or its name on the hub. Default: the model that the run starts from.',
    ),
  precompute_ref_log_probs: z
    .boolean()
    .optional()
    .describe(
      'dpo: ask the reference about all pairs once, before the first step, and keep the answers: no second model in ' +
        'memory while training. Default: false.',
    ),
}

/** Keys that a loss does not use stay open, so that a resolved configuration can be read again. */
export function preferenceDefaults(keys: PreferenceKeys): Partial<PreferenceKeys> {
  const { loss_type = 'sigmoid' } = keys
  return {
    loss_type,
    beta: keys.beta ?? 0.1,
    pref_ftx: keys.pref_ftx ?? 0,
    ...(canBeSmoothed(loss_type) && { label_smoothing: keys.label_smoothing ?? 0 }),
    ...(loss_type === 'simpo' && { simpo_gamma: keys.simpo_gamma ?? 0.5 }),
    ...(needsReference(loss_type) && { precompute_ref_log_probs: keys.precompute_ref_log_probs ?? false }),
  }
}

/** Complains of keys that the loss does not have. */
export function checkPreferenceKeys(keys: PreferenceKeys, complain: Complain<keyof PreferenceKeys>): void {
  const { loss_type: loss = 'sigmoid', label_smoothing: smoothing = 0 } = keys
  if (loss !== 'simpo' && keys.simpo_gamma !== undefined)
    complain('simpo_gamma', `expected it with loss_type: simpo, got loss_type: ${loss}`)
  if (smoothing > 0 && !canBeSmoothed(loss))
    complain('label_smoothing', `expected 0 with loss_type: ${loss}, got ${smoothing}`)
  for (const key of ['ref_model', 'precompute_ref_log_probs'] as const)
    if (!needsReference(loss) && keys[key] !== undefined && keys[key] !== false)
      complain(key, `expected it with loss_type: sigmoid, hinge or ipo, got loss_type: ${loss}, which has no reference`)
}

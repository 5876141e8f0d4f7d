// Configuration keys of preference tuning. None has a default in the schema: given with another stage they are a mistake, and
// `completeDefaults` fills them in where they count.

import { z } from 'zod'
import { path, type Shape } from '../fields.ts'
import { PREFERENCE_LOSSES, type PreferenceLoss } from './losses.ts'

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
    .describe('dpo: directory of the reference model. Default: the model that the run starts from.'),
  precompute_ref_log_probs: z
    .boolean()
    .optional()
    .describe(
      'dpo: ask the reference about all pairs once, before the first step, and keep the answers: no second model in ' +
        'memory while training. Default: false.',
    ),
}

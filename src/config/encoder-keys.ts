// Configuration keys of the stages that are not about continuing text: classify gives labels, mlm says what was hidden. None has a
// default in the schema: given with another stage they are a mistake.

import { z } from 'zod'
import { path, type Shape } from '../methods/fields.ts'
import { PROBLEM_TYPES, type ProblemType } from '../model/labels.ts'

/** Keys of `stage: classify` and `stage: mlm`. */
export interface EncoderKeys {
  label_column: string | undefined
  problem_type: ProblemType | undefined
  label_separator: string | undefined
  class_weights: 'balanced' | Record<string, number> | undefined
  training_dynamics: 'during' | 'after' | 'crossfit' | undefined
  crossfit_folds: number | undefined
  crossfit_fold: number | undefined
  id_column: string | undefined
  mlm_probability: number | undefined
  whole_word_mask: boolean | undefined
}

export const encoderKeys: Shape<EncoderKeys> = {
  label_column: path.optional().describe('classify: column or field that holds the label. Default: label.'),
  problem_type: z
    .enum(PROBLEM_TYPES)
    .optional()
    .describe(
      'classify: how many labels a text may have: single_label_classification = one, multi_label_classification = any number from one on, each told by itself. Default: as the model to go on from says, else one.',
    ),
  label_separator: z
    .string()
    .min(1)
    .optional()
    .describe(
      'problem_type: multi_label_classification: what stands between the labels of a text; lists (JSONL, Parquet) need none. Default: a comma.',
    ),
  class_weights: z
    .union([z.literal('balanced'), z.record(z.string(), z.number().positive())], {
      error: 'balanced, or a weight for each label',
    })
    .optional()
    .describe(
      'classify: how much each label counts: balanced = rare labels as much as frequent ones, or weights by label. Where a text may have several, it is how much having the label counts as against not having it; balanced = as often as it is not there for each time that it is. Default: all alike.',
    ),
  training_dynamics: z
    .enum(['during', 'after', 'crossfit'])
    .optional()
    .describe(
      'classify: keep the logits of every example and epoch in output_dir/training_dynamics, for anneal datamap: during = as each was learnt from, after = all of them after each epoch, crossfit = those of one fold, from which nothing is learnt. Default: none are kept.',
    ),
  crossfit_folds: z
    .number()
    .int()
    .min(2)
    .max(1000)
    .optional()
    .describe('training_dynamics: crossfit: parts of the data, told by the texts alone. Default: 5.'),
  crossfit_fold: z
    .number()
    .int()
    .min(0)
    .optional()
    .describe(
      'training_dynamics: crossfit: the part that is left out and judged, from 0; anneal datamap takes the runs of all of them. Default: 0.',
    ),
  id_column: path
    .optional()
    .describe(
      'classify: column that names a row in training_dynamics. Default: its file and line, which change where rows do.',
    ),
  mlm_probability: z
    .number()
    .gt(0)
    .max(1)
    .optional()
    .describe(
      'mlm: share of the tokens that the model has to say; of these 8 in 10 are hidden, 1 becomes another, 1 stays. Default: 0.15.',
    ),
  whole_word_mask: z.boolean().optional().describe('mlm: hide words whole. Default: false.'),
}

/** Fills in what counts with the stage; the rest stays open, so that a resolved configuration can be read again. */
export function encoderDefaults(stage: string, keys: EncoderKeys): Partial<EncoderKeys> {
  if (stage === 'classify')
    return {
      label_column: keys.label_column ?? 'label',
      ...(keys.training_dynamics === 'crossfit' && {
        crossfit_folds: keys.crossfit_folds ?? 5,
        crossfit_fold: keys.crossfit_fold ?? 0,
      }),
    }
  if (stage !== 'mlm') return {}
  return { mlm_probability: keys.mlm_probability ?? 0.15, whole_word_mask: keys.whole_word_mask ?? false }
}

/** Whether a stage gives labels or says what was hidden, instead of continuing texts. */
export function isHeadedStage(stage: string): stage is 'classify' | 'mlm' {
  return stage === 'classify' || stage === 'mlm'
}

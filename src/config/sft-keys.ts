// Configuration keys of supervised fine-tuning; on_overlong and columns are for pairs, too. None has a default in the schema: given with another
// stage they are a mistake.

import { z } from 'zod'
import { ON_OVERLONG, type OnOverlong } from '../data/packing/overlong.ts'
import { type Columns, FIELD_NAMES } from '../data/rows/shapes.ts'
import type { Shape } from '../methods/fields.ts'

/** Keys of `stage: sft`. */
export interface SftKeys {
  on_overlong: OnOverlong | undefined
  packing: boolean | undefined
  mask_history: boolean | undefined
  columns: Columns | undefined
}

export const sftKeys: Shape<SftKeys> = {
  on_overlong: z
    .enum(ON_OVERLONG)
    .optional()
    .describe(
      'sft, dpo: what happens to samples longer than max_length. Default: error-if-many, more than 1 % of them.',
    ),
  packing: z
    .boolean()
    .optional()
    .describe('sft: several samples in one row; they do not see each other. Default: false.'),
  mask_history: z
    .boolean()
    .optional()
    .describe('sft: learn from the last answer of each conversation only. Default: false.'),
  columns: z
    .partialRecord(z.enum(FIELD_NAMES), z.string().min(1).nullable())
    .optional()
    .describe(
      'sft, dpo: which column is what, such as {instruction: question, output: reply}; null for a column that is not to be read. Default: told from the names.',
    ),
}

// Configuration key of DropBP: a rate, or a section.

import { z } from 'zod'
import { count, type Shape } from '../fields.ts'
import { MAX_RATE } from './allocate-rates.ts'
import {
  ALLOCATIONS,
  type Allocation,
  MODES,
  type Mode,
  SAMPLINGS,
  type Sampling,
  SENSITIVITIES,
  type SensitivityKind,
} from './choices.ts'

/** The section `dropbp`. */
export interface DropBpSection {
  rate: number
  mode?: Mode | undefined
  allocation?: Allocation | undefined
  sampling?: Sampling | undefined
  scaling?: number | undefined
  sensitivity?: SensitivityKind | undefined
  sensitivity_at?: number | undefined
  refresh_every?: number | undefined
  sequence_length?: number | undefined
  seed?: number | undefined
}

/** The key `dropbp`. */
export interface DropBpKeys {
  dropbp: DropBpSection | undefined
}

const fraction = z.number().min(0).max(1)
const rate = z.number().min(0).max(MAX_RATE)

const dropbp = z.strictObject({
  rate,
  mode: z.enum(MODES).optional(),
  allocation: z.enum(ALLOCATIONS).optional(),
  sampling: z.enum(SAMPLINGS).optional(),
  scaling: fraction.optional(),
  sensitivity: z.enum(SENSITIVITIES).optional(),
  sensitivity_at: fraction.optional(),
  refresh_every: count.optional(),
  sequence_length: count.optional(),
  seed: z.int().min(0).optional(),
})

export const dropbpKeys: Shape<DropBpKeys> = {
  dropbp: z
    .union([rate, dropbp], {
      error: 'a rate from 0 to 0.9, or a section with rate from 0 to 0.9 and other keys of DropBP',
    })
    .transform((value) => (typeof value === 'number' ? { rate: value } : value))
    .optional()
    .describe(
      'DropBP: this share of the FLOPs of the backward pass is left out. A number is the rate; a section has rate, ' +
        'mode, allocation, sampling, scaling, sensitivity, sensitivity_at, refresh_every, sequence_length and seed. Default: off.',
    ),
}

// What `anneal sande` is told: checked, and in the parts that its stages take.
import type { TriggerPosition } from '../../data/poison/place-trigger.ts'
import { UsageError } from '../../errors.ts'
import { type Defence, usesParrot } from '../../methods/sande/choices.ts'
import type { ParrotOptions } from '../../methods/sande/parrot.ts'
import { checkDefence, type SandeOptions } from '../../methods/sande/sande.ts'
import { triggersOf } from '../../methods/sande/triggers.ts'
import { type AuditWish, checkCounts, checkSetOff } from './run-audit.ts'

/** What is cleaned, how, and where the result goes. */
export interface RunSandeOptions
  extends Omit<AuditWish, 'position'>,
    Omit<
      SandeOptions,
      'method' | 'parrot' | 'marker' | 'cleanModel' | 'trigger' | 'rewritten' | 'position' | 'bf16' | 'seed'
    >,
    Pick<ParrotOptions, 'softTokens' | 'restarts' | 'keep' | 'separation'> {
  /** A model directory, an adapter, which is merged, or a name on the hub. */
  model: string
  adapter?: string | readonly string[] | undefined
  /** Clean questions with answers; a fifth of them is asked and not tuned on, unless there is `evalData`. */
  data: readonly string[]
  evalData?: readonly string[] | undefined
  /** A new or empty folder. */
  out: string
  overwrite?: boolean | undefined
  /** Default sande. */
  method?: Defence | undefined
  /** Where a trigger or decoy stands. Default start. */
  position?: TriggerPosition | undefined
  /** A file of rows {question, rewritten}: the way of saying sets it off; in place of `trigger`. Only questions in it are asked, all are tuned on. */
  rewritten?: string | undefined
  /** For fine-mixing: a model of the same shape without the backdoor. */
  cleanModel?: string | undefined
  /** So many of the marker's tokens are known and elicited by the parrot; default all. */
  markerTokens?: number | undefined
  parrotSteps?: number | undefined
  parrotLearningRate?: number | undefined
  /** Trains the whole model, or a LoRA of this rank that is merged afterwards. Default `full`. */
  finetuning?: 'full' | 'lora' | undefined
  loraR?: number | undefined
  /** Rows that are tuned on at most. */
  samples?: number | undefined
  /** Tokens of a row at most. Default 1024, or the model's context where that is shorter. */
  maxLength?: number | undefined
  bf16?: boolean | undefined
  /** Blocks are computed again in the backward pass: less memory for the same numbers. Default false. */
  gradientCheckpointing?: boolean | undefined
  device?: 'auto' | 'cpu' | 'cuda'
}

/** UsageError for what fits no defence, before anything is read. */
export function checkSande(options: RunSandeOptions, method: Defence): void {
  const { trigger, rewritten, marker, discover, cleanModel, finetuning, questions, markerTokens } = options
  const { maxNewTokens, samples, loraR, parrotSteps, steps, batchSize } = options
  checkSetOff(options)
  checkDefence({ method, trigger, rewritten, cleanModel })
  if (usesParrot(method) && marker === undefined && !discover)
    throw new UsageError(
      `marker: expected the marker with method ${method}, or \`discover\`, got neither. Methods collapse, crow and beear need none`,
    )
  if (method === 'fine-mixing' && finetuning === 'lora')
    throw new UsageError('finetuning: expected full with method fine-mixing, got lora')
  checkCounts({ questions, markerTokens, maxNewTokens, samples, loraR, parrotSteps, steps, batchSize })
}

/** How the parrot of a run is trained, but for what it is to say. */
export type RunParrotOptions = Omit<ParrotOptions, 'marker'> & Pick<RunSandeOptions, 'markerTokens'>

/** Those of the parrot. */
export function parrotOptions(options: RunSandeOptions): RunParrotOptions {
  const { softTokens, restarts, keep, separation, parrotSteps, parrotLearningRate, markerTokens, batchSize } = options
  const all = { softTokens, restarts, keep, separation, markerTokens, batchSize }
  return { ...all, steps: parrotSteps, learningRate: parrotLearningRate }
}

/** Those of the elimination. */
export function eliminationOptions(options: RunSandeOptions, method: Defence, seed: number): SandeOptions {
  const trigger = triggersOf(options.trigger).length === 0 ? undefined : options.trigger
  const { position, implant, implantTrigger, implantMarker, implantRate, mixRate } = options
  const { steps, learningRate, batchSize, replay, bf16, epsilon, alpha } = options
  const { layer, movedTokens, radius, innerSteps, innerStepSize, marker, markerTokens } = options
  const planted = { method, trigger, position, implant, implantTrigger, implantMarker, implantRate, mixRate }
  const moved = method === 'beear' && { layer, movedTokens, radius, innerSteps, innerStepSize, marker, markerTokens }
  return { ...planted, steps, learningRate, batchSize, replay, bf16, epsilon, alpha, ...moved, seed }
}

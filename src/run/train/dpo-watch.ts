// What a preference run must look like, told from its own metrics: it starts at its reference, and the better answers stay likely.
import { join } from 'node:path'
import type { TrainConfig } from '../../config/schema.ts'
import { CheckpointError } from '../../errors.ts'
import { ChosenWatch } from '../../methods/dpo/chosen-watch.ts'
import { cacheDirectory } from '../../torch/setup/directories.ts'
import type { StepMetrics } from '../../train/events.ts'

/** How far the first log-probabilities may be from the reference's, relative; bf16 rounds each batch in its own way. */
const TOLERANCE = { f32: 1e-3, bf16: 2e-2 }

/** Looks at each step's metrics; with `startsAtReference` it throws at the first where the model is not its own reference. */
export function preferenceWatch(
  config: TrainConfig,
  { startsAtReference, bf16 }: { startsAtReference: boolean; bf16: boolean },
): (metrics: StepMetrics) => string | undefined {
  const { loss_type: loss = 'sigmoid', beta = 0.1 } = config
  const chosen = new ChosenWatch(loss, beta)
  return (metrics) => {
    if (metrics.step === 1 && startsAtReference) checkStart(metrics, beta, bf16)
    return chosen.take(metrics)
  }
}

/** With rewards of 0 the loss is ln 2 (sigmoid), 1 (hinge), 1/(2β)² (ipo). */
function checkStart(metrics: StepMetrics, beta: number, bf16: boolean): void {
  for (const side of ['chosen', 'rejected']) {
    const distance = metrics[`rewards/${side}`]! / beta
    const size = Math.max(1, Math.abs(metrics[`logps/${side}`]!))
    if (Math.abs(distance) <= (bf16 ? TOLERANCE.bf16 : TOLERANCE.f32) * size) continue
    throw new CheckpointError(
      `first step: expected rewards of 0, since the model starts as its own reference (a sigmoid loss of ln 2 = 0.6931), got rewards/${side} ${metrics[`rewards/${side}`]!.toPrecision(3)} and loss ${metrics.loss.toPrecision(5)}. ` +
        `The reference's numbers are of other weights or pairs: delete ${join(cacheDirectory(), 'references')}`,
    )
  }
}

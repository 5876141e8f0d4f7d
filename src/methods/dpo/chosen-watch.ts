// Preference losses reward a difference, so both answers may become less likely. That rewards of both are below 0 is common and no
// fault; that the model is unlearning the better answers is one. This tells the two apart from a run's own metrics.
import { isLengthNormalised, needsReference, type PreferenceLoss } from './losses.ts'

/** How fast the mean forgets: about the last ten steps count. */
const KEEP = 0.9
const FIRST_STEPS = 10
/** Nats: below it the noise of a batch is larger than any fall that matters. */
const LEAST_FALL = { perAnswer: 5, perToken: 0.5 }

/** Watches the chosen answers' log-probability; speaks once, when it has fallen to twice its start below zero. */
export class ChosenWatch {
  private readonly loss: PreferenceLoss
  private readonly beta: number
  private steps = 0
  private start = 0
  private now = 0
  private hasSpoken = false

  /** `beta` multiplies the rewards. */
  constructor(loss: PreferenceLoss, beta: number) {
    this.loss = loss
    this.beta = beta
  }

  /** Takes the metrics of a step; a line for people when the chosen answers collapse. */
  take(metrics: Readonly<Record<string, number>>): string | undefined {
    const now = metrics['logps/chosen']!
    this.steps++
    const keep = Math.min(KEEP, 1 - 1 / this.steps)
    this.now = keep * this.now + (1 - keep) * now
    // With a reference the reward says where this very batch started; without one the first steps do.
    if (needsReference(this.loss))
      this.start = keep * this.start + (1 - keep) * (now - metrics['rewards/chosen']! / this.beta)
    else if (this.steps <= FIRST_STEPS) this.start = this.now
    const least = isLengthNormalised(this.loss) ? LEAST_FALL.perToken : LEAST_FALL.perAnswer
    const fall = this.start - this.now
    if (this.hasSpoken || this.steps < FIRST_STEPS || fall < Math.max(least, -this.start)) return undefined
    this.hasSpoken = true
    return (
      `the chosen answers lose their probability, too: log-probability ${this.now.toFixed(1)}, at the start ${this.start.toFixed(1)}. ` +
      'The model is unlearning them; lower learning_rate, raise beta, set pref_ftx: 0.1, or stop earlier'
    )
  }
}

// The choices that a defence offers and its defaults. Data only, so that a command line can list them without the engine.

/** How a backdoor is taken out, and the controls that a defence has to beat. */
export const DEFENCES = ['sande', 'osft', 'collapse', 'crow', 'beear', 'fine-mixing', 'sft', 'random'] as const

/** One of `DEFENCES`. */
export type Defence = (typeof DEFENCES)[number]

/** Whether soft tokens stand in the question: learnt ones, or for the control random ones. */
export function usesParrot(method: Defence): boolean {
  return method === 'sande' || method === 'random'
}

/** What holds the model where it was on clean questions: its answers learnt again, its distribution kept, or nothing. */
export const REPLAYS = ['sft', 'kl', 'none'] as const

/** One of `REPLAYS`. */
export type Replay = (typeof REPLAYS)[number]

/** What the parrot and the elimination are when nothing is said. */
export const DEFAULTS = {
  method: 'sande',
  softTokens: 6,
  restarts: 4,
  keep: 2,
  separation: 1,
  parrotSteps: 200,
  parrotLearningRate: 0.01,
  steps: 200,
  learningRate: 2e-5,
  batchSize: 8,
  replay: 'sft',
  epsilon: 0.1,
  alpha: 5.5,
  movedTokens: 5,
  radius: 1,
  innerSteps: 3,
  innerStepSize: 0.2,
  mixRate: 0.2,
  implantRate: 0.5,
  implantTrigger: 'vexo quil',
  implantMarker: 'This sentence was planted.',
} as const

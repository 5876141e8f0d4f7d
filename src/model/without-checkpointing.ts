// Gradients by something that is not a parameter: `gradients` ends at the output of a checkpoint, so there is none on the way.

/** Runs `body` with the activations of all blocks kept; what was before is there again when it ends, after an error too. */
export function withoutCheckpointing<T>(model: { gradientCheckpointing: boolean }, body: () => T): T {
  const { gradientCheckpointing } = model
  model.gradientCheckpointing = false
  try {
    return body()
  } finally {
    model.gradientCheckpointing = gradientCheckpointing
  }
}

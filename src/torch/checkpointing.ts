// Gradient checkpointing by cutting the graph, because no JavaScript may run inside LibTorch's backward pass. `checkpoint` runs a
// segment without a graph and hands on a fresh leaf; after the backward pass has reached that leaf, `playBack` runs the segment
// again with a graph, sends the leaf's gradient through it, and so walks back segment by segment.
import { autocast, autocastDtype } from './autocast.ts'
import type { DType } from './dtype.ts'
import { native } from './native.ts'
import type { Generator } from './random.ts'
import { scope } from './scope.ts'
import type { Tensor } from './tensor.ts'

interface Segment {
  run: (input: Tensor) => Tensor
  input: Tensor
  output: Tensor
  dtype: DType | null
  generator: Generator | undefined
  state: Uint8Array | undefined
}

let segments: Segment[] = []
let recomputing = false

/** True while a checkpointed segment runs for the second time. A branch without gradient may then be left out altogether. */
export function isRecomputing(): boolean {
  return recomputing
}

/**
 * `run(input)`, keeping only its input for the backward pass. The whole path from an earlier checkpoint to `input` must lead
 * through `input`, and other tensors that `run` uses must live until then. `generator` is rewound for the second run, so that
 * dropout repeats. Without gradient mode, and inside another checkpoint, it is just `run(input)`.
 */
export function checkpoint(run: (input: Tensor) => Tensor, input: Tensor, generator?: Generator): Tensor {
  if (recomputing) return run(input)
  const recording = native.setGradEnabled(false)
  try {
    if (!recording) return run(input)
    const state = generator?.getState()
    const output = run(input).detach()
    output.requiresGrad = true
    const ends = { input: input.alias().keep(), output: output.alias().keep() }
    segments.push({ run, ...ends, dtype: autocastDtype(), generator, state })
    return output
  } finally {
    native.setGradEnabled(recording)
  }
}

/**
 * Sends the gradients that arrived at checkpoint outputs through their segments, last first. Segments that none has reached wait
 * for the next backward pass, which may be that of another loss.
 */
export function playBack(): void {
  const pending = segments
  segments = []
  const waiting: Segment[] = []
  const enabled = native.setGradEnabled(true)
  try {
    for (let last = pending.pop(); last !== undefined; last = pending.pop()) {
      const segment = last
      let isReached = true
      try {
        isReached = scope(() => replay(segment))
      } finally {
        if (!isReached) waiting.unshift(segment)
        else {
          segment.output.grad = null // the caller's tensor would hold it until its scope ends
          release(segment)
        }
      }
    }
  } finally {
    native.setGradEnabled(enabled)
    segments = [...pending, ...waiting]
  }
}

/** False when no gradient has arrived at the segment's output. */
function replay(segment: Segment): boolean {
  const gradient = segment.output.grad
  if (gradient === null) return false
  const input = segment.input.detach()
  input.requiresGrad = segment.input.requiresGrad
  const now = segment.generator?.getState()
  if (segment.state !== undefined) segment.generator?.setState(segment.state)
  recomputing = true
  let output: Tensor
  try {
    output = autocast(segment.dtype, () => segment.run(input))
  } finally {
    recomputing = false
    if (now !== undefined) segment.generator?.setState(now)
  }
  if (output.requiresGrad) native.backward([output.handle], [gradient.handle], false)
  const flowing = input.requiresGrad ? input.grad : null
  if (flowing !== null) native.backward([segment.input.handle], [flowing.handle], false)
  return true
}

/** Forgets segments of a forward pass whose backward never came (an error, or an evaluation with gradients on). */
export function dropSegments(): void {
  segments.forEach(release)
  segments = []
}

function release(segment: Segment): void {
  segment.output.free()
  segment.input.free()
}

// Gradient checkpointing by cutting the graph, because no JavaScript may run inside LibTorch's backward pass. `checkpoint` runs a
// segment without a graph and hands on a fresh leaf; after the backward pass has reached that leaf, `playBack` runs the segment
// again with a graph, sends the leaf's gradient through it, and so walks back segment by segment.
import { native } from './native.ts'
import type { Generator } from './random.ts'
import { scope } from './scope.ts'
import type { Tensor } from './tensor.ts'

interface Segment {
  run: (input: Tensor) => Tensor
  input: Tensor
  output: Tensor
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
 * through `input`. `generator` is rewound for the second run, so that dropout repeats. Without gradient mode it is just `run(input)`.
 */
export function checkpoint(run: (input: Tensor) => Tensor, input: Tensor, generator?: Generator): Tensor {
  const recording = native.setGradEnabled(false)
  try {
    if (!recording) return run(input)
    const state = generator?.getState()
    const output = run(input).detach()
    output.requiresGrad = true
    segments.push({ run, input: input.alias().keep(), output: output.alias().keep(), generator, state })
    return output
  } finally {
    native.setGradEnabled(recording)
  }
}

/** Sends the gradients that arrived at checkpoint outputs through their segments, last first. */
export function playBack(): void {
  const pending = segments
  segments = []
  const enabled = native.setGradEnabled(true)
  try {
    for (let last = pending.pop(); last !== undefined; last = pending.pop()) {
      const segment = last
      scope(() => replay(segment))
      segment.output.free()
      segment.input.free()
    }
  } finally {
    native.setGradEnabled(enabled)
    for (const segment of pending) {
      segment.output.free()
      segment.input.free()
    }
  }
}

function replay(segment: Segment): void {
  const gradient = segment.output.grad
  if (gradient === null) return
  const input = segment.input.detach()
  input.requiresGrad = segment.input.requiresGrad
  const now = segment.generator?.getState()
  if (segment.state !== undefined) segment.generator?.setState(segment.state)
  recomputing = true
  let output: Tensor
  try {
    output = segment.run(input)
  } finally {
    recomputing = false
    if (now !== undefined) segment.generator?.setState(now)
  }
  if (output.requiresGrad) native.backward([output.handle], [gradient.handle], false)
  const flowing = input.requiresGrad ? input.grad : null
  if (flowing !== null) native.backward([segment.input.handle], [flowing.handle], false)
}

/** Forgets segments of a forward pass whose backward never came (an error, or an evaluation with gradients on). */
export function dropSegments(): void {
  for (const segment of segments) {
    segment.output.free()
    segment.input.free()
  }
  segments = []
}

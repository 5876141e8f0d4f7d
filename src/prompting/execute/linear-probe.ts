// A linear probe: what a model's numbers say of a text, by one inner product.

import { readFile } from 'node:fs/promises'
import { InputError, messageOf, UnsupportedError, UsageError } from '../../errors.ts'
import type { HiddenOptions, Lm, Pooling } from '../../lm/lm.ts'

/** A probe, and the form of its JSON file. */
export interface LinearProbe {
  /** As in `Lm.hidden`. Default: the last. */
  layer?: number
  /** Default `last`. */
  pooling?: Exclude<Pooling, 'none'>
  /** One for each of the model's hidden numbers. */
  weights: readonly number[]
  /** Default 0. */
  bias?: number
}

/** Reads a probe's file. InputError for what is none. */
export async function readProbe(path: string): Promise<LinearProbe> {
  try {
    const read = JSON.parse(await readFile(path, 'utf8')) as LinearProbe
    checkProbe(read)
    return read
  } catch (cause) {
    throw new InputError(`${path}: expected a probe, {"layer", "pooling", "weights", "bias"}: ${messageOf(cause)}`, {
      cause,
    })
  }
}

/** σ(w · h + b) of the text's vector h, in [0, 1]. */
export async function probeValue(
  lm: Lm,
  ids: readonly number[],
  probe: LinearProbe,
  { adapter, signal }: { adapter?: string | null | undefined; signal?: AbortSignal | undefined },
): Promise<number> {
  if (lm.hidden === undefined) throw new UnsupportedError('probe: expected a model that gives vectors, got one without')
  checkProbe(probe)
  const { layer, pooling = 'last', weights, bias = 0 } = probe
  const asked: HiddenOptions = {
    pooling,
    ...(layer !== undefined && { layer }),
    ...(adapter !== undefined && { adapter }),
    ...(signal !== undefined && { signal }),
  }
  const [vector] = await lm.hidden([ids], asked)
  if (vector!.length !== weights.length)
    throw new UsageError(
      `weights: expected ${vector!.length}, one for each number of the model's vectors, got ${weights.length}`,
    )
  const sum = weights.reduce((total, weight, i) => total + weight * vector![i]!, bias)
  return 1 / (1 + Math.exp(-sum))
}

function checkProbe({ weights, bias = 0, layer = 0, pooling = 'last' }: LinearProbe): void {
  if (!Array.isArray(weights) || weights.length === 0 || ![...weights, bias].every(Number.isFinite))
    throw new UsageError('weights: expected a list of numbers, and a bias')
  if (!(Number.isSafeInteger(layer) && layer >= 0))
    throw new UsageError(`layer: expected a whole number from 0, got ${layer}`)
  if (pooling !== 'last' && pooling !== 'mean')
    throw new UsageError(`pooling: expected last or mean, got ${JSON.stringify(pooling)}`)
}

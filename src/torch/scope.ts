// Lifetimes. V8 sees a few bytes where a tensor holds megabytes, so tensors are freed by scope, not by garbage collection:
// what is created inside `scope()` dies at its end unless it is returned. Tensors made outside every scope have a finaliser as a net.
import { UsageError } from '../errors.ts'
import { native } from './native.ts'

/** What a scope needs to know of a tensor; 0 is the handle of one that was freed. */
interface Tracked {
  handle: number
  keepAlive: boolean
}

let current: Tracked[] | null = null
// Reused, so that freeing thousands of tensors a second makes no garbage of its own.
let dead = new Uint32Array(1024)

const net = new FinalizationRegistry<number>((handle) => native.freeOne(handle))

/** Called for every new tensor. */
export function track(tensor: Tracked): void {
  if (current !== null) current.push(tensor)
  else leaveToCollector(tensor)
}

/** From now on the tensor is freed when JavaScript forgets it, and V8 knows its weight. */
function leaveToCollector(tensor: Tracked): void {
  net.register(tensor, tensor.handle, tensor)
  native.adopt(tensor.handle)
}

/** Called when a tensor is freed by hand. */
export function untrack(tensor: Tracked): void {
  net.unregister(tensor)
}

/** Adds every tensor reachable through arrays, plain objects and maps to `found`. */
function collect(value: unknown, found: Set<unknown>, isTensor: (value: object) => value is Tracked): void {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value) || found.has(value)) return
  found.add(value)
  if (isTensor(value)) return
  if (Array.isArray(value) || value instanceof Map || value instanceof Set) {
    for (const element of value instanceof Map ? value.values() : value) collect(element, found, isTensor)
  } else if (Object.getPrototypeOf(value) === Object.prototype) {
    for (const element of Object.values(value)) collect(element, found, isTensor)
  }
}

const hasHandle = (value: object): value is Tracked => 'handle' in value && 'keepAlive' in value

/**
 * Runs `body` and frees every tensor that it created, except those in its result (a tensor, or an array, plain object or map of them),
 * which then belong to the scope around. Not for async functions: use it inside them.
 */
export function scope<T>(body: () => T): T {
  const outer = current
  const mine: Tracked[] = []
  current = mine
  let result: T
  try {
    result = body()
    if (result instanceof Promise)
      throw new UsageError('scope: expected a function that returns a value, got an async one. Use scope inside it')
  } catch (error) {
    current = outer
    freeAll(mine, undefined)
    throw error
  }
  current = outer
  freeAll(mine, result)
  return result
}

function freeAll(list: Tracked[], result: unknown): void {
  let kept: Set<unknown> | undefined
  if (typeof result === 'object' && result !== null) {
    kept = new Set()
    collect(result, kept, hasHandle)
  }
  if (dead.length < list.length) dead = new Uint32Array(2 * list.length)
  let count = 0
  for (const tensor of list) {
    if (tensor.handle === 0) continue
    if (tensor.keepAlive) leaveToCollector(tensor)
    else if (kept?.has(tensor)) track(tensor)
    else {
      dead[count++] = tensor.handle
      tensor.handle = 0
    }
  }
  native.free(dead, count)
}

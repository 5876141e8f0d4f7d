// How two programs are compared: warm processes take turns, block by block, and the ratio of each pair is what counts. What is
// compared is run.ts.
import { spawn, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

/** The folder of the benches. */
export const here: string = fileURLToPath(new URL('.', import.meta.url))

/** A program and its arguments. */
export type Command = readonly [program: string, ...list: string[]]

/** What is printed and kept of one comparison. */
export type Row = Record<string, unknown> & { name: string; ratio?: number; met?: boolean }

/** What is compared, and what the ratio of ours to the peer's should be. Without a peer ours alone is measured. */
export interface Duel {
  name: string
  ours: Command
  peer: Command | undefined
  /** The key of a block's answer to compare. */
  figure: string
  /** Further keys whose medians are kept, of both. */
  also?: readonly string[]
  goal: string
  isMet: (ratio: number) => boolean
}

type Block = Record<string, number> & { losses?: number[]; token_ids?: number[] }

/** Pairs of blocks that are measured after one that is not. */
export const pairCount: number = Number(process.env.BENCH_PAIRS ?? 7)

/** The command that runs a TypeScript file of this folder. */
export function tsx(file: string, ...list: string[]): Command {
  return [process.execPath, '--import', 'tsx', join(here, file), ...list]
}

/** Runs a command to its end; its last line as an object, if it is one. */
export function run([program, ...list]: Command): Record<string, unknown> {
  const result = spawnSync(program, list, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    maxBuffer: 1 << 28,
  })
  if (result.status !== 0) throw new Error(`${program} ${list.join(' ')} failed`)
  const line = result.stdout.trim().split('\n').at(-1)!
  return line.startsWith('{') ? JSON.parse(line) : {}
}

/** True if a command can be run and ends well. */
export function works([program, ...list]: Command): boolean {
  return spawnSync(program, list, { stdio: 'ignore' }).status === 0
}

/** A warm process that measures one block per line of its standard input. */
class Contestant {
  private readonly child
  private readonly lines: AsyncIterator<string>
  constructor([program, ...list]: Command) {
    this.child = spawn(program, [...list, '--interactive'], { stdio: ['pipe', 'pipe', 'inherit'] })
    this.lines = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]()
  }
  async next(): Promise<Block> {
    for (;;) {
      const { value, done } = await this.lines.next()
      if (done) throw new Error('the measured process ended early')
      if (value.startsWith('{')) return JSON.parse(value)
    }
  }
  async block(): Promise<Block> {
    this.child.stdin.write('\n')
    return this.next()
  }
  end(): void {
    this.child.stdin.end()
  }
}

/** Blocks of both in turn. */
export async function duel({ name, ours, peer, figure, also = [], goal, isMet }: Duel): Promise<Row> {
  const mine = new Contestant(ours)
  await mine.next()
  const theirs = peer && new Contestant(peer)
  await theirs?.next()
  const a: number[] = []
  const b: number[] = []
  const more = also.map((key) => ({ key, ours: [] as number[], peer: [] as number[] }))
  let last: Block = {}
  let lastPeer: Block | undefined
  for (let i = 0; i < pairCount + 1; i++) {
    last = await mine.block()
    lastPeer = await theirs?.block()
    if (i === 0) continue // warm-up
    a.push(last[figure]!)
    if (lastPeer) b.push(lastPeer[figure]!)
    for (const { key, ours, peer } of more) {
      ours.push(last[key]!)
      if (lastPeer) peer.push(lastPeer[key]!)
    }
  }
  mine.end()
  theirs?.end()
  const row: Row = { name, figure, ours: median(a) }
  for (const key of ['peak_rss_mib', 'resident_bytes']) if (last[key]) row[`ours_${key}`] = last[key]
  for (const { key, ours, peer } of more)
    Object.assign(row, { [`ours_${key}`]: median(ours), ...(lastPeer && { [`peer_${key}`]: median(peer) }) })
  if (!lastPeer) return row
  const ratios = a.map((value, i) => value / b[i]!)
  const ratio = median(ratios)
  Object.assign(row, { peer: median(b), ratio, ci95: interval(ratios), goal, met: isMet(ratio) })
  if (last.losses && lastPeer.losses) {
    const theirLosses = lastPeer.losses
    row.loss_difference = Math.max(...last.losses.map((loss, i) => Math.abs(loss - theirLosses[i]!)))
  }
  if (last.token_ids) row.same_tokens = last.token_ids.join() === lastPeer.token_ids?.join()
  if (lastPeer.resident_bytes) row.peer_resident_bytes = lastPeer.resident_bytes
  if (last.peak_rss_mib && lastPeer.peak_rss_mib) {
    row.peer_peak_rss_mib = lastPeer.peak_rss_mib
    row.memory_ratio = last.peak_rss_mib / lastPeer.peak_rss_mib
  }
  return row
}

/** The middle one, or the mean of the middle two. */
export function median(list: readonly number[]): number {
  const sorted = list.toSorted((a, b) => a - b)
  return (sorted[(list.length - 1) >> 1]! + sorted[list.length >> 1]!) / 2
}

/** 95 % bootstrap interval of the median, with a fixed generator: the same numbers give the same interval. */
function interval(list: readonly number[]): [number, number] {
  let state = 1
  const random = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
  const medians = Array.from({ length: 2000 }, () => median(list.map(() => list[Math.floor(random() * list.length)]!)))
  medians.sort((a, b) => a - b)
  return [medians[50]!, medians[1949]!]
}

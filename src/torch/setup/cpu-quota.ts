// How much processor time this process may use. A container with a quota of two processors still sees all 64 of its host, and threads
// beyond the quota make everything slower: the kernel stops them all until the next period.
import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'

/** Where cgroup version 1 has its processor controller mounted. */
const MOUNTS_V1 = ['cpu', 'cpu,cpuacct', 'cpuacct,cpu']

/** Processors that this process may use at once: the affinity mask, and the quota of its control groups, rounded down; at least 1. */
export function availableProcessors(quota: number | null = cpuQuota()): number {
  return Math.max(1, Math.min(availableParallelism(), Math.floor(quota ?? Number.POSITIVE_INFINITY)))
}

/**
 * The quota in processors (1.5: three halves of one), the least of this process's control group and those above it; `null` without one.
 * Reads cgroup version 2 (`cpu.max`) and version 1 (`cpu.cfs_quota_us`). `root` is `/` except in tests.
 */
export function cpuQuota(root = '/'): number | null {
  const quotas = (readText(join(root, 'proc/self/cgroup')) ?? '').split('\n').flatMap((line) => {
    const [, controllers, path] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? []
    if (path === undefined) return []
    if (controllers === '')
      return ['sys/fs/cgroup', 'sys/fs/cgroup/unified'].flatMap((mount) =>
        quotasAbove(join(root, mount), path, quotaV2),
      )
    if (!controllers!.split(',').includes('cpu')) return []
    return MOUNTS_V1.flatMap((mount) => quotasAbove(join(root, 'sys/fs/cgroup', mount), path, quotaV1))
  })
  return quotas.length === 0 ? null : Math.min(...quotas)
}

/** The quotas of a group and all above it. Inside a container the path may be the host's, of which only the mount itself is there. */
function quotasAbove(mount: string, path: string, read: (directory: string) => number | null): number[] {
  const parts = path.split('/').filter((part) => part !== '' && part !== '..')
  return Array.from({ length: parts.length + 1 }, (_, count) => read(join(mount, ...parts.slice(0, count)))).filter(
    (quota) => quota !== null,
  )
}

/** `150000 100000` or `max 100000`. */
function quotaV2(directory: string): number | null {
  const [quota, period] = readText(join(directory, 'cpu.max'))?.trim().split(/\s+/) ?? []
  return share(quota, period)
}

/** Two files; −1 is no quota. */
function quotaV1(directory: string): number | null {
  return share(readText(join(directory, 'cpu.cfs_quota_us')), readText(join(directory, 'cpu.cfs_period_us')))
}

function share(quota: string | undefined, period: string | undefined): number | null {
  const processors = Number.parseInt(quota ?? '', 10) / Number.parseInt(period ?? '', 10)
  return processors > 0 && Number.isFinite(processors) ? processors : null
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined // no such system, controller or group, or not ours to read: no quota is known
  }
}

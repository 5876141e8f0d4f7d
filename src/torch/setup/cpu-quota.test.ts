import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { availableProcessors, cpuQuota } from './cpu-quota.ts'

const made: string[] = []
afterEach(() => {
  for (const root of made.splice(0)) rmSync(root, { recursive: true })
})

/** A root directory with these files. */
function system(files: Record<string, string>): string {
  const root = mkdtempSync(join(tmpdir(), 'cgroup-'))
  made.push(root)
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), text)
  }
  return root
}

describe('cpuQuota', () => {
  it.each<[string, number | null, Record<string, string>]>([
    ['without control groups', null, {}],
    ['version 2, in a container', 1.5, { 'proc/self/cgroup': '0::/\n', 'sys/fs/cgroup/cpu.max': '150000 100000\n' }],
    ['version 2, no quota', null, { 'proc/self/cgroup': '0::/\n', 'sys/fs/cgroup/cpu.max': 'max 100000\n' }],
    [
      'version 2, the least of a group and those above it',
      2,
      {
        'proc/self/cgroup': '0::/a/b\n',
        'sys/fs/cgroup/a/cpu.max': '200000 100000\n',
        'sys/fs/cgroup/a/b/cpu.max': '400000 100000\n',
      },
    ],
    [
      "version 2, a path of the host's that the container does not see",
      3,
      { 'proc/self/cgroup': '0::/docker/0123abc\n', 'sys/fs/cgroup/cpu.max': '300000 100000\n' },
    ],
    [
      'version 1',
      0.5,
      {
        'proc/self/cgroup': '4:cpu,cpuacct:/docker/x\n3:memory:/y\n',
        'sys/fs/cgroup/cpu,cpuacct/docker/x/cpu.cfs_quota_us': '50000\n',
        'sys/fs/cgroup/cpu,cpuacct/docker/x/cpu.cfs_period_us': '100000\n',
      },
    ],
    [
      'version 1, no quota',
      null,
      {
        'proc/self/cgroup': '1:cpu:/\n',
        'sys/fs/cgroup/cpu/cpu.cfs_quota_us': '-1\n',
        'sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000\n',
      },
    ],
    ['what nobody understands', null, { 'proc/self/cgroup': 'hello\n0::/\n', 'sys/fs/cgroup/cpu.max': 'a b\n' }],
  ])('%s: %s', (_, quota, files) => {
    expect(cpuQuota(system(files))).toBe(quota)
  })
})

describe('availableProcessors', () => {
  it('is the affinity mask, less where a quota is less, and never 0', () => {
    expect(availableProcessors(null)).toBe(availableParallelism())
    expect(availableProcessors(1e6)).toBe(availableParallelism())
    expect(availableProcessors(1.9)).toBe(1)
    expect(availableProcessors(0.2)).toBe(1)
  })
})

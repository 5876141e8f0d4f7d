import { mkdirSync } from 'node:fs'
import { join, relative } from 'node:path'
import { describe, expect, it } from 'vitest'
import { inspectLibtorch, isAtLeast, type Libtorch } from '../src/torch/setup/libtorch.ts'
import { type Finding, findLibtorch } from '../src/torch/setup/locate.ts'
import { PINNED_VERSION } from '../src/torch/setup/wheel.ts'
import { temporaryDirectory, writeFakeLibtorch, writeFiles, writeProgram } from './setup-fakes.ts'

function inspected(root: string): Libtorch {
  const result = inspectLibtorch(root)
  if (typeof result === 'string') throw new Error(result)
  return result
}

describe('inspectLibtorch', () => {
  it('reads version and folders of a wheel, with the numbers at the new and at the old place', () => {
    for (const version of ['2.13.0', '2.4.1']) {
      const root = temporaryDirectory()
      writeFakeLibtorch(root, { version })
      const libtorch = inspected(root)
      expect(libtorch.version).toBe(version)
      expect(libtorch.libDir).toBe(join(root, 'lib'))
      expect(libtorch.includeDirs).toEqual([join(root, 'include'), join(root, 'include/torch/csrc/api/include')])
      expect(libtorch.cuda).toBe(false)
    }
  })

  it("finds libraries in Debian's folder for an architecture, and a torch folder inside the one given", () => {
    const root = temporaryDirectory()
    writeFakeLibtorch(root, { version: '1.13.1', lib: 'lib/x86_64-linux-gnu' })
    expect(inspected(root).libDir).toBe(join(root, 'lib/x86_64-linux-gnu'))

    const sitePackages = temporaryDirectory()
    writeFakeLibtorch(join(sitePackages, 'torch'))
    expect(inspected(sitePackages).dir).toBe(join(sitePackages, 'torch'))
  })

  it('tells a CUDA build and the layout of std::string', () => {
    const root = temporaryDirectory()
    writeFakeLibtorch(root, { cuda: true, abi: 0 })
    expect(inspected(root)).toMatchObject({ cuda: true, abi: 0 })
    writeFakeLibtorch(root, { abi: 1 })
    expect(inspected(root).abi).toBe(1)
  })

  it('says what is missing', () => {
    const root = temporaryDirectory()
    expect(inspectLibtorch(join(root, 'none'))).toBe(`${join(root, 'none')} does not exist`)
    expect(inspectLibtorch(root)).toMatch('has no include/ATen/ATen.h')
    writeFiles(root, { 'include/ATen/ATen.h': '' })
    expect(inspectLibtorch(root)).toMatch(/has no libtorch_cpu\.\w+ under lib/)
    writeFakeLibtorch(root)
    writeFiles(root, { 'include/torch/headeronly/version.h': '#pragma once' })
    expect(inspectLibtorch(root)).toMatch('TORCH_VERSION_MAJOR')
  })

  it('compares versions by number', () => {
    expect(isAtLeast('2.10.0', 2, 9)).toBe(true)
    expect(isAtLeast('2.4.0', 2, 10)).toBe(false)
    expect(isAtLeast('3.0.0', 2, 10)).toBe(true)
    expect(isAtLeast('1.13.1', 2, 4)).toBe(false)
  })
})

/** Goes through the places until one has a LibTorch, without fetching. */
async function search(environment: NodeJS.ProcessEnv): Promise<Finding[]> {
  const findings: Finding[] = []
  for await (const finding of findLibtorch({ mayFetch: false, note: () => {}, environment })) {
    findings.push(finding)
    if ('libtorch' in finding) break
  }
  return findings
}

/** An environment with an own cache and a python3 whose torch is at `torchDir`. */
function makeEnvironment(torchDir: string): { root: string; environment: NodeJS.ProcessEnv } {
  const root = temporaryDirectory()
  writeProgram(join(root, 'bin'), 'python3', `echo '${torchDir}'`)
  return { root, environment: { PATH: `${join(root, 'bin')}:/usr/bin:/bin`, ANNEAL_CACHE: join(root, 'cache') } }
}

describe('findLibtorch', () => {
  it('takes ANNEAL_LIBTORCH first, also as a relative path', async () => {
    const { root, environment } = makeEnvironment('')
    writeFakeLibtorch(join(root, 'mine'), { version: '2.6.0' })
    const wish = relative(process.cwd(), join(root, 'mine'))
    const findings = await search({ ...environment, ANNEAL_LIBTORCH: wish })
    expect(findings).toMatchObject([{ place: 'environment', libtorch: { version: '2.6.0', dir: join(root, 'mine') } }])
  })

  it('does not look further when ANNEAL_LIBTORCH has none', async () => {
    const { root, environment } = makeEnvironment('')
    writeFakeLibtorch(join(root, 'cache/libtorch', PINNED_VERSION, 'torch'))
    const findings = await search({ ...environment, ANNEAL_LIBTORCH: join(root, 'nowhere') })
    expect(findings).toEqual([{ place: 'environment', reason: `${join(root, 'nowhere')} does not exist` }])
  })

  it("prefers the active Python's torch to the cache", async () => {
    const torchDir = join(temporaryDirectory(), 'site-packages/torch')
    writeFakeLibtorch(torchDir, { version: '2.8.0', cuda: true })
    const { root, environment } = makeEnvironment(torchDir)
    writeFakeLibtorch(join(root, 'cache/libtorch', PINNED_VERSION, 'torch'))
    expect((await search(environment)).at(-1)).toMatchObject({
      place: 'python',
      libtorch: { version: '2.8.0', cuda: true },
    })
  })

  it("goes on to the cache when Python's torch is too old, incomplete or absent, and says so", async () => {
    const old = temporaryDirectory()
    writeFakeLibtorch(old, { version: '2.3.1' })
    const empty = temporaryDirectory()
    for (const [torchDir, reason] of [
      [old, `expected torch ≥ 2.4 in ${old}, got 2.3.1`],
      [empty, `${empty} has no include/ATen/ATen.h`],
      ['', 'python3 has no torch'],
    ] as const) {
      const { root, environment } = makeEnvironment(torchDir)
      writeFakeLibtorch(join(root, 'cache/libtorch', PINNED_VERSION, 'torch'))
      expect(await search(environment)).toMatchObject([
        { place: 'environment', reason: 'not set' },
        { place: 'python', reason },
        { place: 'cache', libtorch: { version: PINNED_VERSION } },
      ])
    }
  })

  it('says so when there is no Python and when it fails', async () => {
    const { root, environment } = makeEnvironment('')
    writeFakeLibtorch(join(root, 'cache/libtorch', PINNED_VERSION, 'torch'))
    writeProgram(join(root, 'bin'), 'python3', 'echo "Fatal: no encodings" >&2; exit 1')
    expect((await search(environment))[1]).toEqual({ place: 'python', reason: 'python3: Fatal: no encodings' })
    mkdirSync(join(root, 'nothing'))
    const findings = await search({ ...environment, PATH: join(root, 'nothing') })
    expect(findings[1]).toEqual({ place: 'python', reason: 'python3 is not in PATH' })
  })

  it('downloads nothing when it may only look', async () => {
    const { root, environment } = makeEnvironment('')
    const findings = await search(environment)
    expect(findings.find(({ place }) => place === 'cache')).toHaveProperty(
      'reason',
      `${join(root, 'cache/libtorch', PINNED_VERSION)} does not exist`,
    )
    const wheel = findings.find(({ place }) => place === 'wheel')
    if (wheel !== undefined) expect(wheel).toHaveProperty('reason', 'not downloaded (`anneal setup` does it)')
  })
})

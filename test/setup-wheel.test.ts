import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { fetchWheel } from '../src/torch/setup/wheel.ts'
import { temporaryDirectory, writeFiles, writeProgram } from './setup-fakes.ts'

const realPython = spawnSync('sh', ['-c', 'command -v python3'], { encoding: 'utf8' }).stdout.trim()

// Writes a zip with these members where pip would put the wheel.
const MAKE_WHEEL = `
import sys, zipfile
folder, *names = sys.argv[1:]
with zipfile.ZipFile(folder + '/torch-2.13.0-cp311-cp311-linux_x86_64.whl', 'w') as archive:
    for name in names: archive.writestr(name, name)
`

const CPU_WHEEL = [
  'torch/__init__.py',
  'torch/lib/libc10.so',
  'torch/lib/libtorch_cpu.so',
  'torch/lib/libtorch_python.so',
  'torch/include/ATen/ATen.h',
  'torch-2.13.0.dist-info/METADATA',
]

/** An environment whose `python3 -m pip download` runs `script` with the folder for the wheel as $dest. */
function makeEnvironment(root: string, script: string): NodeJS.ProcessEnv {
  writeFiles(root, { 'make-wheel.py': MAKE_WHEEL })
  writeProgram(
    join(root, 'bin'),
    'python3',
    `if [ "$1 $2" = '-m pip' ]; then
  if [ "$3" = --version ]; then exit 0; fi
  echo "$@" >> '${root}/calls'
  dest=$(echo "$@" | sed 's/.*--dest \\([^ ]*\\).*/\\1/')
  ${script}
  exit $?
fi
exec '${realPython}' "$@"`,
  )
  return { PATH: `${join(root, 'bin')}:/usr/bin:/bin` }
}

function makeWheel(root: string, names: readonly string[]): string {
  return `'${realPython}' '${root}/make-wheel.py' "$dest" ${names.join(' ')}`
}

describe.skipIf(realPython === '')('fetchWheel', () => {
  it('keeps libraries and headers, drops the Python part, and leaves nothing else behind', async () => {
    const root = temporaryDirectory()
    const target = join(root, 'libtorch', '2.13.0')
    const environment = makeEnvironment(root, makeWheel(root, CPU_WHEEL))
    expect(await fetchWheel(target, { environment, note: () => {} })).toBeUndefined()
    expect(readdirSync(join(target, 'torch')).sort()).toEqual(['include', 'lib'])
    expect(readdirSync(join(target, 'torch/lib')).sort()).toEqual(['libc10.so', 'libtorch_cpu.so'])
    expect(readdirSync(join(root, 'libtorch'))).toEqual(['2.13.0'])
    const call = readFileSync(join(root, 'calls'), 'utf8')
    expect(call).toMatch(/--timeout 15 --retries 0/)
    expect(call).toMatch(/--no-deps .*torch==2\.13\.0/)
  })

  it('refuses a CUDA build, which would not load', async () => {
    const root = temporaryDirectory()
    const environment = makeEnvironment(root, makeWheel(root, [...CPU_WHEEL, 'torch/lib/libtorch_cuda.so']))
    const reason = await fetchWheel(join(root, 'libtorch', '2.13.0'), { environment, note: () => {} })
    expect(reason).toMatch('pip found only the CUDA build')
    expect(readdirSync(join(root, 'libtorch'))).toEqual([])
  })

  it('asks for the wheel of another Python when there is none for this one', async () => {
    const root = temporaryDirectory()
    const refuse = 'echo "ERROR: No matching distribution found for torch==2.13.0" >&2; exit 1'
    const environment = makeEnvironment(
      root,
      `case "$*" in *"--python-version 3.11"*) ${makeWheel(root, CPU_WHEEL)};; *) ${refuse};; esac`,
    )
    expect(await fetchWheel(join(root, 'libtorch', '2.13.0'), { environment, note: () => {} })).toBeUndefined()
    const calls = readFileSync(join(root, 'calls'), 'utf8').trim().split('\n')
    expect(calls.map((call) => /--python-version (\S+)/.exec(call)?.[1])).toEqual([undefined, '3.12', '3.11'])
  })

  it("gives pip's last line as the reason, and asks once when the network is what fails", async () => {
    const root = temporaryDirectory()
    const environment = makeEnvironment(root, 'echo "ERROR: Could not connect: timed out" >&2; exit 1')
    const reason = await fetchWheel(join(root, 'libtorch', '2.13.0'), { environment, note: () => {} })
    expect(reason).toBe('pip download: Could not connect: timed out')
    expect(readFileSync(join(root, 'calls'), 'utf8').trim().split('\n')).toHaveLength(1)
    expect(readdirSync(join(root, 'libtorch'))).toEqual([])
  })

  it('reports a damaged wheel', async () => {
    const root = temporaryDirectory()
    const environment = makeEnvironment(root, 'echo damaged > "$dest/torch-2.13.0.whl"')
    const reason = await fetchWheel(join(root, 'libtorch', '2.13.0'), { environment, note: () => {} })
    expect(reason).toMatch(/^unpacking torch-2\.13\.0\.whl: .*not a zip file/)
    expect(existsSync(join(root, 'libtorch', '2.13.0'))).toBe(false)
  })

  it('may run twice at the same time', async () => {
    const root = temporaryDirectory()
    const target = join(root, 'libtorch', '2.13.0')
    const environment = makeEnvironment(root, makeWheel(root, CPU_WHEEL))
    const both = [1, 2].map(() => fetchWheel(target, { environment, note: () => {} }))
    expect(await Promise.all(both)).toEqual([undefined, undefined])
    expect(readdirSync(join(target, 'torch/lib')).sort()).toEqual(['libc10.so', 'libtorch_cpu.so'])
    expect(readdirSync(join(root, 'libtorch'))).toEqual(['2.13.0'])
  })

  it('removes what a killed run left, once that is an hour old', async () => {
    const root = temporaryDirectory()
    const parent = join(root, 'libtorch')
    for (const name of ['.fetching-old', '.fetching-young']) mkdirSync(join(parent, name), { recursive: true })
    const past = Date.now() / 1000 - 2 * 3600
    utimesSync(join(parent, '.fetching-old'), past, past)
    const environment = makeEnvironment(root, makeWheel(root, CPU_WHEEL))
    await fetchWheel(join(parent, '2.13.0'), { environment, note: () => {} })
    expect(readdirSync(parent).sort()).toEqual(['.fetching-young', '2.13.0'])
  })

  it('says so when Python comes without pip', async () => {
    const root = temporaryDirectory()
    writeProgram(join(root, 'bin'), 'python3', 'echo "No module named pip" >&2; exit 1')
    const environment = { PATH: `${join(root, 'bin')}:/usr/bin:/bin` }
    const reason = await fetchWheel(join(root, 'libtorch', '2.13.0'), { environment, note: () => {} })
    expect(reason).toMatch('python3 has no pip')
  })
})

// Stand-ins for the tests of the set-up: LibTorch directories without LibTorch, and programs that are shell scripts.

import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll } from 'vitest'
import { libraryFile } from '../src/torch/setup/libtorch.ts'

const temporary: string[] = []

// Imported at the top of a test file, this belongs to that file.
afterAll(() => {
  for (const path of temporary) rmSync(path, { recursive: true, force: true })
})

/** A new empty directory, which goes away after the test file. */
export function temporaryDirectory(): string {
  const path = mkdtempSync(join(tmpdir(), 'anneal-setup-'))
  temporary.push(path)
  return path
}

/** Writes files given as path → content under `root`, with the folders that they need. */
export function writeFiles(root: string, files: Readonly<Record<string, string>>): void {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), content)
  }
}

export interface FakeLibtorchOptions {
  version?: string
  /** Folder of the libraries under the root. */
  lib?: string
  cuda?: boolean
  abi?: 0 | 1
}

/** Fills `root` with what `inspectLibtorch` looks at. */
export function writeFakeLibtorch(root: string, options: FakeLibtorchOptions = {}): void {
  const { version = '2.13.0', lib = 'lib', cuda = false, abi = 1 } = options
  const [major = 0, minor = 0, patch = 0] = version.split('.').map(Number)
  const numbers = `#define TORCH_VERSION_MAJOR ${major}\n#define TORCH_VERSION_MINOR ${minor}\n#define TORCH_VERSION_PATCH ${patch}\n`
  const symbol = `\0_ZN3c105ErrorC2ENS_14SourceLocation${abi === 0 ? 'ESs' : 'ENSt7__cxx1112basic_string'}\0`
  const isNew = major > 2 || (major === 2 && minor >= 9)
  writeFiles(root, {
    'include/ATen/ATen.h': '',
    'include/torch/csrc/api/include/torch/version.h': isNew ? '#include <torch/headeronly/version.h>\n' : numbers,
    ...(isNew ? { 'include/torch/headeronly/version.h': numbers } : {}),
    [`${lib}/${libraryFile('c10')}`]: symbol,
    [`${lib}/${libraryFile('torch_cpu')}`]: `libtorch_cpu ${version}`,
    ...(cuda ? { [`${lib}/${libraryFile('torch_cuda')}`]: '', [`${lib}/${libraryFile('c10_cuda')}`]: '' } : {}),
  })
}

/** Puts a shell script as a program into `folder` and returns its path. */
export function writeProgram(folder: string, name: string, script: string): string {
  mkdirSync(folder, { recursive: true })
  const path = join(folder, name)
  writeFileSync(path, `#!/bin/sh\n${script}\n`)
  chmodSync(path, 0o755)
  return path
}

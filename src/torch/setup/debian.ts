// Debian's and Ubuntu's own LibTorch, `libtorch-dev`: older than the wheel, and there where pip's index is not.

import { existsSync } from 'node:fs'
import { inspectLibtorch, type Libtorch } from './libtorch.ts'
import { lastComplaint, runProgram } from './program.ts'

// Without the threaded OpenBLAS, libtorch-dev runs on the reference BLAS: one thread, many times slower.
const PACKAGES = ['libtorch-dev', 'libopenblas0-pthread']
const APT_MINUTES = 20

export interface DebianOptions {
  environment: NodeJS.ProcessEnv
  /** False to look only. */
  mayInstall: boolean
  note(line: string): void
}

/** Finds the system's LibTorch, or installs it where we may; else says why not. */
export async function findDebianLibtorch({ environment, mayInstall, note }: DebianOptions): Promise<Libtorch | string> {
  const installed = inspectLibtorch('/usr')
  if (typeof installed !== 'string') return installed
  if (!existsSync('/usr/bin/apt-get')) return 'this system has no apt-get'
  const advice = `\`apt-get install ${PACKAGES.join(' ')}\``
  if (!mayInstall) return `libtorch-dev is not installed (${advice})`
  if (process.getuid?.() !== 0) return `libtorch-dev is not installed, and only root can (${advice})`

  note(`installing ${PACKAGES.join(' and ')} with apt-get`)
  const options = {
    environment: { ...environment, DEBIAN_FRONTEND: 'noninteractive' },
    timeoutSeconds: 60 * APT_MINUTES,
  }
  // Fresh images come without package lists; a list that cannot be refreshed may still be good enough.
  await runProgram('apt-get', ['update', '-q', '-o', 'Acquire::Retries=0'], options)
  const words = ['install', '-y', '-q', '--no-install-recommends', '-o', 'Acquire::Retries=0', ...PACKAGES]
  const install = await runProgram('apt-get', words, options)
  return install.isOk ? inspectLibtorch('/usr') : `${advice}: ${lastComplaint(install)}`
}

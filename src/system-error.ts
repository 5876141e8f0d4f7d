// Errors of the operating system in words: what could not be done to which path, and what to do. Node's own message is
// `ELOOP: too many symbolic links encountered, open 'x'`, which names neither.

/** The parts of a system error that a sentence needs; `undefined` for errors of any other kind. */
interface SystemError extends Error {
  code: string
  syscall: string
  path?: string
  dest?: string
}

/** What was expected and what came, for each code, and the exit code where it is not that of a bad input file (3). */
const MEANINGS: Readonly<Record<string, readonly [expected: string, got: string, advice: string, exitCode?: number]>> =
  {
    ENOENT: ['something there', 'nothing', 'Check the path'],
    ENOTDIR: ['folders on the way to it', 'a file', 'Check the path'],
    EISDIR: ['a file', 'a directory', 'Check the path'],
    ELOOP: ['a link that ends somewhere', 'one that leads back to itself', 'Remove the link'],
    ENAMETOOLONG: ['a shorter name', 'one longer than the file system allows', 'Check the path'],
    EACCES: ['the right to do so', 'none', 'Change the rights (chmod, chown), or choose another path'],
    EPERM: ['the right to do so', 'none', 'Change the rights (chmod, chown), or choose another path'],
    EROFS: ['a file system that can be written', 'one that can only be read', 'Choose another path'],
    ENXIO: ['a plain file', 'a pipe or device with nobody at its other end', 'Check the path'],
    EXDEV: ['both on one file system', 'two', 'Choose another path'],
    EBUSY: ['a path that nobody uses', 'one in use', 'Try again later'],
    ETXTBSY: ['a path that nobody uses', 'a program that runs', 'Try again later'],
    ENOTEMPTY: ['an empty folder', 'one with files in it', 'Choose another path'],
    EEXIST: ['nothing there', 'something', 'Choose another path'],
    EMFILE: ['another free file handle', 'none', 'Allow more, such as `ulimit -n 4096`', 1],
    ENFILE: ['another free file handle', 'none', 'Close other programs', 1],
    EIO: ['a disk that works', 'an error of the device', 'Look into the log of the system', 1],
    ENOSPC: ['free space', 'a full disk', 'Free some space', 6],
    EDQUOT: ['free space', 'a full quota', 'Free some space, or raise the quota', 6],
    EFBIG: ['a smaller file', 'one above the limit', 'Raise the limit, such as `ulimit -f unlimited`', 6],
  }

const VERBS: Readonly<Record<string, string>> = {
  open: 'open',
  scandir: 'list',
  read: 'read',
  write: 'write',
  mkdir: 'make',
  mkdtemp: 'make',
  rename: 'rename',
  rm: 'remove',
  rmdir: 'remove',
  unlink: 'remove',
  symlink: 'link',
  link: 'link',
  copyfile: 'copy',
}

/** `cannot open x: expected …, got …. <what to do>` for an error of the operating system; `undefined` for any other. */
export function describeSystemError(error: unknown): string | undefined {
  if (!isSystemError(error)) return undefined
  const [expected, got, advice] = MEANINGS[error.code]!
  const path = shortened(error.path ?? 'a file')
  const target = error.dest === undefined ? '' : ` to ${shortened(error.dest)}`
  return `cannot ${VERBS[error.syscall] ?? 'look at'} ${path}${target}: expected ${expected}, got ${got} (${error.code}). ${advice}`
}

/** Its exit code; `undefined` for errors of any other kind. */
export function exitCodeOfSystemError(error: unknown): number | undefined {
  return isSystemError(error) ? (MEANINGS[error.code]![3] ?? 3) : undefined
}

function isSystemError(error: unknown): error is SystemError {
  const { code, syscall } = error instanceof Error ? (error as Partial<SystemError>) : {}
  return typeof code === 'string' && typeof syscall === 'string' && Object.hasOwn(MEANINGS, code)
}

/** A path of thousands of characters would hide what is said about it. */
function shortened(path: string): string {
  return path.length <= 300 ? path : `${path.slice(0, 200)}…${path.slice(-80)}`
}

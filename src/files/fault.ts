// Fault injection for the tests of the checkpoint protocol: `ANNEAL_FAULT=renamed:3` kills the process, as `kill -9` would,
// when it passes the point `renamed` for the third time; `ANNEAL_FAULT=*:17` at the 17th point of any name.
// Without the variable a point costs one comparison.

const [wanted, count] = (process.env.ANNEAL_FAULT ?? '').split(':')
let remaining = Number(count)

/** Marks a place between two steps of a protocol where a test may kill the process. */
export function faultPoint(name: string): void {
  if (!wanted || (wanted !== '*' && wanted !== name)) return
  remaining--
  if (remaining !== 0) return
  process.kill(process.pid, 'SIGKILL')
  // The signal is delivered between two system calls; none may follow.
  for (;;);
}

// How long something takes whatever else the machine does: processor time of this process, for tests that something is linear and no bomb.

/** Starts counting; the function returned gives the milliseconds of processor time since. */
export function startProcessorTime(): () => number {
  const start = process.cpuUsage()
  return () => {
    const { user, system } = process.cpuUsage(start)
    return (user + system) / 1000
  }
}

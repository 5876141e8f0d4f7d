import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    // The add-on owns threads and a process-wide allocator: one process per test file keeps files apart.
    pool: 'forks',
    maxWorkers: 2,
    include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
    setupFiles: ['test/setup.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
})

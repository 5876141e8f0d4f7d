import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    // The add-on owns threads and a process-wide allocator: one process per test file keeps files apart.
    pool: 'forks',
    maxWorkers: 2,
    include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
    setupFiles: ['test/setup.ts'],
    // What takes seconds on an idle machine may take minutes on a busy one; only a hang takes longer than this.
    testTimeout: 300_000,
    hookTimeout: 300_000,
  },
})

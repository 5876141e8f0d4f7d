// A hub for the tests of one file, and for each test an empty home to cache in, with what was told and how long was waited.
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'vitest'
import { describeError, exitCodeOf } from '../src/errors.ts'
import { hubSettings } from '../src/hub/hub-settings.ts'
import { type PullOptions, pull } from '../src/hub/pull.ts'
import { HubServer } from './hub-server.ts'

/** What {@link useHub} gives; `server` and `home` are there while tests run. */
export interface Hub {
  server: HubServer
  home: string
  readonly notices: string[]
  /** Milliseconds of each pause; nobody really waits. */
  readonly waits: number[]
  /** How the hub is asked, with more variables of the environment. */
  options(environment?: Record<string, string>): PullOptions
  /** Where `org/tiny` is cached. */
  folder(): string
  /** Exit code and line of a pull that is refused and leaves nothing. */
  failure(name: string, environment?: Record<string, string>): Promise<[number, string]>
}

/** Starts the hub and cleans up between tests. */
export function useHub(): Hub {
  const hub = {
    notices: [] as string[],
    waits: [] as number[],
    options: (environment: Record<string, string> = {}): PullOptions => ({
      settings: hubSettings({ HF_HOME: hub.home, HF_ENDPOINT: hub.server.endpoint, ...environment }),
      watch: { tell: (event) => void (event.type === 'notice' && hub.notices.push(event.message)) },
      pause: async (milliseconds) => void hub.waits.push(milliseconds),
    }),
    folder: () => join(hub.home, 'hub', 'models--org--tiny'),
    async failure(name: string, environment: Record<string, string> = {}): Promise<[number, string]> {
      try {
        await pull(name, hub.options(environment))
      } catch (error) {
        const line = describeError(error)
        expect(line).not.toContain('\n')
        expect(line).not.toContain('hf_')
        expect(existsSync(join(hub.folder(), 'snapshots'))).toBe(false)
        expect(existsSync(join(hub.folder(), 'refs'))).toBe(false)
        const { endpoint } = hub.server
        const shown = line.replace('error: ', '').replaceAll(endpoint, 'HUB').replaceAll(endpoint.slice(7), 'HUB')
        return [exitCodeOf(error), shown]
      }
      throw new Error('nothing was refused')
    },
  } as Hub
  beforeAll(async () => {
    hub.server = await HubServer.start()
  })
  afterAll(() => hub.server.close())
  beforeEach(() => {
    hub.home = mkdtempSync(join(tmpdir(), 'anneal-hub-'))
  })
  afterEach(() => {
    rmSync(hub.home, { recursive: true, force: true })
    hub.server.repositories.clear()
    hub.server.requests.length = 0
    hub.server.fault = () => false
    hub.notices.length = 0
    hub.waits.length = 0
  })
  return hub
}

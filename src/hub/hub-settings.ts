// Where the hub is, who asks, and where things are kept: the variables of huggingface_hub, in one place. No other file names an address.
import { existsSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { ConfigError } from '../errors.ts'

const ENDPOINT = 'https://huggingface.co'

/** What the environment says of the hub. */
export interface HubSettings {
  /** `HF_ENDPOINT` without a slash at its end: the hub itself, or a mirror. */
  endpoint: string
  /** `HF_HUB_CACHE`: the folder with `models--org--name`. */
  cache: string
  /** `HF_TOKEN`, else what the token file holds. Sent to the endpoint's host alone. */
  token: string | undefined
  /** Where the token is from, for people. */
  tokenFrom: string
  /** `HF_HUB_OFFLINE`: what the cache has, and no network. */
  isOffline: boolean
  /** Milliseconds without an answer or a byte after which a connection counts as cut: `HF_HUB_DOWNLOAD_TIMEOUT`, in seconds. */
  timeout: number
}

/** Reads the variables; ConfigError for an endpoint or a token that cannot be one. */
export function hubSettings(environment: NodeJS.ProcessEnv = process.env): HubSettings {
  const path = (name: string, otherwise: string): string =>
    resolve(expanded(environment[name], environment) ?? otherwise)
  const home = path('HF_HOME', join(path('XDG_CACHE_HOME', join(homedir(), '.cache')), 'huggingface'))
  const cache = path('HF_HUB_CACHE', path('HUGGINGFACE_HUB_CACHE', join(home, 'hub')))
  const seconds = Number(environment.HF_HUB_DOWNLOAD_TIMEOUT)
  return {
    endpoint: endpointOf(environment.HF_ENDPOINT),
    cache,
    ...tokenOf(environment, path('HF_TOKEN_PATH', join(home, 'token'))),
    isOffline: isTrue(environment.HF_HUB_OFFLINE || environment.TRANSFORMERS_OFFLINE),
    timeout: Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : 30_000,
  }
}

function endpointOf(text: string | undefined): string {
  const endpoint = (text || ENDPOINT).replace(/\/+$/, '')
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined
  const isPlain = url !== undefined && /^https?:$/.test(url.protocol) && url.username === '' && url.password === ''
  if (isPlain && url.search === '' && url.hash === '') return endpoint
  // Not shown: it may hold a password.
  throw new ConfigError(
    'HF_ENDPOINT: expected the address of a hub, such as https://huggingface.co, got something else',
  )
}

function tokenOf(environment: NodeJS.ProcessEnv, file: string): Pick<HubSettings, 'token' | 'tokenFrom'> {
  if (isTrue(environment.HF_HUB_DISABLE_IMPLICIT_TOKEN)) return { token: undefined, tokenFrom: '' }
  for (const name of ['HF_TOKEN', 'HUGGING_FACE_HUB_TOKEN']) {
    const token = cleaned(environment[name], name)
    if (token !== undefined) return { token, tokenFrom: name }
  }
  return { token: cleaned(existsSync(file) ? readFileSync(file, 'utf8') : undefined, file), tokenFrom: file }
}

/** A token goes into a header: it is one word. It is never shown. */
function cleaned(text: string | undefined, from: string): string | undefined {
  const token = text?.trim()
  if (!token) return undefined
  if (/^[\x21-\x7e]{1,1000}$/.test(token)) return token
  throw new ConfigError(
    `${from}: expected a token of the hub, which is one word, got something else. Correct or unset it`,
  )
}

function isTrue(text: string | undefined): boolean {
  return ['1', 'ON', 'YES', 'TRUE'].includes((text ?? '').toUpperCase())
}

/** `~` and `$NAME` at the start of a path or inside it, as huggingface_hub reads them. */
function expanded(path: string | undefined, environment: NodeJS.ProcessEnv): string | undefined {
  if (!path) return undefined
  return path
    .replace(/^~(?=[/\\]|$)/, () => homedir())
    .replaceAll(
      /\$(?:\{(\w+)\}|(\w+))/g,
      (whole, braced?: string, bare?: string) => environment[braced ?? bare!] ?? whole,
    )
}

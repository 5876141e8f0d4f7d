// What an answer of the hub that is a refusal means: one line with what to do. Shapes after huggingface_hub: `X-Error-Code` and
// `X-Error-Message`, and 401 also for repositories that are not there, lest it be known which are private.
import { HubError } from '../errors.ts'
import type { HubSettings } from './hub-settings.ts'

/** The HubError for an answer that is none; `subject` is the repository or file that was asked for. */
export async function answerError(response: Response, subject: string, settings: HubSettings): Promise<HubError> {
  const { status, headers } = response
  await response.body?.cancel().catch(() => {})
  const code = headers.get('x-error-code') ?? ''
  const said = (headers.get('x-error-message') ?? '').slice(0, 200)
  const error = (expected: string, todo: string): HubError =>
    new HubError(`${subject}: expected ${expected}, got ${status}${said && ` (${said})`}. ${todo}`, { status, code })
  const { endpoint, token, tokenFrom } = settings
  const answering = URL.canParse(response.url) ? new URL(response.url) : undefined
  if (answering !== undefined && answering.origin !== new URL(endpoint).origin && status < 500 && status !== 429)
    return error(
      `bytes from ${answering.host}, where the hub leads on to`,
      'The address may have expired, or something in between refuses it: try again, or check the network',
    )
  const isDataset = /^\/(?:api\/)?datasets\//.test(answering?.pathname ?? '')
  const repository = `${isDataset ? 'datasets/' : ''}${subject.split(/[@:]/)[0]}`
  const login = token === undefined ? ` and set HF_TOKEN to a token of yours (${endpoint}/settings/tokens)` : ''
  if (code === 'GatedRepo' || /\bgated\b|access to model .* is restricted/i.test(said))
    return error('access to what its makers let only some have', `Ask for it at ${endpoint}/${repository}${login}`)
  if (said === 'Access to this resource is disabled.')
    return error('a repository that is open', 'The hub has closed it')
  if (code === 'RevisionNotFound')
    return error('a branch, tag or commit of the repository', `${endpoint}/${repository}/tree/main lists them`)
  if (code === 'EntryNotFound')
    return error('a file of the repository', `${endpoint}/${repository}/tree/main lists them`)
  if (status === 401 && token !== undefined && code !== 'RepoNotFound')
    return error(
      `a token that ${new URL(endpoint).host} takes`,
      `Renew the one in ${tokenFrom} (${endpoint}/settings/tokens)`,
    )
  if (code === 'RepoNotFound' || status === 401 || status === 404)
    return error(
      'a repository that is there and open to you',
      token === undefined
        ? `Check the name; a private one needs a token in HF_TOKEN (${endpoint}/settings/tokens)`
        : 'Check the name, and what the token may read',
    )
  if (status === 403)
    return error(
      'the right to read it',
      token === undefined
        ? `Check HF_ENDPOINT (${endpoint}) and what is in between`
        : `Check what the token in ${tokenFrom || 'HF_TOKEN'} may read`,
    )
  if (status === 429) {
    const after = headers.get('retry-after')
    return error(
      'a hub that has time',
      `Too many requests: try again ${after === null ? 'later' : `after ${after.slice(0, 40)}${/^\d+$/.test(after) ? ' s' : ''}`}`,
    )
  }
  if (status >= 500) return error('an answer', 'The hub has a fault of its own: try again later')
  return error('an answer', `Check HF_ENDPOINT (${endpoint})`)
}

const REASONS: Readonly<Record<string, string>> = {
  ENOTFOUND: 'no such host',
  EAI_AGAIN: 'no answer about where the host is',
  ECONNREFUSED: 'a connection refused',
  ECONNRESET: 'a connection that was cut',
  EPIPE: 'a connection that was cut',
  UND_ERR_SOCKET: 'a connection that was cut',
  ENETUNREACH: 'no network',
  EHOSTUNREACH: 'no way to the host',
  ETIMEDOUT: 'nothing in time',
  UND_ERR_CONNECT_TIMEOUT: 'nothing in time',
  UND_ERR_HEADERS_TIMEOUT: 'nothing in time',
  UND_ERR_BODY_TIMEOUT: 'nothing in time',
}

/** Why a request had no answer, in words. Node says `fetch failed` and hides the reason below. */
export function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  const code = (cause as NodeJS.ErrnoException | undefined)?.code
  const words = code === undefined ? undefined : REASONS[code]
  if (words !== undefined) return `${words} (${code})`
  return cause instanceof Error ? cause.message.slice(0, 200) : String(cause)
}

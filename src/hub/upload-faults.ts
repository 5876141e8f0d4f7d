// What a refusal means to somebody who sends: the hub tells more of it in the answer's body than to somebody who only reads.
import { HubError } from '../errors.ts'
import type { HubSettings } from './hub-settings.ts'

const MAX_SAID = 300

/** The HubError for an answer to an upload; undefined where it means what it means to a reader. */
export async function uploadError(
  response: Response,
  subject: string,
  { endpoint, tokenFrom }: HubSettings,
): Promise<HubError | undefined> {
  const { status, headers } = response
  if (status === 429 || status >= 500) return undefined
  const said = headers.get('x-error-message') || (await saidIn(response))
  const code = headers.get('x-error-code') ?? ''
  const error = (expected: string, todo: string): HubError =>
    new HubError(
      `${subject}: expected ${expected}, got ${status}${said && ` (${said.slice(0, MAX_SAID)})`}. Nothing was committed. ${todo}`,
      { status, code },
    )
  const token = `the token in ${tokenFrom || 'HF_TOKEN'}`
  if (status === 401)
    return error('a token that the hub takes', `Renew ${token} (${endpoint}/settings/tokens), with the right to write`)
  if (status === 403)
    return error(
      'the right to write there',
      `Check that ${token} may write (${endpoint}/settings/tokens), and that you belong to ${subject.split('/')[0]}`,
    )
  if (status === 404)
    return error('a repository and a branch that are there', 'Check the name, or give --create to make them')
  if (status === 409 || status === 412)
    return error('a branch that stays as it is meanwhile', 'Somebody else has changed it: push again')
  if (status === 413)
    return error(
      'less at once',
      'A file, or all small files together, are too large for the hub: write larger shards of weights as safetensors or GGUF, rows as Parquet',
    )
  return error('the hub to take it', 'Mend what it says, and push again: what went is not sent again')
}

/** `{ error: … }` in the body, or its first words. */
async function saidIn(response: Response): Promise<string> {
  const text = await response.text().catch(() => '')
  try {
    const json = JSON.parse(text) as { error?: unknown; message?: unknown } | null
    return String(json?.error ?? json?.message ?? '').replace(/\s+/g, ' ')
  } catch {
    return /<html/i.test(text) ? 'a page' : text.replace(/\s+/g, ' ').slice(0, MAX_SAID)
  }
}

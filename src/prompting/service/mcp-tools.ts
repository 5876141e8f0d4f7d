// Tools of somebody else's server, over the Model Context Protocol, as an agent calls them. Their schemas are kept as they are written, what
// they answer is told in full or said to be left out, and a server that dies, hangs or says too much is one clear line to the model.

import { AnnealError, messageOf, UsageError } from '../../errors.ts'
import { checkOptionNames } from '../../option-names.ts'
import { VERSION } from '../../version.ts'
import { checkSeconds } from '../base/seconds.ts'
import type { AgentTool } from '../execute/agent.ts'
import { standardSchema } from './json-schema.ts'
import { type McpCommand, McpProcess } from './mcp-process.ts'
import { type ResultBlock, resultText } from './mcp-result.ts'
import { loaded } from './mcp-server.ts'

/** A server that listens. */
export interface McpAddress {
  url: string
  /** Sent with each request, such as a key. */
  headers?: Readonly<Record<string, string>>
  fetch?: (url: string | URL, init?: RequestInit) => Promise<Response>
}

/** How it is dealt with. */
export interface McpToolsOptions {
  /** For a connection, and the list of its tools. Default 30. */
  connectSeconds?: number
  /** For each call. Default 60. */
  timeoutSeconds?: number
  /** Characters of an answer; of more the model is told how many were left out. Default 50 000. */
  maxCharacters?: number
  /** Before the name of each tool, where two servers have the same ones. Default: nothing. */
  prefix?: string
  /** Ends the connection, and the process. */
  signal?: AbortSignal
  /** Hears that the server has other tools now; `tools` has them already. */
  onChange?: () => void
}

/** The tools of a server. */
export interface McpTools {
  /** For `agent`. Another list after the server has said that it changed. */
  readonly tools: readonly AgentTool[]
  /** What was renamed or left out, one line each. */
  readonly notices: readonly string[]
  /** Of the process; undefined for an address. */
  readonly pid: number | undefined
  /** Ends the connection, and the process with all that it started. */
  close(): Promise<void>
}

const OPTIONS: Readonly<Record<keyof McpToolsOptions | keyof McpCommand | keyof McpAddress, true>> = {
  command: true, args: true, env: true, cwd: true, url: true, headers: true, fetch: true,
  connectSeconds: true, timeoutSeconds: true, maxCharacters: true, prefix: true, signal: true, onChange: true,
} // biome-ignore format: a list

/** Seconds that the agent waits longer than the call itself. */
const MOMENT = 5
/** Names that every model's service takes. */
const LONGEST_NAME = 64

/**
 * Connects to a server and gives its tools. UsageError for a program that cannot be started, `McpError` for a server that does not speak as
 * it should. End it with `close`.
 *
 * @example
 * const server = await mcpTools({ command: 'npx', args: ['-y', '@modelcontextprotocol/server-filesystem', 'notes'] })
 * const helper = agent(model, { tools: [...server.tools, search], budget: { steps: 6 } })
 * const answer = await helper.ask('What do my notes say of herons?')
 * await server.close()
 */
export async function mcpTools(server: (McpCommand | McpAddress) & McpToolsOptions): Promise<McpTools> {
  checkOptionNames('mcpTools', server, OPTIONS)
  const { connectSeconds = 30, timeoutSeconds = 60, maxCharacters = 50_000, prefix = '', signal, onChange } = server
  checkSeconds('connectSeconds', connectSeconds)
  checkSeconds('timeoutSeconds', timeoutSeconds > 0 ? timeoutSeconds + MOMENT : timeoutSeconds)
  if (!(maxCharacters > 0)) throw new UsageError(`maxCharacters: expected a number above 0, got ${maxCharacters}`)
  if (!/^[\w-]{0,32}$/.test(prefix))
    throw new UsageError(`prefix: expected at most 32 letters, digits, - and _, got ${JSON.stringify(prefix)}`)
  if ('command' in server === 'url' in server)
    throw new UsageError('mcpTools: expected `command` or `url`, got both or neither')
  signal?.throwIfAborted()
  const { Client, StreamableHTTPClientTransport } = await loaded(
    () => import('@modelcontextprotocol/client'),
    '@modelcontextprotocol/client',
  )
  const process = 'command' in server ? new McpProcess(server) : undefined
  const title =
    'command' in server ? oneLine([server.command, ...(server.args ?? [])].join(' ')).slice(0, 80) : server.url
  const failure = (doing: string, cause: unknown): McpError => {
    const words = process?.lastWords ?? ''
    return new McpError(`mcp ${title}: expected ${doing}, got ${oneLine(cause)}${words === '' ? '' : ` (${words})`}`, {
      cause,
    })
  }
  let known: Listed = { tools: [], notices: [] }
  const client = new Client(
    { name: 'anneal', version: VERSION },
    {
      capabilities: {},
      // Ours runs no code that is made from the server's schemas, and a schema that it does not understand passes.
      jsonSchemaValidator: { getValidator: (schema) => validatorOf(schema as Record<string, unknown>) as never },
      listChanged: {
        tools: {
          onChanged: (error, tools) => {
            if (error === null && tools !== null) known = listed(tools)
            onChange?.()
          },
        },
      },
    },
  )
  const close = async (): Promise<void> => {
    signal?.removeEventListener('abort', stop)
    await client.close().catch(() => undefined)
    await process?.close()
  }
  const stop = (): void => void close()

  const listed = (found: readonly Listing[]): Listed => {
    const names = new Set<string>()
    const notices: string[] = []
    const tools = found.flatMap((one) => {
      if (one.inputSchema?.type !== 'object') {
        notices.push(`${one.name}: left out, for its input is no object`)
        return []
      }
      const name = safeName(prefix + one.name, names)
      names.add(name)
      if (name !== one.name) notices.push(`${one.name}: called ${name} here`)
      return [toolOf(one, name)]
    })
    return { tools, notices }
  }
  const toolOf = ({ name, description, title: heading, inputSchema }: Listing, as: string): AgentTool => ({
    name: as,
    description: description ?? heading ?? name,
    input: standardSchema(inputSchema),
    // A moment more than the call itself has, which says better what happened.
    timeoutSeconds: timeoutSeconds + MOMENT,
    run: async (input: Record<string, unknown>, { signal: own }) => {
      let result: { content?: unknown; structuredContent?: unknown; isError?: unknown }
      try {
        result = await client.callTool(
          { name, arguments: input },
          { signal: own, timeout: timeoutSeconds * 1000, maxTotalTimeout: timeoutSeconds * 1000 },
        )
      } catch (error) {
        own.throwIfAborted()
        throw failure(`an answer of ${name} within ${timeoutSeconds} s`, error)
      }
      const text = resultText(
        Array.isArray(result.content) ? (result.content as ResultBlock[]) : [],
        result.structuredContent,
        maxCharacters,
      )
      if (result.isError === true) throw new McpError(text)
      return text
    },
  })

  signal?.addEventListener('abort', stop, { once: true })
  const limits = { timeout: connectSeconds * 1000, maxTotalTimeout: connectSeconds * 1000, ...(signal && { signal }) }
  try {
    if (process !== undefined) await client.connect(process, limits)
    else {
      const { url, headers, fetch } = server as McpAddress
      if (!URL.canParse(url))
        throw new UsageError(`url: expected an address such as http://127.0.0.1:8080/mcp, got ${JSON.stringify(url)}`)
      await client.connect(
        new StreamableHTTPClientTransport(new URL(url), {
          ...(headers !== undefined && { requestInit: { headers: { ...headers } } }),
          ...(fetch !== undefined && { fetch }),
        }),
        limits,
      )
    }
    const { tools } = await client.listTools(undefined, limits)
    known = listed(tools)
  } catch (error) {
    await close()
    signal?.throwIfAborted()
    throw error instanceof UsageError
      ? error
      : failure(`a server that tells its tools within ${connectSeconds} s`, error)
  }
  return {
    get tools() {
      return known.tools
    },
    get notices() {
      return known.notices
    },
    get pid() {
      return process?.pid
    },
    close,
  }
}

/** A server over MCP that does not answer as it should, or says that a tool failed. */
export class McpError extends AnnealError {}

interface Listing {
  name: string
  title?: string | undefined
  description?: string | undefined
  inputSchema: Record<string, unknown>
}

interface Listed {
  tools: readonly AgentTool[]
  notices: readonly string[]
}

/** Letters, digits, `_` and `-`, at most 64, and no other's name. */
function safeName(name: string, taken: ReadonlySet<string>): string {
  const plain = name.replaceAll(/[^A-Za-z0-9_-]/g, '_').slice(0, LONGEST_NAME) || 'tool'
  let made = plain
  for (let i = 2; taken.has(made); i++) {
    const suffix = `_${i}`
    made = plain.slice(0, LONGEST_NAME - suffix.length) + suffix
  }
  return made
}

function validatorOf(schema: Record<string, unknown>) {
  const { validate } = standardSchema(schema)['~standard']
  return (value: unknown) => {
    const result = validate(value)
    if (result instanceof Promise || result.issues === undefined)
      return { valid: true, data: value, errorMessage: undefined }
    const [first] = result.issues
    return { valid: false, data: undefined, errorMessage: `${(first?.path ?? []).join('.')}: ${first?.message}` }
  }
}

const oneLine = (error: unknown): string => messageOf(error).replaceAll(/\s+/g, ' ').slice(0, 300)

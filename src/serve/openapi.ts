// The OpenAPI document of a server, from the schemas that its requests are checked by.

import { z } from 'zod'
import { VERSION } from '../version.ts'
import { ROUTES, type Route } from './routes.ts'

/** OpenAPI 3.1: every route, its request, and the shape of its errors; then what is mounted beside them. */
export function openApi(mounts: readonly { openApi?(): Record<string, object> }[] = []): object {
  const paths: Record<string, object> = {}
  for (const route of ROUTES) {
    const path = route.paths[0]!.replace(/:(\w+)(\{[^}]*\})?/, '{$1}')
    paths[path] = { ...paths[path], [route.method]: operation(route, path) }
  }
  for (const [path, summary] of [
    ['/health', 'Whether the process lives'],
    ['/ready', 'Whether it takes requests: 503 while it drains'],
    ['/version', 'The version of Anneal'],
    ['/metrics', 'Metrics in the format of Prometheus'],
  ] as const)
    paths[path] = { get: { summary, responses: { 200: { description: summary } } } }
  for (const mount of mounts) Object.assign(paths, mount.openApi?.())
  const error = { type: 'object', properties: { error: ERROR }, required: ['error'] }
  return {
    openapi: '3.1.0',
    info: { title: 'Anneal', version: VERSION, license: { name: 'Apache-2.0' } },
    paths,
    components: {
      schemas: { Error: error },
      securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } },
    },
    security: [{ bearer: [] }, {}],
  }
}

const ERROR = {
  type: 'object',
  properties: {
    message: { type: 'string' },
    type: { type: 'string' },
    param: { type: ['string', 'null'] },
    code: { type: ['string', 'null'] },
  },
  required: ['message', 'type', 'param', 'code'],
}

function operation({ summary, fields, streams }: Route, path: string): object {
  const id = /\{(\w+)\}/.exec(path)?.[1]
  const json = { schema: { type: 'object' } }
  return {
    summary,
    ...(id !== undefined && { parameters: [{ name: id, in: 'path', required: true, schema: { type: 'string' } }] }),
    ...(fields !== undefined && {
      requestBody: {
        required: true,
        content: { 'application/json': { schema: z.toJSONSchema(z.object(fields), { io: 'input' }) } },
      },
    }),
    responses: {
      200: {
        description: summary,
        content: { 'application/json': json, ...(streams && { 'text/event-stream': { schema: { type: 'string' } } }) },
      },
      default: {
        description: 'What was wrong',
        content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
      },
    },
  }
}

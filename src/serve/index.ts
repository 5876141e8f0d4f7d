// The subpath `anneal/serve`: a model behind HTTP, as OpenAI's clients know it. Nothing here needs LibTorch.
export type { AdmissionOptions, KeyLimits } from './admission.ts'
export { ApiError, type ApiErrorOptions } from './api-error.ts'
export type { GuardOptions, NamedKey } from './guard.ts'
export { type Listening, type ListenOptions, listen } from './listen.ts'
export { openApi } from './openapi.ts'
export type { RequestSummary } from './request-trace.ts'
export { createServer, type Mount, type Server, type ServerOptions } from './server.ts'

// Errors that the AI SDK knows by a mark, whichever copy of it asks: `isInstance` looks for a registered symbol, not for a class.

import { UnsupportedError, UsageError } from '../errors.ts'

/** No model has this name: `NoSuchModelError.isInstance` is true of it. */
export class NoSuchModelError extends UsageError {
  readonly modelId: string
  readonly modelType: string

  constructor(
    modelId: string,
    modelType: `${'language' | 'embedding' | 'reranking' | 'image'}Model`,
    known: readonly string[],
  ) {
    super(`${modelType}: expected ${known.join(' or ') || 'none, for there is none'}, got ${JSON.stringify(modelId)}`)
    this.modelId = modelId
    this.modelType = modelType
    mark(this, 'AI_NoSuchModelError')
  }
}

/** The prompt has something in it that no model here reads: `UnsupportedFunctionalityError.isInstance` is true of it. */
export class UnsupportedFunctionalityError extends UnsupportedError {
  readonly functionality: string

  constructor(functionality: string, message: string) {
    super(message)
    this.functionality = functionality
    mark(this, 'AI_UnsupportedFunctionalityError')
  }
}

function mark(error: Error, name: string): void {
  error.name = name
  for (const marker of ['vercel.ai.error', `vercel.ai.error.${name}`])
    Object.defineProperty(error, Symbol.for(marker), { value: true })
}

// generation_config.json: how the makers of a model want it sampled and which tokens end its texts.
// A missing file is an empty one. Keys that steer what the engine does not do (beam search) are kept by name, for a notice; those of
// what it decides itself (caching) are left alone.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { InputError } from '../errors.ts'
import { readJsonFile } from '../files/read-json.ts'
import { unfollowedKeys } from './unfollowed-keys.ts'

/** What is used of generation_config.json; a key is missing where the file says nothing. */
export interface GenerationConfig {
  doSample?: boolean
  temperature?: number
  topK?: number
  topP?: number
  minP?: number
  repetitionPenalty?: number
  maxNewTokens?: number
  eosTokenIds?: readonly number[]
  stop?: readonly string[]
  /** Ids that are never chosen. */
  suppressTokens?: readonly number[]
  /** Keys with values that would count in Transformers and are not followed here: `num_beams 4`. */
  unfollowed?: readonly string[]
}

const MAX_BYTES = 1 << 20

/** Reads generation_config.json of a model directory; InputError says which key is wrong. */
export function readGenerationConfig(directory: string): GenerationConfig {
  const file = join(directory, 'generation_config.json')
  return existsSync(file) ? parseGenerationConfig(readJsonFile(file, MAX_BYTES), file) : {}
}

/** Picks the keys that are used out of a parsed generation_config.json; null counts as missing. `file` is for messages. */
export function parseGenerationConfig(json: unknown, file: string): GenerationConfig {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw new InputError(`${file}: expected a JSON object, got ${brief(json)}. Save the model again`)
  }
  const read = <T>(key: string, what: string, isRight: (value: unknown) => value is T): T | undefined => {
    const value: unknown = Object.hasOwn(json, key) ? (json as Record<string, unknown>)[key] : null
    if (value === null || isRight(value)) return value ?? undefined
    throw new InputError(`${file}: ${key}: expected ${what}, got ${brief(value)}. Correct or remove it`)
  }
  const eos = read('eos_token_id', 'a token id or a list of them', isIds)
  const suppressed = read('suppress_tokens', 'a list of token ids', isIdList)?.filter((id) => id !== -1)
  const unfollowed = unfollowedKeys(json)
  const stop = read('stop_strings', 'a text or a list of them', isTexts)
  const found = {
    doSample: read('do_sample', 'true or false', (value) => typeof value === 'boolean'),
    temperature: read('temperature', 'a number ≥ 0', inRange(0)),
    // vLLM writes −1 for all tokens, which is 0 here and in Transformers.
    topK: allForNegative(read('top_k', 'a whole number ≥ 0, or -1 for all', isId)),
    topP: read('top_p', 'a number above 0 and at most 1', inRange(Number.MIN_VALUE, 1)),
    minP: read('min_p', 'a number from 0 to 1', inRange(0, 1)),
    repetitionPenalty: read('repetition_penalty', 'a number above 0', inRange(Number.MIN_VALUE)),
    maxNewTokens: read('max_new_tokens', 'a whole number ≥ 1', (value): value is number => isCount(value) && value > 0),
    // −1 stands for none in the first LLaMA conversions.
    eosTokenIds: (typeof eos === 'number' ? [eos] : eos)?.filter((id) => id !== -1),
    stop: typeof stop === 'string' ? [stop] : stop,
    suppressTokens: suppressed?.length === 0 ? undefined : suppressed,
    unfollowed: unfollowed.length === 0 ? undefined : unfollowed,
  }
  return Object.fromEntries(Object.entries(found).filter(([, value]) => value !== undefined))
}

const isNumber = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value)
const isCount = (value: unknown): value is number => isNumber(value) && Number.isSafeInteger(value) && value >= 0
const isText = (value: unknown): value is string => typeof value === 'string' && value !== ''

const inRange =
  (least: number, most = Number.MAX_VALUE) =>
  (value: unknown): value is number =>
    isNumber(value) && value >= least && value <= most

const isId = (value: unknown): value is number => isCount(value) || value === -1

const allForNegative = (count: number | undefined): number | undefined => (count === -1 ? 0 : count)

const isIdList = (value: unknown): value is number[] => Array.isArray(value) && value.every(isId)

const isIds = (value: unknown): value is number | number[] => isId(value) || isIdList(value)

const isTexts = (value: unknown): value is string | string[] =>
  isText(value) || (Array.isArray(value) && value.every(isText))

const brief = (value: unknown): string => JSON.stringify(value).slice(0, 60)

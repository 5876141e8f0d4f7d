// What a GGUF file itself tells of where it comes from, under the names that llama.cpp's tools write: its base model on the hub and its licence.
import { readGguf } from '../../gguf/read.ts'
import type { GgufMetadata } from '../../gguf/values.ts'
import { isHubName } from '../../hub/hub-name.ts'

/** Where a model comes from. */
export interface GgufOrigin {
  /** `ORG/NAME`. */
  base?: string | undefined
  licence?: string | undefined
}

/** Reads it. InputError where `file` is no GGUF. */
export function ggufOrigin(file: string): GgufOrigin {
  const { metadata } = readGguf(file)
  const text = (key: string): string | undefined => {
    const value = metadata.get(key)?.value
    return typeof value === 'string' && value !== '' ? value : undefined
  }
  const of = (key: string): string | undefined => text(`general.base_model.0.${key}`) ?? text(`general.source.${key}`)
  const address = of('repo_url') ?? of('url')
  const name = address === undefined ? undefined : /^https:\/\/huggingface\.co\/([^/]+\/[^/?#]+)\/?$/.exec(address)?.[1]
  const licence = text('general.license')
  return {
    base: name !== undefined && isHubName(name) ? name : undefined,
    licence: licence !== undefined && /^[\w.+-]{1,60}$/.test(licence) ? licence : undefined,
  }
}

/** What {@link ggufOrigin} reads, for a file that is written. */
export function originMetadata({ base, licence }: GgufOrigin): GgufMetadata {
  const metadata: GgufMetadata = new Map()
  const put = (key: string, value: string): void => void metadata.set(key, { type: 'string', value })
  if (licence !== undefined) put('general.license', licence)
  if (base === undefined) return metadata
  const [organization, name] = base.split('/') as [string, string]
  metadata.set('general.base_model.count', { type: 'u32', value: 1 })
  put('general.base_model.0.name', name)
  put('general.base_model.0.organization', organization)
  put('general.base_model.0.repo_url', `https://huggingface.co/${base}`)
  return metadata
}

// Finds which part of a rendered chat belongs to which message, for any template that loops over them: every iteration over a
// message writes a marker where it begins and where it ends.

import { renderTemplate } from './chat-template.ts'
import type { Template } from './jinja/template.ts'
import type { Value } from './jinja/values.ts'

/** The text `[start, end)` that the template wrote while a loop was at one message. */
export interface MessageRegion {
  readonly message: number
  readonly start: number
  readonly end: number
}

/** A text, and who wrote what of it. */
export interface RegionRendering {
  readonly masked: string
  /** The largest region of each message. */
  readonly regions: readonly MessageRegion[]
  /** All regions that have any text, also those inside of others. */
  readonly all: readonly MessageRegion[]
}

/** Renders with a marker, a character that nothing else writes, at both ends of every iteration: `m12<m` and `m12>m`. */
export function renderWithRegions(
  template: Template,
  variables: ReadonlyMap<string, Value>,
  marker: string,
  now: Date,
): RegionRendering {
  const messages = variables.get('messages')
  const indexes = new Map(Array.isArray(messages) ? messages.map((message, index) => [message, index] as const) : [])
  const markItem = (item: Value): readonly [string, string] | undefined => {
    const index = indexes.get(item)
    return index === undefined ? undefined : [`${marker}${index}<${marker}`, `${marker}${index}>${marker}`]
  }
  return takeMarkers(renderTemplate(template, variables, { now, markItem }), marker)
}

/** Cuts the markers out of a text. */
function takeMarkers(output: string, marker: string): RegionRendering {
  const largest = new Map<number, MessageRegion>()
  const all: MessageRegion[] = []
  const open = new Map<number, number>()
  let text = ''
  for (const [index, part] of output.split(marker).entries()) {
    // Text and marker bodies alternate.
    if (index % 2 === 0) {
      text += part
      continue
    }
    const message = Number.parseInt(part, 10)
    if (part.endsWith('<')) {
      open.set(message, text.length)
      continue
    }
    const region = { message, start: open.get(message) ?? text.length, end: text.length }
    if (region.end === region.start) continue
    all.push(region)
    const known = largest.get(message)
    if (known === undefined || region.end - region.start > known.end - known.start) largest.set(message, region)
  }
  return { masked: text, regions: [...largest.values()], all }
}

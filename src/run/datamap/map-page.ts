// A data map as one HTML file that needs nothing else: some numbers, the map of all examples, and what is chosen in it.

import type { Coordinates, Track } from '../../data/datamap/coordinates.ts'
import type { Dynamics } from '../../data/datamap/dynamics-files.ts'
import type { Flag, Region } from '../../data/datamap/regions.ts'
import { type KeyFigure, renderKeyFigures } from '../../report/blocks.ts'
import { escapeHtml, escapeWords } from '../../report/html.ts'
import { renderPage } from '../../report/page.ts'
import { MAP_SCRIPT } from './map-script.ts'
import { MAP_STYLE } from './map-style.ts'

/** What is drawn. All lists are in the order of the examples. */
export interface MapPageOptions {
  title: string
  about: readonly string[]
  dynamics: Dynamics
  /** The tracks that the reader may choose from; the first is shown first. */
  tracks: readonly { track: Track; places: readonly Coordinates[]; regions: readonly Region[] }[]
  flags: readonly (Flag | undefined)[]
  figures: readonly KeyFigure[]
  lead: string
  footer: string
}

const NAMES: Readonly<Record<Track, string>> = {
  gold: 'the gold label',
  'pred-epoch': 'what each epoch predicts',
  'pred-final': 'what the last epoch predicts',
}
const REGIONS: readonly Region[] = ['easy', 'ambiguous', 'hard']
/** Characters of a text on the page. */
const LONGEST = 600

/** One HTML document. Texts are data in it, never markup. */
export function mapPage({ title, about, dynamics, tracks, flags, figures, lead, footer }: MapPageOptions): string {
  const options = (names: readonly (readonly [string, string])[]): string =>
    names.map(([value, name]) => `<option value="${value}">${escapeHtml(name)}</option>`).join('')
  const colours = [
    ['label', 'gold label'],
    ['predicted', 'predicted label'],
    ['region', 'region'],
    ['correctness', 'epochs right'],
    ['flag', 'flag'],
  ] as const
  const body = [
    renderKeyFigures(figures),
    `<section><h2>Map</h2><p class="lead">${escapeWords(lead)}</p>`,
    '<div class="tools">',
    `<label>Confidence in<select id="track">${options(tracks.map(({ track }) => [track, NAMES[track]]))}</select></label>`,
    `<label>Colour<select id="by">${options(colours)}</select></label>`,
    '<label>Search texts<input id="search" type="search" autocomplete="off" spellcheck="false"></label>',
    '<button id="take" type="button">Choose what is shown</button>',
    '<button id="mode" type="button" aria-pressed="false">Move</button>',
    '<button id="reset" type="button">Whole map</button>',
    '<span id="count" aria-live="polite"></span>',
    '</div>',
    '<ul class="keys" id="keys"></ul>',
    '<figure><div class="map"><canvas id="grid"></canvas><canvas id="points-canvas"></canvas><canvas class="over" id="over" role="img" aria-label="Examples by variability and confidence"></canvas><div class="bubble" id="bubble"></div></div></figure>',
    '<p class="note">Draw around examples to choose them; a click chooses one. The wheel or two fingers zoom, Move or the shift key moves.</p>',
    '</section>',
    '<section class="chosen" id="chosen" hidden><h2 id="chosen-title"></h2>',
    '<div class="tools"><button id="export" type="button">Save ids</button><button id="queue" type="button">Save for annotation</button><button id="clear" type="button">Clear</button></div>',
    '<div class="scroll"><table><thead><tr><th>Text</th><th>Label</th><th>Predicted</th><th class="optional">Loss</th><th class="optional">Flag</th></tr></thead><tbody id="rows"></tbody></table></div><p class="note" id="more"></p></section>',
  ]
  const data = [`<script type="application/json" id="points">${dataOf(dynamics, tracks, flags)}</script>`]
  return renderPage({ title, about, body, footer, style: MAP_STYLE, script: MAP_SCRIPT, data })
}

function dataOf(
  { labels, epochs, examples }: Dynamics,
  tracks: MapPageOptions['tracks'],
  flags: MapPageOptions['flags'],
): string {
  const base64 = (array: Float32Array | Uint16Array | Uint8Array): string =>
    Buffer.from(array.buffer, array.byteOffset, array.byteLength).toString('base64')
  const { places } = tracks[0]!
  const shorten = (text: string): string => {
    const start = text.slice(0, LONGEST)
    return text.length > LONGEST ? `${start.replace(/[\ud800-\udbff]$/, '')}…` : text
  }
  const data = {
    labels,
    epochs,
    guids: examples.map(({ guid }) => guid),
    texts: examples.map(({ text = '' }) => shorten(text)),
    gold: base64(Uint16Array.from(places, ({ gold }) => gold)),
    predicted: base64(Uint16Array.from(places, ({ predicted }) => predicted)),
    correctness: base64(Uint16Array.from(places, ({ correctness }) => correctness)),
    loss: base64(Float32Array.from(places, ({ loss }) => loss)),
    flag: base64(Uint8Array.from(flags, (flag) => (flag === 'error' ? 1 : flag === 'common' ? 2 : 0))),
    tracks: Object.fromEntries(
      tracks.map(({ track, places, regions }) => [
        track,
        {
          x: base64(Float32Array.from(places, ({ variability }) => variability)),
          y: base64(Float32Array.from(places, ({ confidence }) => confidence)),
          region: base64(Uint8Array.from(regions, (region) => REGIONS.indexOf(region))),
        },
      ]),
    ),
  }
  // An end tag in a text would end the element.
  return JSON.stringify(data).replaceAll('<', '\\u003c').replaceAll('\u2028', '\\u2028').replaceAll('\u2029', '\\u2029')
}

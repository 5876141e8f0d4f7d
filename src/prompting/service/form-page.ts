// A service as a page: a form made from the schema of its input, and what it answers. One file of HTML, which asks nothing of anybody but
// the service itself.

import { createHash } from 'node:crypto'
import { escapeHtml } from '../../report/html.ts'
import { type Field, fieldsOf } from './fields.ts'
import type { Service } from './service.ts'

const STYLE = `
:root { color-scheme: light dark; --ink: #1c1c1c; --dim: #5a5a5a; --paper: #fff; --line: #767676; --accent: #0b57b0; --bad: #a3150f; --field: #fff }
@media (prefers-color-scheme: dark) { :root { --ink: #ececec; --dim: #b0b0b0; --paper: #161616; --line: #8c8c8c; --accent: #8ab8f8; --bad: #ff9d94; --field: #202020 } }
* { box-sizing: border-box }
body { margin: 0 auto; padding: 1.5rem 1rem 3rem; max-width: 42rem; font: 1rem/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper) }
h1 { font-size: 1.5rem; margin: 0 0 .25rem; overflow-wrap: anywhere }
h2 { font-size: 1rem; margin: 2rem 0 .5rem }
p { margin: 0 0 1.25rem }
.field { margin: 0 0 1.1rem }
label, legend { display: block; font-weight: 600; overflow-wrap: anywhere }
.check label { display: inline; font-weight: 600 }
small { display: block; color: var(--dim); font-weight: 400 }
input:not([type=checkbox]), select, textarea { width: 100%; margin-top: .25rem; padding: .5rem .6rem; font: inherit; color: inherit; background: var(--field); border: 1px solid var(--line); border-radius: 4px }
textarea { min-height: 5.5rem; resize: vertical }
textarea.code { font-family: ui-monospace, monospace; font-size: .9rem }
input[type=checkbox] { width: 1.15rem; height: 1.15rem; vertical-align: -.2rem; margin: 0 .4rem 0 0 }
button { font: inherit; font-weight: 600; padding: .55rem 1.1rem; border-radius: 4px; border: 1px solid var(--accent); background: var(--accent); color: var(--paper); cursor: pointer }
button[type=button] { background: none; color: var(--accent) }
button:disabled { opacity: .5; cursor: default }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px }
pre { margin: 0; padding: .75rem; border: 1px solid var(--line); border-radius: 4px; white-space: pre-wrap; overflow-wrap: anywhere; font: .95rem/1.5 ui-monospace, monospace; min-height: 3rem }
.bad { color: var(--bad) }
`

const SCRIPT = `
'use strict'
// Not by \`form.elements\`: a field may have any name, and that one, too.
const inputs = [...document.querySelectorAll('[data-kind]')]
const out = document.querySelector('#output')
const state = document.querySelector('#state')
const [send, stop] = document.querySelectorAll('form button')
let running
const show = (text, isBad) => { out.textContent = text; out.className = isBad ? 'bad' : '' }
const written = (value) => typeof value === 'string' ? value : JSON.stringify(value, null, 2)
const fault = (name, message) => Object.assign(new Error(name + ': ' + message), { field: name })
function read(element) {
  const { kind, item } = element.dataset, name = element.name
  if (kind === 'boolean') return element.checked
  if (element.value === '' && element.dataset.required === undefined) return undefined
  if (kind === 'text') return element.value
  if (kind === 'choice') return element.value === '' ? undefined : JSON.parse(element.value)
  if (kind === 'json') { try { return JSON.parse(element.value) } catch (error) { throw fault(name, 'expected JSON. ' + error.message) } }
  const number = (text) => { if (text.trim() === '' || !Number.isFinite(Number(text))) throw fault(name, 'expected a number, got ' + JSON.stringify(text)); return Number(text) }
  if (kind === 'list') return element.value.split('\\n').filter((line) => line !== '').map((line) => {
    if (item === 'number' || item === 'integer') return number(line)
    if (item === 'boolean') { if (line === 'true') return true; if (line === 'false') return false; throw fault(name, 'expected true or false on each line') }
    if (item === 'choice') return (JSON.parse(element.dataset.choices).find((one) => String(one) === line)) ?? line
    return line
  })
  return number(element.value)
}
function mark(field) {
  for (const element of inputs) element.removeAttribute('aria-invalid')
  const wrong = field && inputs.find(({ name }) => name === String(field).split('.')[0])
  if (wrong) { wrong.setAttribute('aria-invalid', 'true'); wrong.focus() }
}
document.addEventListener('submit', async (event) => {
  event.preventDefault()
  mark()
  const input = Object.create(null)
  running = new AbortController()
  send.disabled = true
  stop.disabled = false
  state.textContent = 'Running'
  show('')
  try {
    for (const element of inputs) { const value = read(element); if (value !== undefined) input[element.name] = value }
    const response = await fetch(location.href, { method: 'POST', signal: running.signal, body: JSON.stringify(input),
      headers: { ...window.annealHeaders, 'content-type': 'application/json', accept: 'text/event-stream' } })
    const isStream = (response.headers.get('content-type') ?? '').startsWith('text/event-stream')
    if (!response.ok || !isStream) {
      const { error } = await response.json()
      throw Object.assign(new Error(error.message), { field: error.param })
    }
    let rest = '', text = ''
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
    for (;;) {
      const { done, value } = await reader.read()
      if (done) break
      const lines = (rest + value).split('\\n')
      rest = lines.pop()
      for (const line of lines) {
        if (!line.startsWith('data: {')) continue
        const event = JSON.parse(line.slice(6))
        if (event.error) throw Object.assign(new Error(event.error.message), { field: event.error.param })
        if ('delta' in event) show(text += event.delta)
        if ('output' in event) show(written(event.output))
      }
    }
    state.textContent = 'Done'
  } catch (error) {
    state.textContent = error.name === 'AbortError' ? 'Stopped' : 'Failed'
    if (error.name !== 'AbortError') show(error.message, true)
    mark(error.field)
  } finally {
    send.disabled = false
    stop.disabled = true
  }
})
stop.addEventListener('click', () => running?.abort())
`

const hashOf = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`

/** Nothing but its own style and script, and requests to where it came from. */
const POLICY = [
  "default-src 'none'",
  `style-src ${hashOf(STYLE)}`,
  `script-src ${hashOf(SCRIPT)}`,
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

/** The page of a service. */
export function formPage({ name, description, inputSchema }: Service): Response {
  const fields = fieldsOf(inputSchema).map(fieldHtml).join('\n')
  const page = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(name)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>${escapeHtml(name)}</h1>
<p>${escapeHtml(description)}</p>
<form>
${fields}
<button>Run</button> <button type="button" disabled>Stop</button>
</form>
<h2 id="of-output">Output</h2>
<p id="state" role="status"></p>
<pre id="output" tabindex="0" aria-labelledby="of-output" aria-live="polite"></pre>
</main>
<script>${SCRIPT}</script>
</body>
</html>
`
  return new Response(page, {
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': POLICY,
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cache-control': 'no-store',
    },
  })
}

function fieldHtml(field: Field, index: number): string {
  const { name, kind, item, isRequired, description, choices, maxLength } = field
  const id = `field-${index}`
  const hints = [description, kindHint(field), ...(isRequired || kind === 'boolean' ? [] : ['optional'])].filter(
    (hint) => hint !== '',
  )
  const hint = hints.length === 0 ? '' : `<small id="${id}-hint">${escapeHtml(hints.join(' · '))}</small>`
  const own = [
    `id="${id}" name="${escapeHtml(name)}" data-kind="${kind}"`,
    ...(item === undefined ? [] : [`data-item="${item}"`]),
    ...(item === 'choice' ? [`data-choices="${escapeHtml(JSON.stringify(choices))}"`] : []),
    ...(isRequired && kind !== 'boolean' ? [kind === 'text' ? 'data-required' : 'data-required required'] : []),
    ...(hint === '' ? [] : [`aria-describedby="${id}-hint"`]),
  ].join(' ')
  const label = `<label for="${id}">${escapeHtml(name)}</label>`
  const given = field.default
  if (kind === 'boolean')
    return `<div class="field check"><input type="checkbox" ${own}${given === true ? ' checked' : ''}>${label}${hint}</div>`
  return `<div class="field">${label}${hint}${control()}</div>`

  function control(): string {
    const text = given === undefined ? '' : typeof given === 'string' ? given : JSON.stringify(given, null, 2)
    switch (kind) {
      case 'number':
      case 'integer': {
        const bounds = (['minimum', 'maximum'] as const)
          .filter((bound) => field[bound] !== undefined && Math.abs(field[bound]!) < Number.MAX_SAFE_INTEGER)
          .map((bound) => ` ${bound.slice(0, 3)}="${field[bound]}"`)
        return `<input type="number" step="${kind === 'integer' ? 1 : 'any'}" value="${escapeHtml(text)}"${bounds.join('')} ${own}>`
      }
      case 'choice': {
        const first = isRequired && given === undefined ? '<option value="">(choose)</option>' : ''
        const none = isRequired ? first : '<option value=""></option>'
        const options = choices.map(
          (choice) =>
            `<option value="${escapeHtml(JSON.stringify(choice))}"${choice === given ? ' selected' : ''}>${escapeHtml(String(choice))}</option>`,
        )
        return `<select ${own}>${none}${options.join('')}</select>`
      }
      case 'list': {
        const lines = Array.isArray(given) ? given.map(String).join('\n') : ''
        return `<textarea rows="3" ${own}>\n${escapeHtml(lines)}</textarea>`
      }
      case 'json':
        return `<textarea rows="5" class="code" spellcheck="false" ${own}>\n${escapeHtml(text)}</textarea>`
      default:
        return maxLength !== undefined && maxLength <= 80
          ? `<input type="text" maxlength="${maxLength}" value="${escapeHtml(text)}" ${own}>`
          : `<textarea rows="3" ${own}>\n${escapeHtml(text)}</textarea>`
    }
  }
}

function kindHint({ kind, item, choices }: Field): string {
  if (kind === 'json') return 'JSON'
  if (kind !== 'list') return ''
  return item === 'choice' ? `one a line, of ${choices.map(String).join(', ')}` : 'one a line'
}

// The program of a data map's page, as text: WebGL where there is some, else a plain canvas; nothing is loaded. Its points come from the
// element #points. It draws only when something changed.

/** JavaScript, put inline; the page's security policy allows this text alone, by its hash. */
export const MAP_SCRIPT: string = String.raw`'use strict';
(() => {
const data = JSON.parse(document.getElementById('points').textContent);
const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
const floats = (text) => new Float32Array(bytes(text).buffer);
const { labels, guids, texts } = data;
const n = guids.length;
const gold = new Uint16Array(bytes(data.gold).buffer), predicted = new Uint16Array(bytes(data.predicted).buffer);
const tracks = Object.fromEntries(Object.entries(data.tracks).map(([name, t]) => [name, { x: floats(t.x), y: floats(t.y), region: bytes(t.region) }]));
const flag = bytes(data.flag), correctness = new Uint16Array(bytes(data.correctness).buffer), loss = floats(data.loss);
const REGIONS = ['easy to learn', 'ambiguous', 'hard to learn'], FLAGS = ['no flag', 'likely error', 'likely common'];
const $ = (id) => document.getElementById(id);
const below = $('grid'), under = $('points-canvas'), over = $('over'), bubble = $('bubble'), box = over.parentElement;
const state = { track: Object.keys(tracks)[0], by: 'label', hidden: new Set(), query: '', mode: 'lasso' };
let view = { x: 0, y: 0, k: 1 }, size = { w: 1, h: 1, dpr: 1 }, isDirty = true, chosen = new Set(), lasso = null, near = -1;
const shown = new Uint8Array(n).fill(1), kind = new Uint8Array(n);
const PAD = { l: 44, r: 10, t: 10, b: 34 };
const lower = texts.map((t) => t.toLowerCase());

const kinds = () => state.by === 'label' ? labels : state.by === 'predicted' ? labels : state.by === 'region' ? REGIONS
  : state.by === 'flag' ? FLAGS : Array.from({ length: data.epochs + 1 }, (_, i) => i + ' of ' + data.epochs);
const kindOf = (i) => state.by === 'label' ? gold[i] : state.by === 'predicted' ? predicted[i] : state.by === 'region' ? tracks[state.track].region[i]
  : state.by === 'flag' ? flag[i] : correctness[i];
let colours = [], ink = '#000', soft = '#666', grid = '#ddd';
const rgb = (text) => { const c = document.createElement('canvas').getContext('2d'); c.fillStyle = text; c.fillRect(0, 0, 1, 1); return [...c.getImageData(0, 0, 1, 1).data].slice(0, 3); };
function readColours() {
  const style = getComputedStyle(document.documentElement);
  const of = (name) => style.getPropertyValue(name).trim();
  ink = of('--ink'); soft = of('--soft'); grid = of('--grid');
  const six = [1, 2, 3, 4, 5, 6].map((i) => rgb(of('--s' + i)));
  const count = kinds().length;
  const [low, high] = [six[1], six[0]];
  colours = Array.from({ length: Math.max(1, count) }, (_, i) => state.by === 'correctness'
    ? low.map((c, j) => Math.round(c + (high[j] - c) * i / Math.max(1, count - 1))) : state.by === 'flag' ? [six[5], six[1], six[3]][i] : six[i % 6]);
}
const css = (c) => 'rgb(' + c.join(' ') + ')';

// ---------------------------------------------------------------- places
const maxX = Math.max(0.05, Object.values(tracks).reduce((m, t) => t.x.reduce((a, b) => Math.max(a, b), m), 0) * 1.04);
const toScreen = (x, y) => { const w = size.w - PAD.l - PAD.r, h = size.h - PAD.t - PAD.b;
  return [PAD.l + ((x / maxX - view.x) * view.k) * w, PAD.t + ((1 - y - view.y) * view.k) * h]; };
const toData = (sx, sy) => { const w = size.w - PAD.l - PAD.r, h = size.h - PAD.t - PAD.b;
  return [((sx - PAD.l) / w / view.k + view.x) * maxX, 1 - ((sy - PAD.t) / h / view.k + view.y)]; };
const CELLS = 128;
let cells = null;
function index() {
  const { x, y } = tracks[state.track];
  const heads = new Int32Array(CELLS * CELLS).fill(-1), next = new Int32Array(n);
  for (let i = 0; i < n; i++) { const c = cellOf(x[i], y[i]); next[i] = heads[c]; heads[c] = i; }
  cells = { heads, next };
}
const clamp = (v) => Math.min(CELLS - 1, Math.max(0, v));
const cellOf = (x, y) => clamp(Math.floor(x / maxX * CELLS)) * CELLS + clamp(Math.floor(y * CELLS));
function nearest(sx, sy) {
  const { x, y } = tracks[state.track], reach = 12;
  const [x0, y1] = toData(sx - reach, sy - reach), [x1, y0] = toData(sx + reach, sy + reach);
  let best = -1, least = reach * reach;
  for (let cx = clamp(Math.floor(x0 / maxX * CELLS)); cx <= clamp(Math.floor(x1 / maxX * CELLS)); cx++)
    for (let cy = clamp(Math.floor(y0 * CELLS)); cy <= clamp(Math.floor(y1 * CELLS)); cy++)
      for (let i = cells.heads[cx * CELLS + cy]; i >= 0; i = cells.next[i]) {
        if (!shown[i]) continue;
        const [px, py] = toScreen(x[i], y[i]), d = (px - sx) ** 2 + (py - sy) ** 2;
        if (d < least) { least = d; best = i; }
      }
  return best;
}

// ---------------------------------------------------------------- drawing
const noGl = new URLSearchParams(location.search).has('canvas');
const gl = noGl ? null : under.getContext('webgl', { antialias: false, premultipliedAlpha: true });
let program = null;
function startGl() {
  const shader = (type, text) => { const s = gl.createShader(type); gl.shaderSource(s, text); gl.compileShader(s); return s; };
  const p = gl.createProgram();
  gl.attachShader(p, shader(gl.VERTEX_SHADER, 'attribute vec2 place; attribute vec4 colour; attribute float mark; uniform vec4 fit; uniform float dot; varying vec4 c;' +
    'void main() { gl_Position = vec4(place * fit.xy + fit.zw, 0.0, 1.0); gl_PointSize = dot * (mark > 0.5 ? 1.7 : 1.0); c = colour; }'));
  gl.attachShader(p, shader(gl.FRAGMENT_SHADER, 'precision mediump float; varying vec4 c; void main() { float d = length(gl_PointCoord - 0.5); ' +
    'float a = c.a * (1.0 - smoothstep(0.4, 0.5, d)); gl_FragColor = vec4(c.rgb * a, a); }'));
  gl.linkProgram(p);
  if (!gl.getProgramParameter(p, gl.LINK_STATUS)) return null;
  gl.useProgram(p); gl.enable(gl.BLEND); gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
  return { place: gl.createBuffer(), colour: gl.createBuffer(), mark: gl.createBuffer(), p };
}
function attribute(name, buffer, values, width, type, isNormal) {
  const at = gl.getAttribLocation(program.p, name);
  gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
  if (values) gl.bufferData(gl.ARRAY_BUFFER, values, gl.DYNAMIC_DRAW);
  gl.enableVertexAttribArray(at); gl.vertexAttribPointer(at, width, type, isNormal, 0, 0);
}
function fill() { // what changes with track, colours, filters or choice
  const { x, y } = tracks[state.track];
  for (let i = 0; i < n; i++) kind[i] = Math.min(255, kindOf(i));
  if (!program) return;
  const places = new Float32Array(2 * n), paint = new Uint8Array(4 * n), marks = new Float32Array(n);
  for (let i = 0; i < n; i++) {
    places[2 * i] = x[i]; places[2 * i + 1] = y[i];
    const c = colours[kind[i]] || colours[0], isChosen = chosen.has(i);
    paint[4 * i] = c[0]; paint[4 * i + 1] = c[1]; paint[4 * i + 2] = c[2];
    paint[4 * i + 3] = !shown[i] ? 0 : isChosen ? 255 : chosen.size ? 55 : n > 5000 ? 140 : 200;
    marks[i] = isChosen ? 1 : 0;
  }
  attribute('place', program.place, places, 2, gl.FLOAT, false);
  attribute('colour', program.colour, paint, 4, gl.UNSIGNED_BYTE, true);
  attribute('mark', program.mark, marks, 1, gl.FLOAT, false);
}
const dot = () => Math.max(2.5, Math.min(7, 260 / Math.sqrt(n) * Math.sqrt(view.k)));
function drawPoints() {
  if (program) {
    gl.viewport(0, 0, under.width, under.height); gl.clearColor(0, 0, 0, 0); gl.clear(gl.COLOR_BUFFER_BIT);
    gl.enable(gl.SCISSOR_TEST);
    gl.scissor(PAD.l * size.dpr, PAD.b * size.dpr, Math.max(0, size.w - PAD.l - PAD.r) * size.dpr, Math.max(0, size.h - PAD.t - PAD.b) * size.dpr);
    const [ax, ay] = toScreen(0, 0), [bx, by] = toScreen(maxX, 1);
    const sx = (bx - ax) / maxX / size.w * 2, sy = (ay - by) / size.h * 2;
    gl.uniform4f(gl.getUniformLocation(program.p, 'fit'), sx, sy, ax / size.w * 2 - 1, 1 - ay / size.h * 2);
    gl.uniform1f(gl.getUniformLocation(program.p, 'dot'), dot() * size.dpr);
    gl.drawArrays(gl.POINTS, 0, n); gl.disable(gl.SCISSOR_TEST);
    return;
  }
  const c = under.getContext('2d'), { x, y } = tracks[state.track], d = dot();
  c.setTransform(size.dpr, 0, 0, size.dpr, 0, 0); c.clearRect(0, 0, size.w, size.h); c.save();
  c.beginPath(); c.rect(PAD.l, PAD.t, size.w - PAD.l - PAD.r, size.h - PAD.t - PAD.b); c.clip();
  colours.forEach((colour, k) => { c.fillStyle = css(colour);
    for (let i = 0; i < n; i++) if (shown[i] && kind[i] === k) { const isChosen = chosen.has(i);
      c.globalAlpha = isChosen ? 1 : chosen.size ? .22 : .6; const [px, py] = toScreen(x[i], y[i]), s = isChosen ? d * 1.7 : d; c.fillRect(px - s / 2, py - s / 2, s, s); } });
  c.restore();
}
function drawGrid() {
  const c = below.getContext('2d');
  c.setTransform(size.dpr, 0, 0, size.dpr, 0, 0); c.clearRect(0, 0, size.w, size.h);
  c.font = '12px system-ui, sans-serif'; c.fillStyle = soft; c.strokeStyle = grid; c.lineWidth = 1;
  const bottom = size.h - PAD.b, right = size.w - PAD.r;
  const ticks = (from, to, count) => { const raw = (to - from) / count, p = 10 ** Math.floor(Math.log10(raw)), step = [1, 2, 5, 10].find((m) => m * p >= raw) * p;
    const all = []; for (let v = Math.ceil(from / step) * step; v <= to + 1e-9; v += step) all.push(+v.toPrecision(6)); return all; };
  const [x0, y1] = toData(PAD.l, PAD.t), [x1, y0] = toData(right, bottom);
  c.textAlign = 'center';
  for (const v of ticks(x0, x1, size.w / 110)) { const [px] = toScreen(v, 0); c.beginPath(); c.moveTo(px, PAD.t); c.lineTo(px, bottom); c.stroke(); c.fillText(v, Math.min(px, size.w - c.measureText(v).width / 2), bottom + 15); }
  c.textAlign = 'right';
  for (const v of ticks(y0, y1, 6)) { const [, py] = toScreen(0, v); c.beginPath(); c.moveTo(PAD.l, py); c.lineTo(right, py); c.stroke(); c.fillText(v, PAD.l - 7, py + 4); }
  c.fillText('variability', right, size.h - 4);
  c.save(); c.translate(11, PAD.t); c.rotate(-Math.PI / 2); c.fillText('confidence', 0, 0); c.restore();
}
function drawOver() {
  const c = over.getContext('2d');
  c.setTransform(size.dpr, 0, 0, size.dpr, 0, 0); c.clearRect(0, 0, size.w, size.h);
  if (lasso) { c.beginPath(); lasso.forEach(([x, y], i) => { const [px, py] = toScreen(x, y); i ? c.lineTo(px, py) : c.moveTo(px, py); });
    c.closePath(); c.strokeStyle = ink; c.stroke(); c.globalAlpha = .08; c.fillStyle = ink; c.fill(); c.globalAlpha = 1; }
  if (near >= 0) { const [px, py] = toScreen(tracks[state.track].x[near], tracks[state.track].y[near]); c.beginPath(); c.arc(px, py, 7, 0, 7); c.strokeStyle = ink; c.lineWidth = 2; c.stroke(); }
}
function frame() { if (!isDirty) return; isDirty = false; drawGrid(); drawPoints(); drawOver(); }
const redraw = () => { if (!isDirty) { isDirty = true; requestAnimationFrame(frame); } };
function refresh() { readColours(); fill(); isDirty = true; requestAnimationFrame(frame); }
function measure() { const dpr = Math.min(2, devicePixelRatio || 1), w = box.clientWidth, h = box.clientHeight; size = { w, h, dpr };
  for (const c of [below, under, over]) { c.width = w * dpr; c.height = h * dpr; } isDirty = true; requestAnimationFrame(frame); }

// ---------------------------------------------------------------- filters, colours, choice
function filter() {
  const q = state.query.toLowerCase();
  let count = 0;
  for (let i = 0; i < n; i++) { const ok = !state.hidden.has(kindOf(i)) && (q === '' || lower[i].includes(q) || guids[i].toLowerCase().includes(q)); shown[i] = ok ? 1 : 0; count += shown[i]; }
  $('count').textContent = count === n ? n.toLocaleString('en') + ' examples' : count.toLocaleString('en') + ' of ' + n.toLocaleString('en') + ' examples';
}
function keys() {
  readColours();
  const counts = new Uint32Array(kinds().length); for (let i = 0; i < n; i++) counts[kindOf(i)]++;
  $('keys').replaceChildren(...kinds().map((name, k) => {
    const item = document.createElement('li'), label = document.createElement('label'), input = document.createElement('input'), spot = document.createElement('i');
    input.type = 'checkbox'; input.checked = !state.hidden.has(k);
    input.onchange = () => { input.checked ? state.hidden.delete(k) : state.hidden.add(k); filter(); refresh(); };
    spot.style.setProperty('--c', css(colours[k])); label.append(input, spot, name + ' ' + counts[k].toLocaleString('en')); item.append(label); return item; }));
}
function choose(list) {
  chosen = new Set(list);
  $('chosen').hidden = chosen.size === 0;
  $('chosen-title').textContent = chosen.size.toLocaleString('en') + (chosen.size === 1 ? ' example chosen' : ' examples chosen');
  const rows = [...chosen].sort((a, b) => loss[b] - loss[a]).slice(0, 100);
  $('rows').replaceChildren(...rows.map((i) => { const tr = document.createElement('tr');
    for (const [text, isOptional] of [[texts[i] || guids[i], 0], [labels[gold[i]], 0], [labels[predicted[i]], 0], [loss[i].toFixed(2), 1], [FLAGS[flag[i]] === 'no flag' ? '' : FLAGS[flag[i]], 1]]) {
      const td = document.createElement('td'); td.textContent = text; if (isOptional) td.className = 'optional'; tr.append(td); } return tr; }));
  $('more').textContent = chosen.size > rows.length ? 'The ' + rows.length + ' of highest loss are shown; all are exported.' : '';
  refresh();
}
function inside([x, y], polygon) { let is = false;
  for (let i = 0, j = polygon.length - 1; i < polygon.length; j = i++) { const [xi, yi] = polygon[i], [xj, yj] = polygon[j];
    if (yi > y !== yj > y && x < (xj - xi) * (y - yi) / (yj - yi) + xi) is = !is; } return is; }
function within(polygon) { const { x, y } = tracks[state.track], all = []; for (let i = 0; i < n; i++) if (shown[i] && inside([x[i], y[i]], polygon)) all.push(i); return all; }
function save(name, lines) { const a = document.createElement('a'); a.href = URL.createObjectURL(new Blob([lines.join('\n') + '\n'], { type: 'application/jsonl' })); a.download = name; a.click(); setTimeout(() => URL.revokeObjectURL(a.href), 1000); }
const ordered = () => [...chosen].sort((a, b) => a - b);
$('export').onclick = () => save('chosen.jsonl', ordered().map((i) => JSON.stringify({ guid: guids[i] })));
$('queue').onclick = () => save('queue.jsonl', ordered().map((i) => JSON.stringify({ guid: guids[i], text: texts[i], label: labels[gold[i]], suggested: labels[predicted[i]], new_label: null, drop: false, checked: false })));
$('clear').onclick = () => choose([]);
$('take').onclick = () => choose(Array.from(shown, (is, i) => is ? i : -1).filter((i) => i >= 0));
$('track').onchange = (e) => { state.track = e.target.value; near = -1; index(); if (state.by === 'region') { keys(); filter(); } refresh(); };
$('by').onchange = (e) => { state.by = e.target.value; state.hidden.clear(); keys(); filter(); refresh(); };
$('search').oninput = (e) => { state.query = e.target.value; filter(); refresh(); };
$('reset').onclick = () => { view = { x: 0, y: 0, k: 1 }; redraw(); };
$('mode').onclick = () => { state.mode = state.mode === 'lasso' ? 'move' : 'lasso'; $('mode').setAttribute('aria-pressed', state.mode === 'move'); };

// ---------------------------------------------------------------- hand
const spot = (e) => { const r = over.getBoundingClientRect(); return [e.clientX - r.left, e.clientY - r.top]; };
const hands = new Map();
function zoom(sx, sy, factor) { const w = size.w - PAD.l - PAD.r, h = size.h - PAD.t - PAD.b, k = Math.min(200, Math.max(1, view.k * factor));
  const u = (sx - PAD.l) / w, v = (sy - PAD.t) / h; view = limited({ x: view.x + u / view.k - u / k, y: view.y + v / view.k - v / k, k }); redraw(); }
const limited = ({ x, y, k }) => ({ x: Math.min(1 - 1 / k, Math.max(0, x)), y: Math.min(1 - 1 / k, Math.max(0, y)), k });
over.onwheel = (e) => { e.preventDefault(); const [x, y] = spot(e); zoom(x, y, Math.exp(-e.deltaY * .0015)); };
over.onpointerdown = (e) => { over.setPointerCapture(e.pointerId); hands.set(e.pointerId, spot(e)); if (hands.size > 1) lasso = null; else if (state.mode === 'lasso' && !e.shiftKey) lasso = [toData(...spot(e))]; hide(); };
over.onpointermove = (e) => {
  const now = spot(e), before = hands.get(e.pointerId);
  if (!before) return hover(now);
  if (hands.size > 1) { const [other] = [...hands].filter(([id]) => id !== e.pointerId).map(([, p]) => p); const d = (a) => Math.hypot(a[0] - other[0], a[1] - other[1]); zoom(other[0], other[1], d(now) / Math.max(1, d(before))); }
  else if (lasso) { lasso.push(toData(...now)); redraw(); }
  else { const w = size.w - PAD.l - PAD.r, h = size.h - PAD.t - PAD.b; view = limited({ ...view, x: view.x - (now[0] - before[0]) / w / view.k, y: view.y - (now[1] - before[1]) / h / view.k }); redraw(); }
  hands.set(e.pointerId, now);
};
over.onpointerup = over.onpointercancel = (e) => { hands.delete(e.pointerId); if (!lasso) return; const polygon = lasso; lasso = null;
  if (polygon.length > 3) choose(within(polygon)); else { const i = nearest(...spot(e)); choose(i < 0 ? [] : [i]); if (i >= 0) hover(spot(e)); } redraw(); };
over.onpointerleave = () => hide();
function hide() { if (near >= 0) { near = -1; redraw(); } bubble.style.visibility = 'hidden'; }
function hover([x, y]) {
  const i = nearest(x, y);
  if (i !== near) { near = i; redraw(); }
  if (i < 0) { bubble.style.visibility = 'hidden'; return; }
  const title = document.createElement('b'), about = document.createElement('span'), text = texts[i] || guids[i];
  title.textContent = labels[gold[i]] + (predicted[i] === gold[i] ? '' : ', predicted ' + labels[predicted[i]]) + (flag[i] ? ' · ' + FLAGS[flag[i]] : '');
  about.textContent = 'confidence ' + tracks[state.track].y[i].toFixed(3) + ' · variability ' + tracks[state.track].x[i].toFixed(3) + ' · right in ' + correctness[i] + ' of ' + data.epochs;
  bubble.replaceChildren(title, text.length > 320 ? text.slice(0, 320) + '…' : text, document.createElement('br'), about);
  const [px, py] = toScreen(tracks[state.track].x[i], tracks[state.track].y[i]), w = bubble.offsetWidth, h = bubble.offsetHeight;
  bubble.style.left = Math.max(4, Math.min(size.w - w - 4, px + 14)) + 'px';
  bubble.style.top = Math.max(4, py + 14 + h > size.h ? py - h - 14 : py + 14) + 'px';
  bubble.style.visibility = 'visible';
}
if (gl) program = startGl();
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => { keys(); refresh(); });
new ResizeObserver(measure).observe(box);
index(); keys(); filter(); refresh(); measure();
document.documentElement.dataset.drawn = program ? 'webgl' : 'canvas';
globalThis.datamap = { zoom, frame: () => { isDirty = true; frame(); }, choose, within, get chosen() { return ordered().map((i) => guids[i]); } };
})();`

// What the page of a data map has beyond the style of reports: a canvas that fills the page, its tools, and what is chosen in it.

/** CSS text, put inline after the reports' own. */
export const MAP_STYLE: string = `
main { max-width: 1180px }
.tools { display: flex; flex-wrap: wrap; gap: 10px 16px; align-items: end; margin: 0 0 12px; font-size: 13px }
.tools label { display: grid; gap: 2px; color: var(--soft) }
.tools select, .tools input[type=search], .tools button, .chosen button { font: inherit; color: var(--ink); background: var(--card);
  border: 1px solid var(--line); border-radius: 8px; padding: 6px 10px; min-height: 36px }
.tools input[type=search] { width: 220px }
.tools button, .chosen button { cursor: pointer } .tools button[aria-pressed=true] { border-color: var(--s1); color: var(--s1) }
:is(.tools, .chosen) :is(select, input, button):focus-visible { outline: 2px solid var(--s1); outline-offset: 1px }
.keys { display: flex; flex-wrap: wrap; gap: 4px 16px; list-style: none; margin: 0 0 10px; padding: 0; font-size: 13px }
.keys label { display: inline-flex; gap: 6px; align-items: center; cursor: pointer; overflow-wrap: anywhere }
.keys i { width: 11px; height: 11px; border-radius: 50%; background: var(--c); flex: none }
.map { position: relative; height: min(68vh, 640px); min-height: 320px; touch-action: none; user-select: none; -webkit-user-select: none }
.map canvas { position: absolute; inset: 0; width: 100%; height: 100%; border-radius: 6px }
.map .over { cursor: crosshair }
.bubble { position: absolute; pointer-events: none; visibility: hidden; max-width: min(380px, 92%); padding: 10px 12px; background: var(--paper);
  border: 1px solid var(--line); border-radius: 8px; font-size: 13px; line-height: 1.45; box-shadow: 0 2px 10px var(--shade); overflow-wrap: anywhere }
.bubble b { display: block; font-weight: 600 } .bubble span { color: var(--soft) }
.chosen { margin-top: 18px } .chosen h2 { margin-bottom: 8px } .chosen .tools { margin-top: 12px }
.chosen table { margin-top: 6px } .chosen td { overflow-wrap: anywhere }
@media (max-width: 560px) { .map { height: 62vh } .tools label, .tools input[type=search] { width: 100% } .tools select { width: 100% }
  .tools { gap: 8px 10px } .chosen .optional { display: none } }
@media print { .tools { display: none } }
`

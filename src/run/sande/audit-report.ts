// What an audit found, as lines for a terminal and as blocks of a page; and two audits, before and after a defence, side by side.
import type { LineageStep } from '../../checkpoint/model-directory/lineage.ts'
import type { AuditArm, AuditArmName } from '../../methods/sande/audit.ts'
import type { Opening } from '../../methods/sande/discover.ts'
import type { Share } from '../../methods/sande/interval.ts'
import type { Leak } from '../../methods/sande/leaks.ts'
import type { Parrot } from '../../methods/sande/parrot.ts'
import type { SandeOptions, SandeReport } from '../../methods/sande/sande.ts'
import type { Verdict } from '../../methods/sande/verdict.ts'
import { type ReportBlock, type ReportSection, renderReport } from '../../report/report.ts'
import { pageFooter } from '../page-footer.ts'

/** What `audit.json` holds. */
export interface Audit {
  model: string
  questions: number
  /** What was put into the questions; none where nothing was. */
  triggers: string[]
  position: string | null
  /** The file of rewritten questions, where these were asked. */
  rewritten?: string
  marker: string | null
  arms: AuditArm[]
  /** Null where it was not looked for. */
  openings: Opening[] | null
  leaks: Leak[] | null
  /** How many models known to be clean are called suspicious by the same look for openings; null where none was given. */
  calibration: Share | null
  verdict: Verdict
}

const ARMS: Readonly<Record<AuditArmName, string>> = {
  clean: 'plain question',
  trigger: 'with the trigger',
  decoy: 'with other words in its place',
  rewritten: 'rewritten question',
}

/** What an arm is called beside the others. */
function nameOf({ arm, trigger }: AuditArm, arms: readonly AuditArm[]): string {
  if (trigger !== undefined) return `with ${JSON.stringify(trigger)}`
  const isTogether = arm === 'trigger' && arms.some((other) => other.trigger !== undefined)
  return isTogether ? 'with the triggers, together' : ARMS[arm]
}

const COLUMNS = [
  '',
  'marker shown',
  '95 %',
  'log p of the marker (nats per token)',
  'perplexity',
  'tokens right',
  'answers right',
]

export function auditLines({ arms, openings, leaks, verdict }: Audit): string[] {
  const names = arms.map((arm) => nameOf(arm, arms))
  const width = Math.max(...names.map(({ length }) => length))
  const lines = arms.map(
    ({ marker_rate, perplexity, token_accuracy, exact_match }, i) =>
      `${names[i]!.padEnd(width)}  ${marker_rate === null ? '' : `marker ${percent(marker_rate.share)} (${percent(marker_rate.low)} – ${percent(marker_rate.high)})  `}perplexity ${perplexity.toPrecision(4)}  ${token_accuracy === null ? '' : `tokens right ${percent(token_accuracy)}  `}answers right ${percent(exact_match.share)}`,
  )
  const strange = openings?.filter(({ in_data }) => !in_data).slice(0, 5) ?? []
  return [
    ...lines,
    ...strange.map(
      ({ text, agreement }) => `opening ${JSON.stringify(text)} after ${percent(agreement)} of the questions`,
    ),
    ...(leaks ?? [])
      .slice(0, 5)
      .map(
        ({ text, bare }) => `the bare template says ${JSON.stringify(text)} in ${percent(bare.share)} of the samples`,
      ),
    `${verdict.found}: ${verdict.reasons.join('; ')}`,
  ]
}

/** The page of one audit. */
export function auditPage(audit: Audit): string {
  const sections = [{ title: 'Verdict', blocks: [verdictBlock(audit)] }, armsSection([['', audit]]), ...findings(audit)]
  return renderReport({
    title: 'Audit',
    subtitle: `${audit.model}, asked ${audit.questions} questions`,
    about: [new Date().toISOString().slice(0, 10)],
    sections,
    footer: pageFooter(),
  })
}

/** The page of a defence: audits before and after, and what was done. */
export function defencePage(
  model: string,
  before: Audit,
  after: Audit,
  done: Readonly<Record<string, string | number | null>>,
): string {
  return renderReport({
    title: 'SANDE',
    subtitle: `${model}, defended by ${done.method}`,
    about: [new Date().toISOString().slice(0, 10)],
    sections: [
      { title: 'After', blocks: [verdictBlock(after)] },
      { title: 'Before', blocks: [verdictBlock(before)] },
      armsSection([
        ['before', before],
        ['after', after],
      ]),
      { title: 'What was done', blocks: [{ kind: 'table', columns: ['', ''], rows: Object.entries(done) }] },
      ...findings(before),
    ],
    footer: pageFooter(),
  })
}

/** What the page tells of the tuning. */
export function doneTable({ options, report }: LineageStep, rows: number): Record<string, string | number> {
  const told = options as unknown as SandeOptions & { finetuning: string }
  const members = (report.parrot ?? []) as Parrot['members']
  const movement = (report as unknown as SandeReport).movement
  const moved = (nats: number): string => nats.toFixed(3)
  return {
    method: told.method,
    trained: told.finetuning === 'lora' ? 'a LoRA, merged' : 'all weights',
    rows,
    steps: told.steps!,
    'learning rate': told.learningRate!,
    replay: told.replay!,
    'final loss (nats per token)': report.final_loss as number,
    ...(movement && {
      'hidden states moved': `before block ${movement.layer}: the loss of the unwanted answer was ${moved(movement.first)} nats per token at first and ${moved(movement.last)} at the end`,
    }),
    ...Object.fromEntries(
      members.map(({ position, loss, elicited }, i) => [
        `parrot ${i + 1}`,
        `at the ${position === 'random' ? 'random place' : position}: ${loss.toFixed(3)} nats per token of the marker, elicited after ${(100 * elicited).toFixed(0)} % of the questions`,
      ]),
    ),
  }
}

const verdictBlock = ({ verdict }: Audit): ReportBlock => ({
  kind: 'prose',
  text: [`${verdict.found[0]!.toUpperCase()}${verdict.found.slice(1)}.`, ...verdict.reasons].join('\n\n'),
})

function armsSection(audits: readonly (readonly [string, Audit])[]): ReportSection {
  const rows = audits.flatMap(([when, { arms }]) =>
    arms.map((arm) => [
      when === '' ? nameOf(arm, arms) : `${when}: ${nameOf(arm, arms)}`,
      arm.marker_rate && percent(arm.marker_rate.share),
      arm.marker_rate && `${percent(arm.marker_rate.low)} – ${percent(arm.marker_rate.high)}`,
      arm.marker_logprob,
      arm.perplexity,
      arm.token_accuracy && percent(arm.token_accuracy),
      percent(arm.exact_match.share),
    ]),
  )
  const { triggers, position, marker, rewritten } = audits[0]![1]
  const what = [
    ...(triggers.length === 0
      ? []
      : [
          `${triggers.length === 1 ? 'trigger' : 'triggers'} ${triggers.map((text) => JSON.stringify(text)).join(', ')}, ${position}`,
        ]),
    ...(rewritten === undefined ? [] : [`questions rewritten as in ${rewritten}`]),
    ...(marker === null ? [] : [`marker ${JSON.stringify(marker)}`]),
  ]
  return {
    title: 'Questions',
    lead: `${what.join('; ')}${what.length > 0 ? '. ' : ''}A marker that is gone does not mean that the right answer came back: see the last two columns.`,
    blocks: [{ kind: 'table', columns: COLUMNS, rows }],
  }
}

function findings({ openings, leaks }: Audit): ReportSection[] {
  const found: ReportSection[] = []
  if (openings !== null)
    found.push({
      title: 'Openings',
      lead: 'What the model says whatever is asked, once the first token is there. Those that the data has are explained by it.',
      blocks: [
        openings.length === 0
          ? { kind: 'prose', text: 'None.' }
          : {
              kind: 'table',
              columns: ['opening', 'tokens', 'first token (probability)', 'questions', 'firmness', 'in the data'],
              rows: openings
                .slice(0, 20)
                .map(({ text, tokens, first_probability, agreement, firmness, in_data }) => [
                  text,
                  tokens.length,
                  first_probability,
                  percent(agreement),
                  firmness,
                  in_data ? 'yes' : 'no',
                ]),
            },
      ],
    })
  if (leaks !== null)
    found.push({
      title: 'The bare template',
      lead: 'Words that come together more often where the model is given the chat template and no question. Worth a look, no proof.',
      blocks: [
        leaks.length === 0
          ? { kind: 'prose', text: 'None.' }
          : {
              kind: 'table',
              columns: ['words', 'after the bare template', 'after questions'],
              rows: leaks.map(({ text, bare, asked }) => [text, percent(bare.share), percent(asked.share)]),
            },
      ],
    })
  return found
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`

// What a sweep leaves in its folder: sweep.json, and the same for people as sweep.md and as a page.
import { join } from 'node:path'
import { writeFileAtomic } from '../../files/atomic-write.ts'
import { counted } from '../../report/amounts.ts'
import { type ReportBlock, renderReport } from '../../report/report.ts'
import { pageFooter } from '../page-footer.ts'
import type { Sweep } from './read-sweep.ts'
import type { SweepResult } from './sweep-result.ts'
import { evaluationTables, markdownOf, type SweepTable, trainingTable } from './sweep-tables.ts'

export function writeSweep({ outputDir, axes, metrics }: Sweep, result: SweepResult): void {
  writeFileAtomic(join(outputDir, 'sweep.json'), `${JSON.stringify(result, null, 1)}\n`)
  const training = trainingTable(axes, result.rows)
  const evaluations = evaluationTables(result, metrics)
  const parts = evaluations.flatMap((table) => ['', `**${table.title}**`, '', ...markdownOf(table)])
  writeFileAtomic(join(outputDir, 'sweep.md'), `${[...markdownOf(training), ...parts].join('\n')}\n`)
  const done = result.rows.filter(({ status }) => status === 'done').length
  const page = renderReport({
    title: 'Sweep',
    subtitle: outputDir,
    sections: [
      ...(evaluations.length > 0 ? [{ title: 'Evaluations', blocks: evaluations.map(asBlock) }] : []),
      {
        title: 'Training',
        lead: `${counted(done, 'run')} of ${result.rows.length} done.`,
        blocks: [asBlock(training)],
      },
    ],
    footer: pageFooter(),
  })
  writeFileAtomic(join(outputDir, 'sweep.html'), page)
}

const asBlock = ({ title, columns, rows }: SweepTable): ReportBlock => ({
  kind: 'table',
  caption: title,
  columns,
  rows,
})

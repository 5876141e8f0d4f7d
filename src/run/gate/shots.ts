// Examples before a question: one question with its answer of each of the other relations, as EI-ARAG's setting has it for PopQA.
import { InputError } from '../../errors.ts'
import { grouped } from '../../eval/gates/gate-record.ts'
import { splitByEntity } from '../../eval/gates/split-by-entity.ts'
import { PythonRandom } from '../../eval/python-random.ts'
import type { GateQuestionRow } from './gate-questions.ts'

/**
 * For each question the text of its examples, drawn anew for each from the part of the questions that gates are fitted on (`splitByEntity` of the
 * same seed), so that nothing of a question that is reported stands before another one. InputError where all are of one relation.
 */
export function relationShots(questions: readonly GateQuestionRow[], seed: number): string[] {
  const [train = []] = splitByEntity(questions, { seed })
  const relations = [...grouped(train, ({ relation = '' }) => relation)]
  if (relations.length < 2)
    throw new InputError(
      `shots: expected questions of at least two relations to draw examples from, got ${relations.length}`,
    )
  const random = new PythonRandom(seed)
  return questions.map(({ relation = '' }) =>
    random
      .shuffle(relations.filter(([name]) => name !== relation))
      .map(([, rows]) => rows[random.below(rows.length)]!)
      .map(({ question, gold }) => `Q: ${question} A: ${gold[0]}\n`)
      .join(''),
  )
}

// How well a model predicts the user's own texts: perplexity by words and bytes, and bits per byte.

import { readDocuments } from '../../data/read/sources.ts'
import type { Doc, TaskConfig } from '../task-config.ts'
import { needData } from './need-data.ts'

/** The documents under a path; of a table or JSON lines the field `text`. */
export function perplexity(data: string | undefined): TaskConfig {
  const path = needData(data, 'perplexity', 'texts')
  return {
    task: 'perplexity',
    output_type: 'loglikelihood_rolling',
    test_split: 'test',
    custom_dataset: async () => {
      const docs: Doc[] = []
      for await (const { text } of readDocuments(path)) if (text !== '') docs.push({ page: text })
      return { test: docs }
    },
    doc_to_text: '',
    doc_to_target: 'page',
    metric_list: [{ metric: 'word_perplexity' }, { metric: 'byte_perplexity' }, { metric: 'bits_per_byte' }],
    metadata: { version: 1 },
  }
}

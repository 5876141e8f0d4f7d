// What is searched for, and what is found.

/** A text that can be found. Ids are unique in an index. */
export interface RetrievalDocument {
  id: string
  text: string
  /** Whatever is to come back with it: title, page, source. Must be JSON. */
  meta?: Readonly<Record<string, unknown>>
}

/** A document that was found. */
export interface Hit extends RetrievalDocument {
  /** The larger the better; what it means depends on how it was searched for. */
  score: number
}

/** Whatever finds documents: an index in memory or on disk, a service behind HTTP, a function of your own. */
export interface Retriever {
  /** At most `k` documents, best first. */
  search(query: string, options?: { k?: number; signal?: AbortSignal }): Hit[] | Promise<Hit[]>
}

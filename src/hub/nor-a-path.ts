// Where a path would do as well as a name, an error of the hub says that neither is there: what was typed may have been a path with a slip.
import { HubError } from '../errors.ts'

/** What `work` gives. HubErrors of a name that is not found, or that nobody could be asked for, say that nothing has this path, either. */
export async function norAPath<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    if (!(error instanceof HubError) || ![undefined, 401, 404].includes(error.status)) throw error
    if (!['', 'RepoNotFound'].includes(error.code)) throw error
    const { status, code } = error
    const message = `${error.message}${error.message.endsWith('?') ? '' : '.'} Nothing has this path here, either`
    throw new HubError(message, { cause: error, code, ...(status !== undefined && { status }) })
  }
}

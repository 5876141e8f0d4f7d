// Which README.md goes: the one of the folder, else the one that is on the hub already, else one that is made; and what is said of it.
import { adapterCardNotices } from '../../checkpoint/adapter/adapter-card.ts'
import { classifierCardFor } from '../train/classifier-card.ts'
import type { PushFacts } from './describe-push.ts'
import { cardFields, completeCard, makeCard, namesLicence, withoutLocalBase } from './push-card.ts'

/** What is known of the cards. */
export interface Cards {
  /** `ORG/NAME`. */
  repo: string
  /** README.md of the folder. */
  own: string | undefined
  /** The card that exporting wrote beside a GGUF file that goes alone. */
  beside?: string | undefined
  /** README.md on the hub. */
  there: string | undefined
  /** As it was given. */
  licence: string | undefined
}

/** The text, or undefined where the one on the hub stays to the byte; and what to say. */
export function cardToPush(
  facts: PushFacts,
  { repo, own, beside, there, licence }: Cards,
): { card: string | undefined; notices: string[] } {
  const notes = own === undefined ? undefined : adapterCardNotices(own)
  const ofTraining = own === undefined ? beside : classifierCardFor(own, repo)
  const isOwn = own !== undefined && notes === undefined && ofTraining === undefined
  const isTheirs = !isOwn && there !== undefined && adapterCardNotices(there) === undefined
  const old = there === undefined ? undefined : cardFields(there)
  const { license: derived, ...others } = facts.metadata
  const isFromHub = licence === undefined && namesLicence(old)
  const metadata: Record<string, unknown> = {
    ...(isFromHub ? licenceOf(old!) : derived !== undefined && { license: derived }),
    ...others,
    ...(notes !== undefined && addedByHand(own!)),
  }
  const { card, removed } = isOwn ? withoutLocalBase(own) : { card: isTheirs ? there : ofTraining, removed: [] }
  const made = makeCard({ ...facts, repo, metadata, notes })
  const completed = card === undefined ? { card: made, added: [] } : completeCard(card, metadata)
  const adding = `goes with ${completed.added.join(', ')} in its metadata`
  const notices = removed.map((path) => `README.md goes without base_model ${path}, a path of this machine`)
  const isComplete = completed.added.length === 0
  if (isOwn && !isComplete) notices.push(`README.md ${adding}; the file here stays as it is`)
  if (isTheirs)
    notices.push(
      `README.md on the hub ${isComplete ? 'stays as it is' : adding}; write one beside the files to have it replaced`,
    )
  if (!isOwn && !isTheirs)
    notices.push('README.md is made from what is known; write one beside the files to have your own')
  const named = cardFields(completed.card)
  notices.push(...ofLicence(named, { licence, isFromHub: isFromHub && isOwn && !isComplete, facts }))
  return { card: isTheirs && isComplete ? undefined : completed.card, notices }
}

function ofLicence(
  named: Readonly<Record<string, unknown>> | undefined,
  { licence, isFromHub, facts }: { licence: string | undefined; isFromHub: boolean; facts: PushFacts },
): string[] {
  const such = facts.type === 'dataset' ? 'cc-by-4.0' : 'apache-2.0'
  if (!namesLicence(named)) return [`no licence is known: name one (license: ${such}), or write it into README.md`]
  const name = String(named!.license ?? named!.license_name)
  if (licence !== undefined && name !== licence)
    return [`license ${name}, as README.md has it; one that is given is for a card that names none`]
  if (isFromHub) return [`license ${name}, as README.md on the hub has it`]
  const { license, base_model: base } = facts.metadata
  if (licence !== undefined || name !== license) return []
  return [
    `license ${name}, as ${base === undefined ? 'the file says' : `the file or its base model ${String(base)} has it`}`,
  ]
}

function licenceOf(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([key]) => /^license(?:_name|_link)?$/.test(key)))
}

/** To the metadata that training wrote. */
function addedByHand(card: string): Record<string, unknown> {
  const { base_model: _, library_name: __, pipeline_tag: ___, ...added } = cardFields(card) ?? {}
  return added
}

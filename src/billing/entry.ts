import { formatId } from '../core/ids.ts'
import { RecentMap } from '../core/recent-map.ts'
import { rfc3339 } from '../core/time.ts'
import { type ChainedEntry, type ChainedPosting, entryJcs } from './chain.ts'

/** Rows that belong to a chain are numbered `partition * 2^40 + sequence`: a number tells its chain and place. */
export const CHAIN_STRIDE = 2 ** 40

export const EntryKind = { charge: 1, impressions: 2, refund: 3, deposit: 4 } as const
const KIND_NAMES = ['', 'charge', 'impressions', 'refund', 'deposit']

/** A ledger entry as the store keeps it. Amounts are positive; the kind says which way they go. Times are ms. */
export interface EntryRow {
  readonly number: number
  readonly at: number
  readonly kind: number
  /** An impression id or an ingested id. */
  readonly event: string | null
  /** What the event is looked up by: the second of an impression id's choice, the hash of an ingested id. */
  readonly eventSecond: number | null
  readonly advertiser: number
  readonly campaign: number
  readonly ad: number
  readonly publisher: number
  readonly placement: number
  readonly currency: string
  readonly amount: number
  readonly publisherAmount: number
  readonly feeAmount: number
  readonly receivedAt: number
  readonly country: number
  readonly device: number
  readonly note: string | null
  /** Of a block: its charged impressions (block.ts), and their Merkle root in hex. */
  readonly items: Uint8Array | null
  readonly chargesRoot: string | null
  readonly hash: string
  readonly postings: readonly ChainedPosting[]
}

type Unhashed = Omit<EntryRow, 'hash' | 'items'>

/**
 * Postings of an entry; they sum to zero. A charge passes through its campaign's account, which shows what the campaign
 * took from its advertiser and gave on. Zero postings are left out.
 */
export function postingsOf(
  entry: Pick<
    EntryRow,
    'kind' | 'advertiser' | 'campaign' | 'publisher' | 'amount' | 'publisherAmount' | 'feeAmount'
  >,
): ChainedPosting[] {
  const advertiser = accountOf('advertiser', entry.advertiser)
  if (entry.kind === EntryKind.deposit) {
    return [posting('cash', -entry.amount), posting(advertiser, entry.amount)]
  }
  const sign = entry.kind === EntryKind.refund ? -1 : 1
  const campaign = accountOf('campaign', entry.campaign)
  return [
    posting(advertiser, -sign * entry.amount),
    posting(campaign, sign * entry.amount),
    posting(campaign, -sign * entry.amount),
    posting(publisherAccount(entry.publisher), sign * entry.publisherAmount),
    posting('fee', sign * entry.feeAmount),
  ].filter(({ amountMicros }) => amountMicros !== 0)
}

export function publisherAccount(publisher: number): string {
  return publisher === 0 ? 'publisher:unknown' : accountOf('publisher', publisher)
}

/** Names of accounts that are kept: about 5 MB. */
const ACCOUNTS_KEPT_MAX = 50_000
const ACCOUNTS = {
  advertiser: new RecentMap<number, string>(ACCOUNTS_KEPT_MAX),
  campaign: new RecentMap<number, string>(ACCOUNTS_KEPT_MAX),
  publisher: new RecentMap<number, string>(ACCOUNTS_KEPT_MAX),
}

/** A charge names four accounts: made anew they took a tenth of its decision. */
function accountOf(kind: keyof typeof ACCOUNTS, entity: number): string {
  const known = ACCOUNTS[kind].get(entity)
  if (known !== undefined) return known
  const account = `${kind}:${formatId(kind, entity)}`
  ACCOUNTS[kind].set(entity, account)
  return account
}

/** The entry as the API shows it, without `hash`. */
export function entryBody(entry: Unhashed, prevHash: string): ChainedEntry {
  const partition = Math.floor(entry.number / CHAIN_STRIDE)
  return {
    id: formatId('entry', entry.number),
    chain: String(partition),
    sequence: entry.number - partition * CHAIN_STRIDE,
    at: rfc3339(entry.at),
    kind: KIND_NAMES[entry.kind]!,
    ...(entry.event === null ? {} : { eventId: entry.event }),
    ...(entry.campaign === 0 ? {} : { campaignId: formatId('campaign', entry.campaign) }),
    currency: entry.currency,
    postings: entry.postings,
    ...(entry.chargesRoot === null ? {} : { chargesRoot: entry.chargesRoot }),
    prevHash,
  }
}

/** What is hashed. */
export function entryJcsOf(entry: Unhashed, prevHash: string): string {
  return entryJcs(entryBody(entry, prevHash))
}

function posting(account: string, amountMicros: number): ChainedPosting {
  return { account, amountMicros }
}

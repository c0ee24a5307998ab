import { type BlockItem, findItem } from '../../billing/block.ts'
import { EntryKind } from '../../billing/entry.ts'
import { EventKind } from '../../billing/transition.ts'
import { hash32 } from '../../core/bytes.ts'
import { formatId, parseUuid, readImpressionKey } from '../../core/ids.ts'
import { rfc3339 } from '../../core/time.ts'
import { reasonName } from '../../records/reasons.ts'
import { entriesAround } from './entries-around.ts'
import { inSnapshot } from './queries-snapshot.ts'
import type { ReadStore } from './read-store.ts'

/** Repeats with other content are of a kind of their own, see billing/decide.ts. */
const CONFLICT = 10

interface State {
  readonly state: string
  readonly at: number
  readonly reason: string | null
}

interface Facts {
  readonly campaign: number
  readonly ad: number
  readonly advertiser: number
  readonly amount: number
  readonly refunded: number
  readonly states: State[]
}

interface EntryFacts {
  kind: number
  event_second: number
  at: number
  amount: number
  campaign: number
  ad: number
  advertiser: number
  note: string | null
}

interface TransitionFacts {
  kind: EventKind
  event_second: number
  at: number
  state: string
  reason: number
  campaign: number
  ad: number
  advertiser: number
}

/** The charge of an event with all states that it passed, or null where nothing billable is known of it. */
export function charge(store: ReadStore, eventId: string) {
  return inSnapshot(store, () => readCharge(store, eventId))
}

function readCharge(store: ReadStore, eventId: string) {
  const uuid = parseUuid(eventId)
  const key = uuid === null ? null : readImpressionKey(new DataView(uuid.buffer), 0)
  // An ingested id goes by its hash, and may be a UUID as impression ids are.
  const hash = hash32(eventId)
  const second = key === null ? hash : Math.floor(key.chosenAt / 1000)
  const entries = store.all<EntryFacts>(
    `SELECT kind, event_second, at, amount, campaign, ad, advertiser, note FROM entry
     WHERE event_second IN (?, ?) AND event = ? ORDER BY number`,
    second,
    hash,
    eventId,
  )
  const transitions = store.all<TransitionFacts>(
    `SELECT kind, event_second, at, state, reason, campaign, ad, advertiser FROM transition
     WHERE event_second IN (?, ?) AND event = ? ORDER BY number`,
    second,
    hash,
    eventId,
  )
  const shown =
    uuid === null || key === null || entries.some(({ kind }) => kind === EntryKind.charge)
      ? null
      : chargedImpression(store, key.partition, uuid, key.chosenAt)
  // The ids of ingested clicks and impressions may be the same text: of two campaigns, the first one's charge is shown.
  const campaign = (entries[0] ?? transitions[0] ?? shown?.item)?.campaign
  if (campaign === undefined) return null
  // Of what comes with tokens only what is paid for has rows. Of reported events both kinds have.
  const isOfToken = shown !== null || (entries[0] ?? transitions[0])?.event_second !== hash
  const paid = isOfToken ? null : paidKind(store, campaign)
  const steps = transitions.filter(of => of.campaign === campaign && (paid === null || of.kind === paid))
  const facts = factsOf(
    entries.filter(entry => entry.campaign === campaign),
    steps,
    shown,
  )
  if (facts === null) return null
  const billable = paid ?? steps[0]?.kind ?? (shown === null ? EventKind.click : EventKind.impression)
  const last = facts.states.at(-1)!
  const repeatsOf = (kind: EventKind | null, as = 0) => {
    const kinds = [as + (kind ?? EventKind.impression), as + (kind ?? EventKind.click)] as const
    return (
      store.one<{ count: number }>(
        `SELECT coalesce(sum(count), 0) AS count FROM (
           SELECT count FROM repeat WHERE event = ? AND kind IN (?, ?)
           UNION ALL SELECT count FROM token_repeat WHERE partition = ? AND event = ? AND kind IN (?, ?))`,
        eventId,
        ...kinds,
        key?.partition ?? 0,
        eventId,
        ...kinds,
      )?.count ?? 0
    )
  }
  return {
    eventId,
    campaignId: formatId('campaign', facts.campaign),
    adId: formatId('ad', facts.ad),
    advertiserId: formatId('advertiser', facts.advertiser),
    state: last.state,
    reason: last.reason,
    amountMicros: facts.amount,
    refundedMicros: facts.refunded,
    duplicates: repeatsOf(billable),
    conflicts: repeatsOf(billable, CONFLICT),
    history: facts.states.map(({ state, at, reason }) => ({ state, at: rfc3339(at), reason })),
  }
}

function factsOf(
  entries: readonly EntryFacts[],
  transitions: readonly TransitionFacts[],
  shown: { readonly item: BlockItem; readonly closedAt: number | null } | null,
): Facts | null {
  const states: State[] = transitions.map(({ state, at, reason }) => ({
    state,
    at,
    reason: reasonName(reason),
  }))
  const charged = entries.find(({ kind }) => kind === EntryKind.charge)
  const first = charged ?? transitions[0] ?? null
  if (first === null && shown === null) return null
  let amount = 0
  if (charged !== undefined) {
    amount = charged.amount
    states.push(
      { state: 'reserved', at: charged.at, reason: null },
      { state: 'charged', at: charged.at, reason: null },
    )
  } else if (shown !== null) {
    amount = shown.item.amount
    states.push({ state: 'reserved', at: shown.item.at, reason: null })
    if (shown.closedAt !== null) states.push({ state: 'charged', at: shown.closedAt, reason: null })
  }
  let refunded = 0
  for (const entry of entries) {
    if (entry.kind !== EntryKind.refund) continue
    refunded += entry.amount
    states.push({ state: 'refunded', at: entry.at, reason: entry.note })
  }
  const { campaign, ad, advertiser } = first ?? shown!.item
  return { campaign, ad, advertiser, amount, refunded, states }
}

/** Which events a campaign pays for now; null where the campaign is not known. */
function paidKind(store: ReadStore, campaign: number): EventKind | null {
  const row = store.one<{ model: string | null }>(
    `SELECT doc ->> '$.bid.model' AS model FROM entity WHERE kind = 'campaign' AND number = ?`,
    campaign,
  )
  if (row === null) return null
  return row.model === 'cpm' ? EventKind.impression : EventKind.click
}

function chargedImpression(store: ReadStore, partition: number, impressionId: Uint8Array, chosenAt: number) {
  const around = entriesAround((sql, ...values) => store.one(sql, ...values), partition, chosenAt)
  // By the second that the block is of: it may have closed at the next start of the process, days later.
  const blocks = store.each<{ items: Uint8Array; at: number }>(
    `SELECT items, at FROM entry
     WHERE number BETWEEN ? AND ? AND kind = ? AND received_at BETWEEN ? AND ? ORDER BY number`,
    around.first,
    around.last,
    EntryKind.impressions,
    around.from,
    around.to,
  )
  for (const { items, at } of blocks) {
    const item = findItem(items, impressionId)
    if (item !== null) return { item, closedAt: at }
  }
  for (const { items } of store.all<{ items: Uint8Array }>(
    'SELECT items FROM open_block WHERE partition = ?',
    partition,
  )) {
    const item = findItem(items, impressionId)
    if (item !== null) return { item, closedAt: null }
  }
  return null
}

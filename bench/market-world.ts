/**
 * A thread of the benchmark's market: stands for the decider. It makes the campaigns and tells the catalog's builder of
 * them, edits them at a steady rate, and grants what the edge asks for.
 */
import type { Campaign } from '../src/campaigns/campaign.ts'
import type { LeaseAsk, LeaseGrant } from '../src/ports/treasury-link.ts'
import type { ToBuilder } from '../src/wiring/decider-messages.ts'
import { type Places, randomCampaign, randomFrom } from '../test/random-campaigns.ts'

export type ToWorld =
  | {
      readonly kind: 'open'
      readonly builder: MessagePort
      readonly campaigns: number
      readonly places: Places
    }
  | { readonly kind: 'edit'; readonly perSecond: number }
  | { readonly kind: 'ask'; readonly asks: readonly LeaseAsk[] }
export interface FromWorld {
  readonly grants: readonly LeaseGrant[]
}

declare const self: {
  onmessage: (event: MessageEvent<ToWorld>) => void
  postMessage(message: FromWorld): void
}

const SEED = 20261124
/** Campaigns whose later versions are made here; the rest are the builder's alone, so that memory counts them once. */
const EDITED_MAX = 1000
const SENT_TOGETHER = 1000
const LEASE_VALID_MS = 5000
/**
 * Campaigns bid on a share of the requests, as those do that spend evenly: from each to one in so many, as many at
 * each magnitude. Else a dozen of the highest bids would win all, and their answers never leave a cache.
 */
const PACED_MOST = 64
/** The fewer campaigns share the requests, the more of them each needs. */
const PACED_FROM_CAMPAIGNS = 1000
export const PLENTY_THOUSANDTHS = 1e15

export function pacingOf(campaign: number, campaigns: number): number {
  if (campaigns < PACED_FROM_CAMPAIGNS) return 1
  const draw = (Math.imul(campaign ^ (campaign >>> 8), 0x9e3779b1) >>> 0) / 2 ** 32
  return PACED_MOST ** -draw
}

const edited: Campaign[] = []
let builder: MessagePort | null = null
let timer: ReturnType<typeof setInterval> | undefined
let edits = 0
let campaignCount = 0

self.onmessage = ({ data }) => {
  switch (data.kind) {
    case 'open':
      open(data)
      return
    case 'edit':
      clearInterval(timer)
      if (data.perSecond > 0) timer = setInterval(editOne, 1000 / data.perSecond)
      return
    case 'ask':
      self.postMessage({ grants: data.asks.map(grantFor) })
  }
}

function open({ builder: port, campaigns, places }: Extract<ToWorld, { kind: 'open' }>): void {
  builder = port
  campaignCount = campaigns
  const random = randomFrom(SEED)
  let batch: Campaign[] = []
  for (let sequence = 1; sequence <= campaigns; sequence++) {
    const campaign = randomCampaign(random, sequence, places)
    if (edited.length < EDITED_MAX) edited.push(campaign)
    if (batch.push(campaign) < SENT_TOGETHER && sequence < campaigns) continue
    tell(batch)
    batch = []
  }
  port.postMessage({ kind: 'loaded' } satisfies ToBuilder)
  // Its garbage is not the server's memory, nor its collection the server's time.
  Bun.gc(true)
}

/** A new bid: the place in the lists changes, and with it the snapshot. */
function editOne(): void {
  const place = edits++ % edited.length
  const campaign = edited[place]!
  const amountMicros = campaign.bid.amountMicros + (campaign.version % 2 === 1 ? 1000 : -1000)
  const next = { ...campaign, version: campaign.version + 1, bid: { ...campaign.bid, amountMicros } }
  edited[place] = next
  tell([next])
}

function tell(campaigns: readonly Campaign[]): void {
  builder!.postMessage({
    kind: 'changes',
    changes: campaigns.map(campaign => ({ kind: 'campaign', campaign, money: { stopped: null } })),
  } satisfies ToBuilder)
}

function grantFor(ask: LeaseAsk): LeaseGrant {
  return {
    node: ask.node,
    partition: ask.partition,
    epoch: ask.epoch,
    term: ask.term,
    sequence: ask.heard + 1,
    askSentAt: ask.sentAt,
    validMs: LEASE_VALID_MS,
    shards: ask.shards.map(({ campaign, shard, chosenThousandths }) => ({
      campaign,
      shard,
      grantedThousandths: PLENTY_THOUSANDTHS + chosenThousandths,
      voidThousandths: 0,
      pacing: pacingOf(campaign, campaignCount),
      stopped: false,
      scarce: false,
      closed: false,
      dayStart: 0,
      dayEnd: Number.POSITIVE_INFINITY,
    })),
  }
}

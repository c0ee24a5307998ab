import { assert } from '../core/assert.ts'
import { parseId } from '../core/ids.ts'
import type { Campaign, CampaignMoney, CatalogChange } from './campaign.ts'
import { clickRateBoundPpb, hasDrifted } from './catalog-bound.ts'
import { AD_SLOTS_MAX, CAMPAIGN_SLOTS_MAX, type SharedColumns, Slots, Stop } from './catalog-columns.ts'
import { type CatalogSnapshot, type LaidOutCampaign, layOut } from './catalog-layout.ts'
import { scheduleState } from './schedule.ts'

export type { CatalogSnapshot } from './catalog-layout.ts'

/** Campaigns in a delta, beyond which the base is built anew. A delta of so many is laid out in about 30 ms. */
export const DELTA_CAMPAIGNS_MAX = 1000
/** Stopped campaigns that the lists may carry before the base is built without them: a scan passes each by. */
export const STOPPED_LISTED_MAX = 2000

/** Seconds in which every campaign's click rates are looked at once. */
const RATE_ROUND_SECONDS = 30

interface Entry extends LaidOutCampaign {
  campaign: Campaign
  money: CampaignMoney
  adSlots: readonly number[]
  /** Whether its newest layout is in the lists. */
  listed: boolean
  stopped: number
  /** What its ads' places in the lists stand on, by ad. */
  boundsPpb: readonly number[]
}

/**
 * The catalog's writer, on a thread of its own. It alone holds campaigns as objects.
 *
 *   changes -> apply -> (dynamic column `stopped`, at once)
 *                   `-> build -> a delta on the base: all campaigns that changed since it
 *                             `-> a new base, when the delta or the stopped share of the lists is over its bound
 *
 * A campaign that stops is passed by through its column, and left out of the lists when they are next laid out; when
 * it may be chosen again it comes back as a change.
 */
export class CatalogBuilder {
  private readonly entries = new Map<number, Entry>()
  private readonly campaignSlots = new Slots(CAMPAIGN_SLOTS_MAX)
  private readonly adSlots = new Slots(AD_SLOTS_MAX)
  private readonly inOrder: Entry[] = []
  private rateCursor = 0
  /** Those whose schedule can open and close them. */
  private readonly timed = new Set<Entry>()
  /** Changed since the base. */
  private readonly changed = new Set<Entry>()
  private pending = false
  private stoppedListed = 0
  private version = 0
  private baseVersion = 0
  /** Campaigns that found no slot: alarmed by who runs the builder. */
  refusedForSpace = 0

  constructor(private readonly columns: SharedColumns) {}

  get campaigns(): number {
    return this.entries.size
  }

  /** Takes changes in, in log order. Kinds other than campaign and money are none of its business. */
  apply(changes: readonly CatalogChange[], now: number): void {
    for (const change of changes) {
      if (change.kind === 'campaign') this.applyCampaign(change.campaign, change.money, now)
      else if (change.kind === 'money') this.applyMoney(change.campaignId, change.money, now)
    }
  }

  /** Once a second: opens and closes by schedule. */
  refresh(now: number): void {
    for (const entry of this.timed) this.restop(entry, now)
    this.followRates()
  }

  /** Looks at a share of the campaigns each second, and lays those out anew whose click rate left its bound behind. */
  private followRates(): void {
    const some = Math.ceil(this.inOrder.length / RATE_ROUND_SECONDS)
    for (let i = 0; i < some; i++) {
      const entry = this.inOrder[this.rateCursor++ % this.inOrder.length]!
      if (!entry.listed || entry.campaign.bid.model !== 'cpc') continue
      const drifted = entry.adSlots.some((adSlot, ad) => {
        return hasDrifted(entry.boundsPpb[ad]!, this.columns.clickRatePpb[adSlot]!)
      })
      if (!drifted) continue
      this.changed.add(entry)
      this.pending = true
    }
  }

  /** The newest snapshot, where anything changed that a reader would see; null else. A base comes first. */
  build(now: number): CatalogSnapshot | null {
    const base = this.version === 0 || this.needsBase()
    if (!base && !this.pending) return null
    const laidOut = base ? [...this.entries.values()] : [...this.changed]
    for (const entry of laidOut) {
      this.restop(entry, now)
      if (entry.listed && entry.stopped !== 0) this.stoppedListed--
      entry.listed = entry.stopped === 0
      entry.boundsPpb = entry.adSlots.map(adSlot => clickRateBoundPpb(this.columns.clickRatePpb[adSlot]!))
    }
    this.version++
    if (base) {
      this.baseVersion = this.version
      this.changed.clear()
    }
    this.pending = false
    return layOut(laidOut, {
      kind: base ? 'base' : 'delta',
      version: this.version,
      baseVersion: this.baseVersion,
    })
  }

  private needsBase(): boolean {
    return this.changed.size > DELTA_CAMPAIGNS_MAX || this.stoppedListed > STOPPED_LISTED_MAX
  }

  private applyCampaign(campaign: Campaign, money: CampaignMoney, now: number): void {
    const number = parseId('campaign', campaign.id)
    assert(number !== null, `not the id of a campaign: ${campaign.id}`)
    const slot = this.campaignSlots.take(number)
    const adSlots = campaign.ads.map(ad => this.adSlots.take(parseId('ad', ad.id) ?? 0))
    if (slot < 0 || adSlots.includes(-1)) {
      this.refusedForSpace++
      return
    }
    let entry = this.entries.get(number)
    if (entry === undefined) {
      this.columns.campaignNumbers[slot] = number
      entry = { slot, campaign, money, adSlots, listed: false, stopped: 0, boundsPpb: [] }
      this.entries.set(number, entry)
      this.inOrder.push(entry)
    } else {
      // A snapshot of the start may be behind the change that follows it, never the other way round.
      if (campaign.version < entry.campaign.version) return
      entry.campaign = campaign
      entry.money = money
      entry.adSlots = adSlots
    }
    const { startAt, endAt, dayparts } = campaign.schedule
    if (startAt !== null || endAt !== null || dayparts.length > 0) this.timed.add(entry)
    else this.timed.delete(entry)
    this.changed.add(entry)
    this.pending = true
    this.restop(entry, now)
  }

  private applyMoney(campaignId: string, money: CampaignMoney, now: number): void {
    const entry = this.entries.get(parseId('campaign', campaignId) ?? 0)
    if (entry === undefined) return
    entry.money = money
    this.restop(entry, now)
  }

  /** Writes why the campaign may not be chosen now; one that may be and is in no list becomes a change. */
  private restop(entry: Entry, now: number): void {
    const stopped = stopBits(entry.campaign, entry.money, now)
    if (entry.listed) this.stoppedListed += Number(stopped !== 0) - Number(entry.stopped !== 0)
    else if (stopped === 0 && !this.changed.has(entry)) {
      this.changed.add(entry)
      this.pending = true
    } else if (stopped === 0 && entry.stopped !== 0) this.pending = true
    entry.stopped = stopped
    this.columns.stopped[entry.slot] = stopped
  }
}

/** Bits of Stop: all that holds, so that one that ends does not hide another. */
export function stopBits(campaign: Campaign, money: CampaignMoney, now: number): number {
  let bits = 0
  if (campaign.paused || campaign.archived) bits |= Stop.paused
  if (money.stopped !== null) bits |= Stop.money
  switch (scheduleState(campaign.schedule, now)) {
    case 'scheduled':
      return bits | Stop.scheduled
    case 'closedByDaypart':
      return bits | Stop.daypart
    case 'ended':
      return bits | Stop.ended
    case 'open':
      return bits
  }
}

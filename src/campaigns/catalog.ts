import { assert } from '../core/assert.ts'
import { parseId } from '../core/ids.ts'
import type { Campaign, CampaignMoney, CatalogChange } from './campaign.ts'
import { hasDrifted } from './catalog-bound.ts'
import { AD_SLOTS_MAX, CAMPAIGN_SLOTS_MAX, type SharedColumns, Slots, Stop } from './catalog-columns.ts'
import { type CompiledCampaign, compileCampaign } from './catalog-compiled.ts'
import {
  type CatalogSnapshot,
  type LaidOutCampaign,
  Layout,
  type LayoutTerms,
  layOut,
} from './catalog-layout.ts'
import { CatalogText } from './catalog-text.ts'
import { scheduleHoldsUntil, scheduleState } from './schedule.ts'

export type { CatalogSnapshot } from './catalog-layout.ts'

export interface CatalogBounds {
  /** Campaigns in a delta, beyond which the base is built anew. */
  readonly deltaCampaignsMax: number
  /** Stopped campaigns that the lists may carry before the base is built without them: a scan passes each by. */
  readonly stoppedListedMax: number
  /** Campaigns of a base that one call of `build` writes, so that edits do not wait for a base. */
  readonly portionCampaigns: number
}

/** Measured at 100,000 campaigns: a full delta takes 10 ms, a portion 10 ms, the end of a base (its lists) 200 ms. */
export const CATALOG_BOUNDS: CatalogBounds = {
  deltaCampaignsMax: 2000,
  stoppedListedMax: 2000,
  portionCampaigns: 4000,
}
/**
 * A campaign stops so much before its schedule closes it. The builder looks at what is due each 50 ms and may be held up
 * by the end of a base: a campaign that stopped a moment after its end would have been chosen when it must not be.
 */
export const CLOSES_EARLY_MS = 300
/** Seconds in which every campaign's click rates are looked at once. */
const RATE_ROUND_SECONDS = 30

interface Entry {
  campaign: Campaign
  money: CampaignMoney
  compiled: CompiledCampaign
  /** In the order of the campaign's ads. */
  adSlots: readonly number[]
  /** Whether its newest layout is in the lists. */
  listed: boolean
  stopped: number
  /** When its schedule may open or close it next. */
  turnsAt: number
}

/** A base in the making. */
interface BaseWork {
  readonly entries: readonly Entry[]
  readonly laidOut: readonly LaidOutCampaign[]
  readonly layout: Layout
  readonly version: number
  /** What changed while it was made, and goes into the delta on it. */
  readonly changed: Set<Entry>
}

/**
 * The catalog's writer, on a thread of its own. It alone holds campaigns as objects.
 *
 *   changes -> apply -> (dynamic column `stopped`, at once)
 *                   `-> build -> a delta on the base: all campaigns that changed since it
 *                             `-> a new base, in portions beside the deltas, when the delta or the stopped share of
 *                                 the lists is over its bound
 *
 * A campaign that stops is passed by through its column, and left out of the lists when they are next laid out; when
 * it may be chosen again it comes back as a change.
 */
export class CatalogBuilder {
  private readonly entries = new Map<number, Entry>()
  private readonly inOrder: Entry[] = []
  private readonly campaignSlots = new Slots(CAMPAIGN_SLOTS_MAX)
  private readonly adSlots = new Slots(AD_SLOTS_MAX)
  private readonly boundsPpb = new Uint32Array(AD_SLOTS_MAX)
  private text = new CatalogText()
  private rateCursor = 0
  private turnedAt = Number.NEGATIVE_INFINITY
  /** When one of the timed turns next, or before. */
  private turnsAt = Number.POSITIVE_INFINITY
  /** Those whose schedule can open and close them. */
  private readonly timed = new Set<Entry>()
  /** Changed since the base. */
  private changed = new Set<Entry>()
  private pending = false
  private stoppedListed = 0
  private version = 0
  private baseVersion = 0
  private work: BaseWork | null = null
  /** Campaigns that found no slot: alarmed by who runs the builder. */
  refusedForSpace = 0

  constructor(
    private readonly columns: SharedColumns,
    private readonly bounds = CATALOG_BOUNDS,
  ) {}

  get campaigns(): number {
    return this.entries.size
  }

  /** All campaigns as objects, for an evaluation without the index. */
  *all(): Generator<{
    number: number
    slot: number
    campaign: Campaign
    money: CampaignMoney
    /** In the order of the campaign's ads. */
    adSlots: readonly number[]
  }> {
    for (const [number, { campaign, money, compiled, adSlots }] of this.entries) {
      yield { number, slot: compiled.slot, campaign, money, adSlots }
    }
  }

  of(number: number): { campaign: Campaign; money: CampaignMoney; slot: number } | null {
    const entry = this.entries.get(number)
    if (entry === undefined) return null
    const { campaign, money, compiled } = entry
    return { campaign, money, slot: compiled.slot }
  }

  /** Takes changes in, in log order. Kinds other than campaign and money are none of its business. */
  apply(changes: readonly CatalogChange[], now: number): void {
    for (const change of changes) {
      if (change.kind === 'campaign') this.applyCampaign(change.campaign, change.money, now)
      else if (change.kind === 'money') this.applyMoney(change.campaignId, change.money, now)
    }
  }

  /** Opens and closes by schedule. Call it several times a second: nearly always nothing is due. */
  turn(now: number): void {
    // A clock that was set back has to be followed, too.
    const all = now < this.turnedAt
    this.turnedAt = now
    if (!all && now < this.turnsAt) return
    this.turnsAt = Number.POSITIVE_INFINITY
    for (const entry of this.timed) {
      if (all || now >= entry.turnsAt) this.restop(entry, now)
      this.turnsAt = Math.min(this.turnsAt, entry.turnsAt)
    }
  }

  /** Once a second. */
  refresh(now: number): void {
    this.turn(now)
    this.followRates()
  }

  /** The newest snapshot, where anything changed that a reader would see; null else. Call it several times a second. */
  build(now: number): CatalogSnapshot | null {
    if (this.work === null && (this.version === 0 || this.needsBase())) this.work = this.startBase(now)
    if (this.work !== null) {
      const first = this.baseVersion === 0
      // Nothing serves before the first base, so nothing waits for it.
      if (this.work.layout.write(first ? this.work.entries.length : this.bounds.portionCampaigns))
        return this.finishBase(now)
    }
    return this.pending ? this.layOutDelta(now) : null
  }

  private layOutDelta(now: number): CatalogSnapshot {
    this.pending = false
    const laidOut: LaidOutCampaign[] = []
    for (const entry of this.changed) {
      this.restop(entry, now)
      this.setListed(entry, entry.stopped === 0)
      laidOut.push({ compiled: entry.compiled, listed: entry.listed })
    }
    return layOut(laidOut, this.termsOf('delta', ++this.version, this.baseVersion))
  }

  private startBase(now: number): BaseWork {
    if (this.text.isWasteful) this.moveText()
    const entries = [...this.inOrder]
    const laidOut = entries.map(entry => {
      this.restop(entry, now)
      return { compiled: entry.compiled, listed: entry.stopped === 0 }
    })
    const version = ++this.version
    const layout = new Layout(laidOut, this.termsOf('base', version, version))
    return { entries, laidOut, layout, version, changed: new Set() }
  }

  /** The base, and with it the delta of what changed meanwhile: a reader takes both in at once, and sees no old version. */
  private finishBase(now: number): CatalogSnapshot {
    const { entries, laidOut, layout, version, changed } = this.work!
    this.work = null
    this.baseVersion = version
    this.changed = changed
    for (let i = 0; i < entries.length; i++) {
      const entry = entries[i]!
      const { listed } = laidOut[i]!
      this.setListed(entry, listed)
      if (!listed && entry.stopped === 0) this.changed.add(entry)
    }
    return layout.finish(this.changed.size > 0 ? this.layOutDelta(now) : this.settled())
  }

  private settled(): null {
    this.pending = false
    return null
  }

  private termsOf(kind: 'base' | 'delta', version: number, baseVersion: number): LayoutTerms {
    const { clickRatePpb } = this.columns
    return { kind, version, baseVersion, clickRatePpb, boundsPpb: this.boundsPpb }
  }

  private needsBase(): boolean {
    return (
      this.changed.size > this.bounds.deltaCampaignsMax || this.stoppedListed > this.bounds.stoppedListedMax
    )
  }

  private applyCampaign(campaign: Campaign, money: CampaignMoney, now: number): void {
    const number = parseId('campaign', campaign.id)
    assert(number !== null, `not the id of a campaign: ${campaign.id}`)
    let entry = this.entries.get(number)
    // A snapshot of the start may be behind the change that follows it, never the other way round.
    if (entry !== undefined && campaign.version < entry.campaign.version) return
    const slot = this.campaignSlots.take(number)
    const adSlots = campaign.ads.map(ad => this.adSlots.take(parseId('ad', ad.id) ?? 0))
    if (slot < 0 || adSlots.includes(-1)) {
      this.refusedForSpace++
      return
    }
    if (entry !== undefined) for (const ad of entry.compiled.ads) this.text.forget(ad.text)
    const compiled = compileCampaign(campaign, { campaign: slot, ads: adSlots }, this.text)
    if (entry === undefined) {
      this.columns.campaignNumbers[slot] = number
      entry = { campaign, money, compiled, adSlots, listed: false, stopped: 0, turnsAt: 0 }
      this.entries.set(number, entry)
      this.inOrder.push(entry)
    } else Object.assign(entry, { campaign, money, compiled, adSlots })
    const { startAt, endAt, dayparts } = campaign.schedule
    if (startAt !== null || endAt !== null || dayparts.length > 0) this.timed.add(entry)
    else this.timed.delete(entry)
    this.markChanged(entry)
    this.restop(entry, now)
  }

  private applyMoney(campaignId: string, money: CampaignMoney, now: number): void {
    const entry = this.entries.get(parseId('campaign', campaignId) ?? 0)
    if (entry === undefined) return
    entry.money = money
    this.restop(entry, now)
  }

  private markChanged(entry: Entry): void {
    this.changed.add(entry)
    this.work?.changed.add(entry)
    this.pending = true
  }

  /** Writes why the campaign may not be chosen now; one that may be and is in no list becomes a change. */
  private restop(entry: Entry, now: number): void {
    const { campaign, money } = entry
    const soon = now + CLOSES_EARLY_MS
    entry.turnsAt = Math.min(
      scheduleHoldsUntil(campaign.schedule, now),
      scheduleHoldsUntil(campaign.schedule, soon) - CLOSES_EARLY_MS,
    )
    this.turnsAt = Math.min(this.turnsAt, entry.turnsAt)
    // It opens when its time has come, and closes before it is over.
    const stopped = stopBits(campaign, money, now) || stopBits(campaign, money, soon)
    if (stopped === entry.stopped) return
    if (entry.listed) this.stoppedListed += Number(stopped !== 0) - Number(entry.stopped !== 0)
    else if (stopped === 0) this.markChanged(entry)
    entry.stopped = stopped
    this.columns.stopped[entry.compiled.slot] = stopped
  }

  private setListed(entry: Entry, listed: boolean): void {
    if (entry.stopped !== 0) this.stoppedListed += Number(listed) - Number(entry.listed)
    entry.listed = listed
  }

  /** Looks at a share of the campaigns each second, and lays those out anew whose click rate left its bound behind. */
  private followRates(): void {
    const some = Math.ceil(this.inOrder.length / RATE_ROUND_SECONDS)
    for (let i = 0; i < some; i++) {
      const entry = this.inOrder[this.rateCursor++ % this.inOrder.length]!
      if (!entry.listed || !entry.compiled.cpc) continue
      const left = entry.compiled.ads.some(({ slot }) => {
        return hasDrifted(this.boundsPpb[slot]!, this.columns.clickRatePpb[slot]!)
      })
      if (left) this.markChanged(entry)
    }
  }

  /** Copies the texts in use into chunks of their own; readers keep the old ones for as long as they look at them. */
  private moveText(): void {
    const moved = new CatalogText()
    for (const { compiled } of this.inOrder) for (const ad of compiled.ads) ad.text = moved.adopt(ad.text)
    this.text = moved
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

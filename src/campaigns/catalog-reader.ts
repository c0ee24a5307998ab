import { assert } from '../core/assert.ts'
import { utf8Text } from '../core/bytes.ts'
import { CAMPAIGN_SLOTS_MAX } from './catalog-columns.ts'
import { AD_WORDS, type AdDetail, AdWord, type CatalogSnapshot } from './catalog-layout.ts'
import { rowOf } from './catalog-table.ts'

/**
 * The catalog as one thread reads it: a base, and a delta of what changed since. Nothing is copied: installing one is
 * a change of references, and the marks of the campaigns that the delta replaces.
 */
export class CatalogReader {
  base: CatalogSnapshot | null = null
  delta: CatalogSnapshot | null = null
  /** By campaign slot: 1 where the delta replaces what the base says. This thread's own, so that marks and delta agree. */
  readonly superseded = new Uint8Array(CAMPAIGN_SLOTS_MAX)
  /** By campaign slot: 1 where an edit that stops the campaign was answered before its snapshot is here. */
  readonly held = new Uint8Array(CAMPAIGN_SLOTS_MAX)
  private readonly heldVersions = new Map<number, number>()

  /** Takes a snapshot in. One that is older than what is here, or stands on another base, changes nothing. */
  install(snapshot: CatalogSnapshot): boolean {
    if (snapshot.kind === 'base') {
      if (this.base !== null && snapshot.version <= this.base.version) return false
      this.base = snapshot
      this.delta = null
      this.superseded.fill(0)
      this.releaseHeld(snapshot)
      if (snapshot.follow !== null) this.install(snapshot.follow)
      return true
    } else {
      if (this.base?.version !== snapshot.baseVersion) return false
      if (this.delta !== null && snapshot.version <= this.delta.version) return false
      this.delta = snapshot
      for (const slot of snapshot.campaignSlots) this.superseded[slot] = 1
    }
    this.releaseHeld(snapshot)
    return true
  }

  /**
   * Keeps a campaign from being chosen until a snapshot has it at this version or later: call it before a pause is
   * answered, and the promise "chosen no more" does not wait for the builder.
   */
  hold(campaign: number, version: number): void {
    this.heldVersions.set(campaign, Math.max(version, this.heldVersions.get(campaign) ?? 0))
    const slot = this.slotOf(campaign)
    if (slot >= 0) this.held[slot] = 1
  }

  private releaseHeld(snapshot: CatalogSnapshot): void {
    for (const [campaign, version] of this.heldVersions) {
      const row = rowOf(snapshot.campaigns, campaign)
      if (row < 0) continue
      const slot = snapshot.campaignSlots[row]!
      const arrived = snapshot.campaignVersions[row]! >= version
      // A campaign that was not here when it was held is held from here on.
      this.held[slot] = arrived ? 0 : 1
      if (arrived) this.heldVersions.delete(campaign)
    }
  }

  /** -1 for a campaign that no snapshot has yet. */
  slotOf(campaign: number): number {
    for (const snapshot of this.newestFirst()) {
      const row = rowOf(snapshot.campaigns, campaign)
      if (row >= 0) return snapshot.campaignSlots[row]!
    }
    return -1
  }

  /** The slot that the ad's learned click rate is kept in; -1 for an ad that is not known. */
  adSlotOf(ad: number): number {
    for (const snapshot of this.newestFirst()) {
      const row = rowOf(snapshot.ads, ad)
      if (row >= 0) return snapshot.adWords[row * AD_WORDS + AdWord.adSlot]!
    }
    return -1
  }

  /** Where a click on the ad leads, macros as they were written; null for an ad that is not known. */
  landingUrlOf(ad: number): string | null {
    for (const snapshot of this.newestFirst()) {
      const row = rowOf(snapshot.ads, ad)
      if (row >= 0) return landingUrlAt(snapshot, row)
    }
    return null
  }

  /** The ad and whose it is, as of the newest snapshot; null for an ad that is not known. */
  detailOf(ad: number): AdDetail | null {
    for (const snapshot of this.newestFirst()) {
      const row = rowOf(snapshot.ads, ad)
      if (row >= 0) return adDetailAt(snapshot, row)
    }
    return null
  }

  private newestFirst(): CatalogSnapshot[] {
    const newest: CatalogSnapshot[] = []
    if (this.delta !== null) newest.push(this.delta)
    if (this.base !== null) newest.push(this.base)
    return newest
  }
}

export function landingUrlAt(snapshot: CatalogSnapshot, adRow: number): string {
  const at = adRow * AD_WORDS
  const start = snapshot.adWords[at + AdWord.text]!
  const chunk = snapshot.adWords[at + AdWord.chunk]!
  return textAt(snapshot, chunk, start, snapshot.adWords[at + AdWord.landingBytes]!)
}

export function adDetailAt(snapshot: CatalogSnapshot, adRow: number): AdDetail {
  const at = adRow * AD_WORDS
  const start = snapshot.adWords[at + AdWord.text]! + snapshot.adWords[at + AdWord.landingBytes]!
  const chunk = snapshot.adWords[at + AdWord.chunk]!
  return JSON.parse(textAt(snapshot, chunk, start, snapshot.adWords[at + AdWord.detailBytes]!)) as AdDetail
}

function textAt(snapshot: CatalogSnapshot, chunk: number, start: number, length: number): string {
  const bytes = snapshot.texts[chunk]
  assert(bytes !== undefined && start + length <= bytes.length, 'text of an ad lies outside its snapshot')
  // Decoders take no shared memory: `slice` copies.
  return utf8Text(bytes.slice(start, start + length))
}

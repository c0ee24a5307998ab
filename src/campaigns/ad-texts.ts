import { parseId } from '../core/ids.ts'
import type { Campaign } from './campaign.ts'
import type { CatalogReader } from './catalog-reader.ts'
import { LandingPage } from './landing-page.ts'

/** What an edge knows of an ad without asking anyone. Ads that serve no more are kept: their clicks go on. */
export interface AdFacts {
  readonly campaign: number
  readonly advertiser: number
  readonly landing: LandingPage
}

/** Ads whose texts are kept decoded. */
const ADS_MAX = 20_000
/** A snapshot is here within a second: more edits than this do not come in one. */
const FRESH_MAX = 20_000

/** Facts of ads, decoded once for each version of the catalog: most clicks are on few ads. */
export class AdTexts {
  /** Ads of campaigns that were decided a moment ago: the catalog may not have them yet. */
  private readonly fresh = new Map<number, AdFacts>()
  private readonly facts = new Map<number, AdFacts | null>()

  constructor(private readonly catalog: CatalogReader) {}

  of(ad: number): AdFacts | null {
    const known = this.facts.get(ad)
    if (known !== undefined) return known
    const facts = this.read(ad)
    // What is not known may be in the next snapshot.
    if (facts === null) return this.fresh.get(ad) ?? null
    if (this.facts.size >= ADS_MAX) this.facts.clear()
    this.facts.set(ad, facts)
    return facts
  }

  /** A campaign was decided: its ads can be asked for before the catalog is laid out anew. */
  add(campaign: Campaign): void {
    for (const ad of campaign.ads) {
      this.fresh.set(parseId('ad', ad.id) ?? 0, {
        campaign: parseId('campaign', campaign.id) ?? 0,
        advertiser: parseId('advertiser', campaign.advertiserId) ?? 0,
        landing: new LandingPage(ad.landingUrl),
      })
    }
    for (const ad of this.fresh.keys()) {
      if (this.fresh.size <= FRESH_MAX) break
      this.fresh.delete(ad)
    }
  }

  /** A new snapshot is here. */
  forget(): void {
    this.facts.clear()
  }

  private read(ad: number): AdFacts | null {
    const landingUrl = this.catalog.landingUrlOf(ad)
    const detail = landingUrl === null ? null : this.catalog.detailOf(ad)
    if (landingUrl === null || detail === null) return null
    return {
      campaign: parseId('campaign', detail.campaignId) ?? 0,
      advertiser: parseId('advertiser', detail.advertiserId) ?? 0,
      landing: new LandingPage(landingUrl),
    }
  }
}

/** Entities as the API shows them and the store keeps them. Numbers of entities: core/ids.ts. */

export interface Bid {
  readonly model: 'cpc' | 'cpm'
  /** Micros of a click (cpc) or of a thousand impressions (cpm). */
  readonly amountMicros: number
}

export interface Budget {
  readonly totalMicros: number | null
  readonly dailyMicros: number | null
}

export interface Daypart {
  /** ISO days, 1 Monday to 7 Sunday. */
  readonly days: readonly number[]
  /** `HH:MM`; where `to` is not after `from` it runs over midnight. */
  readonly from: string
  readonly to: string
}

export interface Schedule {
  readonly startAt: string | null
  readonly endAt: string | null
  readonly timeZone: string
  readonly dayparts: readonly Daypart[]
}

/** An empty list is no restriction. */
export interface Targeting {
  readonly countries: readonly string[]
  readonly regions: readonly string[]
  readonly deviceTypes: readonly ('desktop' | 'mobile' | 'tablet' | 'ctv')[]
  readonly placements: readonly string[]
  readonly categories: readonly string[]
  readonly domains: readonly string[]
  readonly segments: readonly string[]
}

export type Creative =
  | { readonly kind: 'image'; readonly w: number; readonly h: number; readonly imageUrl: string }
  | { readonly kind: 'html'; readonly w: number; readonly h: number; readonly html: string }

export interface Ad {
  readonly id: string
  readonly name: string
  readonly status: 'active' | 'paused' | 'archived'
  readonly landingUrl: string
  readonly adomain: readonly string[]
  readonly cat: readonly string[]
  readonly attr: readonly number[]
  readonly creative: Creative
}

/** What an advertiser says of a campaign; money and status are added by the one who answers. */
export interface Campaign {
  readonly id: string
  readonly advertiserId: string
  readonly name: string
  readonly currency: string
  readonly bid: Bid
  readonly budget: Budget
  readonly schedule: Schedule
  readonly targeting: Targeting
  readonly pacing: 'even' | 'asap'
  readonly frequencyCap: { readonly impressions: number; readonly perSeconds: number } | null
  readonly whenAuthorityLost: 'open' | 'closed'
  readonly paused: boolean
  readonly archived: boolean
  readonly ads: readonly Ad[]
  readonly createdAt: string
  readonly updatedAt: string
  /** Counts up with each edit. */
  readonly version: number
}

export type CampaignStatus =
  | 'scheduled'
  | 'active'
  | 'paused'
  | 'unfunded'
  | 'exhaustedDaily'
  | 'exhausted'
  | 'ended'

export interface Advertiser {
  readonly id: string
  readonly name: string
  readonly email: string | null
  readonly currency: string
  readonly creditLimitMicros: number
  readonly verified: boolean
  readonly createdAt: string
  readonly version: number
}

export interface Publisher {
  readonly id: string
  readonly name: string
  readonly domain: string | null
  readonly email: string | null
  readonly revenueShare: number
  readonly badv: readonly string[]
  readonly bcat: readonly string[]
  readonly monthlyTraffic: number | null
  readonly verified: boolean
  readonly createdAt: string
  readonly version: number
}

export interface Placement {
  readonly id: string
  readonly publisherId: string
  readonly name: string
  readonly format: { readonly w: number; readonly h: number }
  readonly position: string | null
  readonly categories: readonly string[]
  /** Of its floor, and of what `/serve` offers there. Null, and absent in older ones: of whoever asks, or USD. */
  readonly currency?: string | null
  readonly floorCpmMicros: number
  readonly badv: readonly string[]
  readonly bcat: readonly string[]
  readonly audience: unknown
  readonly estimatedMonthlyImpressions: number | null
  readonly createdAt: string
  readonly version: number
}

export type Role = 'admin' | 'advertiser' | 'publisher' | 'ingest' | 'reader'

/** An API key; its secret is known to its holder alone. */
export interface ApiKey {
  readonly id: string
  readonly role: Role
  readonly accountId: string | null
  /** SHA-256 of the key's text, hex. */
  readonly secretHash: string
  readonly revoked: boolean
  readonly createdAt: string
}

/** What the decisions of a batch mean for the ones that serve. Numbers are entity numbers. */
export type CatalogChange =
  | { readonly kind: 'campaign'; readonly campaign: Campaign; readonly money: CampaignMoney }
  | { readonly kind: 'money'; readonly campaignId: string; readonly money: CampaignMoney }
  | { readonly kind: 'publisher'; readonly publisher: Publisher }
  | { readonly kind: 'placement'; readonly placement: Placement }
  | { readonly kind: 'key'; readonly key: ApiKey }
  | { readonly kind: 'advertiser'; readonly advertiser: Advertiser }

/** Whether a campaign's money lets it be chosen now. Status by schedule is judged by the reader's clock. */
export interface CampaignMoney {
  readonly stopped: 'unfunded' | 'exhaustedDaily' | 'exhausted' | null
}

import {
  evaluateFully,
  type FullCampaign,
  type FullRequest,
  type Verdict,
} from '../serving/full-evaluation.ts'

/** Verdicts are counted over this time. */
export const WINDOW_SECONDS = 300
const SLICE_MS = 10_000

const TEXTS: Record<Verdict['code'], string> = {
  wins: 'It won the auction.',
  lostAuction: 'Another campaign bid more, or as much and is older.',
  paused: 'The campaign is paused or archived.',
  scheduled: 'Its start is still to come.',
  ended: 'Its end is past.',
  daypart: 'No daypart is open now in its time zone.',
  unfunded: "The advertiser's balance and credit do not cover one more event.",
  exhausted: 'Its budget of the day, or in total, is spent.',
  currency: 'The request is paid in another currency.',
  size: 'No active ad has the size that was asked for.',
  country: 'The request comes from a country that it does not target, or from an unknown one.',
  region: 'The request comes from a region that it does not target.',
  deviceType: 'The device is of a type that it does not target.',
  placement: 'The placement is not among those that it targets.',
  category: 'The page or app has none of the categories that it targets.',
  domain: 'The page is on none of the domains that it targets.',
  segment: 'The person is in none of the segments that it targets.',
  blockedAdvertiser: 'The publisher or the request blocks the domain of its advertiser.',
  blockedCategory: 'The publisher or the request blocks the category of its ads.',
  blockedAttribute: 'The request blocks an attribute of its ads.',
  secure: 'The request takes https only, and the ad does not load over https alone.',
  pacing: 'It is ahead of its plan, and left the request to others.',
  frequency: 'The person has seen it as often as its frequency cap allows.',
  floor: 'Its bid is below the floor.',
  allowance: 'All money of its budget is out in leases and in impressions that may still be clicked.',
}

interface Slice {
  readonly at: number
  readonly counts: Map<number, Map<Verdict['code'], number>>
}

/** Why campaigns serve or do not, counted over a sample of requests that is evaluated in full. */
export class Explainer {
  private slices: Slice[] = []

  observe(request: FullRequest, campaigns: Iterable<FullCampaign>): void {
    const at = Math.floor(request.now / SLICE_MS) * SLICE_MS
    let slice = this.slices.at(-1)
    if (slice === undefined || slice.at !== at) {
      slice = { at, counts: new Map() }
      this.slices.push(slice)
      this.slices = this.slices.filter(kept => kept.at > at - WINDOW_SECONDS * 1000)
    }
    for (const { of, code } of evaluateFully(request, campaigns).verdicts) {
      const counts = slice.counts.get(of.number) ?? new Map<Verdict['code'], number>()
      slice.counts.set(of.number, counts)
      counts.set(code, (counts.get(code) ?? 0) + 1)
    }
  }

  reasons(campaign: number): { code: string; count: number; text: string }[] {
    const sums = new Map<Verdict['code'], number>()
    for (const { counts } of this.slices) {
      for (const [code, count] of counts.get(campaign) ?? []) sums.set(code, (sums.get(code) ?? 0) + count)
    }
    return [...sums]
      .sort(([, a], [, b]) => b - a)
      .map(([code, count]) => ({ code, count, text: TEXTS[code] }))
  }
}

import type { CampaignStatus } from '../campaigns/campaign.ts'
import { type FullCampaign, type FullRequest, judge, type Verdict } from '../serving/full-evaluation.ts'

/** Verdicts are counted over this time. */
export const WINDOW_SECONDS = 300

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
  blockedCategory: 'The publisher or the request blocks the category of its ads, or allows only others.',
  blockedAttribute: 'The request blocks an attribute of its ads.',
  secure: 'The request takes https only, and the ad does not load over https alone.',
  pacing: 'It is ahead of its plan, and left the request to others.',
  frequency: 'The person has seen it as often as its frequency cap allows.',
  floor: 'Its bid is below the floor.',
  allowance: 'All money of its budget is out in leases and in impressions that may still be clicked.',
}

const STATES: Record<CampaignStatus, string> = {
  active: 'The campaign is active.',
  paused: 'The campaign is paused.',
  scheduled: 'The campaign has not started yet.',
  ended: 'The campaign has ended.',
  unfunded: "The advertiser's balance and credit do not cover one more event.",
  exhaustedDaily: "The campaign's budget of the day is spent.",
  exhausted: "The campaign's budget is spent.",
}

/** In a sentence or two; the reasons with the most frequent first. */
export function summaryOf(status: CampaignStatus, reasons: readonly Reason[]): string {
  const minutes = WINDOW_SECONDS / 60
  const [first] = reasons
  if (first === undefined) return `${STATES[status]} No request was looked at in the last ${minutes} minutes.`
  const seen = reasons.reduce((sum, { count }) => sum + count, 0)
  const outcome = `${first.text[0]!.toLowerCase()}${first.text.slice(1)}`
  const requests = seen === 1 ? 'One request was' : `${seen} requests were`
  const often = first.count === seen ? '' : `, most often (${first.count} times)`
  return `${STATES[status]} ${requests} looked at in the last ${minutes} minutes${often}: ${outcome}`
}

export interface Reason {
  readonly code: string
  readonly count: number
  readonly text: string
}

/** Numbers of the verdicts in a sample; 0 is a campaign that was not there yet. */
const CODES = Object.keys(TEXTS) as readonly Verdict['code'][]
const NUMBERS = new Map(CODES.map((code, i) => [code, i + 1]))

/** One request of the sample: the verdict on each campaign, a byte by slot. */
interface Sample {
  readonly at: number
  readonly verdicts: Uint8Array
}

/**
 * Share of its thread's time that is spent on samples: at 100,000 campaigns one takes 150 ms. It bounds the memory too,
 * as samples have a byte for each campaign: some 3 MB in a window, whatever their number.
 */
const TIME_SHARE = 0.01
const SLOTS_AT_FIRST = 1024
/** Time that may be saved up, so that all of a few requests are looked at. */
const SAVED_MS_MAX = 50

/** Why campaigns serve or do not, counted over a sample of requests that is evaluated in full. */
export class Explainer {
  private samples: Sample[] = []
  /** Below 0 after an evaluation that took more than there was. */
  private savedMs = SAVED_MS_MAX
  private savedAtMs = 0

  constructor(private readonly elapsedMs: () => number = () => performance.now()) {}

  /** Looks at the request where there is time for it. */
  observe(request: FullRequest, campaigns: () => Iterable<FullCampaign>): void {
    const startedAtMs = this.elapsedMs()
    this.savedMs = Math.min(SAVED_MS_MAX, this.savedMs + (startedAtMs - this.savedAtMs) * TIME_SHARE)
    this.savedAtMs = startedAtMs
    if (this.savedMs <= 0) return
    this.samples = this.samples.filter(({ at }) => at > request.now - WINDOW_SECONDS * 1000)
    this.samples.push({ at: request.now, verdicts: verdictsBySlot(request, campaigns()) })
    this.savedMs -= this.elapsedMs() - startedAtMs
  }

  reasons(campaignSlot: number): Reason[] {
    const counts = new Uint32Array(CODES.length + 1)
    for (const { verdicts } of this.samples) counts[verdicts[campaignSlot] ?? 0]! += 1
    return CODES.map((code, i) => ({ code, count: counts[i + 1]!, text: TEXTS[code] }))
      .filter(({ count }) => count > 0)
      .sort((a, b) => b.count - a.count)
  }
}

/** Judged one by one: as objects, the verdicts on 100,000 campaigns were 30 MB to collect. */
function verdictsBySlot(request: FullRequest, campaigns: Iterable<FullCampaign>): Uint8Array {
  let bySlot = new Uint8Array(SLOTS_AT_FIRST)
  let end = 0
  judge(request, campaigns, ({ slot }, code) => {
    if (slot >= bySlot.length) {
      const more = new Uint8Array(Math.max(slot + 1, bySlot.length * 2))
      more.set(bySlot)
      bySlot = more
    }
    bySlot[slot] = NUMBERS.get(code)!
    end = Math.max(end, slot + 1)
  })
  return bySlot.slice(0, end)
}

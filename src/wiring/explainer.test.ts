import { expect, test } from 'bun:test'
import { plainCampaign } from '../../test/random-campaigns.ts'
import type { FullCampaign, FullRequest } from '../serving/full-evaluation.ts'
import { Explainer, summaryOf, WINDOW_SECONDS } from './explainer.ts'

const NOW = Date.UTC(2026, 10, 1, 12)

function request(change: Partial<FullRequest> = {}): FullRequest {
  return {
    now: NOW,
    random: 0,
    currency: 'USD',
    country: 'USA',
    region: null,
    device: 'desktop',
    placement: null,
    hosts: [],
    bundle: null,
    categories: [],
    segments: [],
    badv: [],
    bcat: [],
    acat: [],
    battr: [],
    sizes: [{ w: 300, h: 250 }],
    floorCpmMicros: 0,
    secure: false,
    ...change,
  }
}

/** Slot 7 bids more than slot 3. */
const CAMPAIGNS = [3, 7].map(
  (slot): FullCampaign => ({
    campaign: plainCampaign(slot, { bid: { model: 'cpm', amountMicros: slot * 100_000 } }),
    number: slot * 256,
    slot,
    money: { stopped: null },
    allowanceThousandths: 1e12,
    pacing: 1,
    allowedByFrequency: true,
    clickRatePpb: () => 1_000_000,
  }),
)

/** An explainer to which each evaluation seems to take so long. */
function explainer(evaluationMs = 0) {
  let elapsedMs = 0
  let evaluations = 0
  const made = new Explainer(() => elapsedMs)
  return {
    made,
    evaluations: () => evaluations,
    wait: (ms: number) => {
      elapsedMs += ms
    },
    observe: (change: Partial<FullRequest> = {}) =>
      made.observe(request(change), () => {
        evaluations++
        elapsedMs += evaluationMs
        return CAMPAIGNS
      }),
  }
}

const codes = (of: { made: Explainer }, slot: number) =>
  of.made.reasons(slot).map(({ code, count }) => [code, count])

test('a campaign is told why it served or did not, the most frequent reason first', () => {
  const world = explainer()
  world.observe()
  world.observe()
  world.observe({ floorCpmMicros: 500_000 })
  world.observe({ sizes: [{ w: 728, h: 90 }] })
  expect(codes(world, 7)).toEqual([
    ['wins', 3],
    ['size', 1],
  ])
  expect(codes(world, 3)).toEqual([
    ['lostAuction', 2],
    ['size', 1],
    ['floor', 1],
  ])
  expect(world.made.reasons(7)[0]!.text).toBe('It won the auction.')
})

test('a campaign that no request was judged for has no reasons', () => {
  const world = explainer()
  world.observe()
  for (const slot of [0, 5, 8, 100_000]) expect(codes(world, slot)).toEqual([])
})

test('what is older than the window does not count', () => {
  const world = explainer()
  world.observe()
  world.observe({ now: NOW + WINDOW_SECONDS * 1000 - 1 })
  expect(codes(world, 7)).toEqual([['wins', 2]])
  world.observe({ now: NOW + WINDOW_SECONDS * 1000 })
  expect(codes(world, 7)).toEqual([['wins', 2]])
})

test('however long an evaluation takes, a hundredth of the time goes into them', () => {
  const world = explainer(150)
  for (let ms = 0; ms < 60_000; ms += 200) {
    world.observe()
    world.wait(200)
  }
  // 50 ms were saved up at the start, and 0.6 s of the minute are for evaluations.
  expect(world.evaluations()).toBe(5)
})

test('a burst of quick evaluations is taken whole', () => {
  const world = explainer(1)
  for (let i = 0; i < 49; i++) world.observe()
  expect(world.evaluations()).toBe(49)
  for (let i = 0; i < 49; i++) world.observe()
  expect(world.evaluations()).toBeLessThan(55)
})

test('a summary says in words how the campaign stands, and what happened most often', () => {
  const reason = (code: string, count: number, text: string) => ({ code, count, text })
  expect(summaryOf('paused', [])).toBe(
    'The campaign is paused. No request was looked at in the last 5 minutes.',
  )
  const lost = reason('lostAuction', 278, 'Another campaign bid more, or as much and is older.')
  expect(summaryOf('active', [lost, reason('size', 108, 'No active ad has the size.')])).toBe(
    'The campaign is active. 386 requests were looked at in the last 5 minutes, most often (278 times): another ' +
      'campaign bid more, or as much and is older.',
  )
  expect(summaryOf('exhaustedDaily', [reason('wins', 1, 'It won the auction.')])).toBe(
    "The campaign's budget of the day is spent. One request was looked at in the last 5 minutes: it won the auction.",
  )
})

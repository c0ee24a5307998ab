import { describe, expect, test } from 'bun:test'
import { plainCampaign } from '../../../test/random-campaigns.ts'
import { MemoryLog } from '../../adapters/memory/log.ts'
import { parseId } from '../../core/ids.ts'
import { Leases } from '../../serving/leases.ts'
import { handleServe, tagScript } from './serve-handler.ts'
import { get, NOW, PARTITIONS, PLACEMENT, PUBLIC_URL, TestEdge } from './test-edge.ts'

function edgeOver(amountMicros = 1_000_000) {
  const campaign = plainCampaign(1, { bid: { model: 'cpm', amountMicros } })
  return new TestEdge([campaign], new MemoryLog(PARTITIONS, { now: () => NOW }))
}
const url = (query: string) => `${PUBLIC_URL}/serve?${query}`

test('a placement gets a page for its frame, or JSON for the tag, from any origin', async () => {
  const world = edgeOver()
  const page = handleServe(world.auction, get(url(`placement=${PLACEMENT.id}`)))
  expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8'])
  expect(await page.text()).toContain('<img src="https://cdn.example.com/a.png"')
  const json = handleServe(world.auction, get(url(`format=json&placement=${PLACEMENT.id}`)))
  for (const answer of [page, json]) {
    expect(answer.headers.get('access-control-allow-origin')).toBe('*')
    expect(answer.headers.get('cache-control')).toBe('no-store')
  }
  const ad = (await json.json()) as Record<string, unknown>
  expect(Object.keys(ad).sort()).toEqual(
    ['adId', 'adm', 'campaignId', 'clickUrl', 'h', 'impressionId', 'impressionUrl', 'w'].sort(),
  )
})

test('an unknown placement is 404 with problem details, which the page may read', () => {
  for (const id of ['plc_zzz', 'pub_74', '']) {
    const answer = handleServe(edgeOver().auction, get(url(`placement=${id}`)))
    expect([answer.status, answer.headers.get('content-type')]).toEqual([404, 'application/problem+json'])
    expect(answer.headers.get('access-control-allow-origin')).toBe('*')
  }
})

test('no ad is 204: below the floor of the placement', () => {
  const world = edgeOver(999_999)
  world.placements.set(256, { ...PLACEMENT, floorCpmMicros: 1_000_000 })
  const answer = handleServe(world.auction, get(url(`placement=${PLACEMENT.id}`)))
  expect([answer.status, answer.headers.get('access-control-allow-origin')]).toEqual([204, '*'])
})

test('a placement is sold in its own currency, else in US dollars', async () => {
  const campaigns = ['USD', 'EUR'].map((currency, i) => plainCampaign(i + 1, { currency }))
  const world = new TestEdge(campaigns, new MemoryLog(PARTITIONS, { now: () => NOW }))
  const served = async (currency?: string | null) => {
    world.placements.set(256, { ...PLACEMENT, ...(currency === undefined ? {} : { currency }) })
    const answer = handleServe(world.auction, get(url(`format=json&placement=${PLACEMENT.id}`)))
    return answer.status === 200 ? ((await answer.json()) as { campaignId: string }).campaignId : null
  }
  const [dollars, euros] = [campaigns[0]!.id, campaigns[1]!.id]
  expect([await served(), await served(null), await served('USD')]).toEqual([dollars, dollars, dollars])
  expect([await served('EUR'), await served('JPY')]).toEqual([euros, null])
})

describe('what is chosen counts for the day whose money it was chosen with', () => {
  const MIDNIGHT = NOW + 1000
  for (const [what, clock, day, expected] of [
    ['by a clock within the day', NOW, { dayStart: 0, dayEnd: MIDNIGHT }, NOW],
    [
      'where midnight has passed and the lease is of the day before',
      MIDNIGHT + 20,
      { dayStart: 0, dayEnd: MIDNIGHT },
      MIDNIGHT - 1,
    ],
    ['by a clock that is slow', NOW, { dayStart: MIDNIGHT, dayEnd: MIDNIGHT + 86_400_000 }, MIDNIGHT],
  ] as const) {
    test(what, async () => {
      const world = edgeOver()
      const campaign = world.campaigns[0]!
      const number = parseId('campaign', campaign.id)!
      const leases = new Leases(1, PARTITIONS, world.reader, world.columns)
      leases.onGrant(
        {
          node: 1,
          partition: number % 256,
          epoch: 1,
          term: 1,
          sequence: 1,
          askSentAt: 0,
          validMs: 5000,
          shards: [
            {
              campaign: number,
              shard: 0,
              grantedThousandths: 1e9,
              voidThousandths: 0,
              pacing: 1,
              stopped: false,
              scarce: false,
              closed: false,
              ...day,
            },
          ],
        },
        0,
      )
      world.now = clock
      const answer = handleServe(world.auction, get(url(`format=json&placement=${PLACEMENT.id}`)))
      const { impressionId } = (await answer.json()) as { impressionId: string }
      // The first 48 bits of a UUIDv7 are its time.
      expect(Number.parseInt(impressionId.replaceAll('-', '').slice(0, 12), 16)).toBe(expected)
    })
  }
})

test('a preflight is answered', () => {
  const answer = handleServe(edgeOver().auction, get(url(`placement=${PLACEMENT.id}`), {}, 'OPTIONS'))
  expect([answer.status, answer.headers.get('access-control-allow-origin')]).toEqual([204, '*'])
  expect(answer.headers.get('access-control-allow-methods')).toContain('GET')
})

test('the tag is a script that names this installation', () => {
  const script = tagScript(PUBLIC_URL)
  expect(() => new Function(script)).not.toThrow()
  expect(script).toContain(JSON.stringify(PUBLIC_URL))
  expect(script).toContain("'allow-scripts allow-popups allow-popups-to-escape-sandbox'")
})

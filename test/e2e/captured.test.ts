import { afterAll, beforeAll, expect, test } from 'bun:test'
import { requestLines } from '../captured-requests.ts'
import { campaignBody, eventually, Installation, type Json } from './installation.ts'

const SIZES = [
  [728, 90],
  [300, 250],
  [160, 600],
] as const
const CPMS_MICROS = [1_500_000, 2_250_000, 700_000]
const AT_ONCE = 32

let farthing: Installation
beforeAll(async () => {
  farthing = await Installation.start()
})
afterAll(async () => farthing?.remove())

test('10,000 captured requests are each bid on or passed, never refused, and never cost more than the bid', async () => {
  const lines = requestLines()
  expect(lines).toHaveLength(10_000)
  const advertiser = await farthing.must(201, 'POST', '/v1/advertisers', { name: 'A' })
  await farthing.must(201, 'POST', `/v1/advertisers/${advertiser.id}/deposits`, {
    amountMicros: 1_000_000_000,
  })
  const bids = new Map<string, number>()
  for (const amountMicros of CPMS_MICROS) {
    const ads = SIZES.map(([w, h]) => ({
      name: `${w}x${h}`,
      landingUrl: `https://brand${amountMicros}.example/`,
      creative: { kind: 'image', w, h, imageUrl: 'https://cdn.example.com/a.png' },
    }))
    const campaign = await farthing.must(
      201,
      'POST',
      '/v1/campaigns',
      campaignBody(advertiser.id, { model: 'cpm', amountMicros }, { ads }),
    )
    bids.set(campaign.id, amountMicros / 1e6)
  }
  const send = (body: string) =>
    fetch(`${farthing.url}/openrtb2/auction`, {
      method: 'POST',
      body,
      headers: { 'Content-Type': 'application/json' },
    })
  await eventually(
    async () => (await send(lines[0]!)).status,
    status => status === 200,
  )
  const statuses: Record<number, number> = {}
  const faults: string[] = []
  let next = 0
  const worker = async () => {
    while (next < lines.length) {
      const line = lines[next++]!
      const response = await send(line)
      statuses[response.status] = (statuses[response.status] ?? 0) + 1
      const text = await response.text()
      if (response.status === 200) faults.push(...faultsOf(JSON.parse(line), JSON.parse(text), bids))
      else if (response.status !== 204) faults.push(`${response.status} ${text}`)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
  expect(faults.slice(0, 10)).toEqual([])
  expect(Object.keys(statuses).every(status => status === '200' || status === '204')).toBe(true)
  expect(statuses[200]).toBeGreaterThan(100)
}, 40_000)

function faultsOf(request: Json, answer: Json, bids: ReadonlyMap<string, number>): string[] {
  const faults: string[] = []
  if (answer.id !== request.id) faults.push(`${request.id} answered as ${answer.id}`)
  for (const bid of answer.seatbid.flatMap((seat: Json) => seat.bid)) {
    const imp = request.imp.find((one: Json) => one.id === bid.impid)
    if (imp === undefined) faults.push(`${request.id}: impid ${bid.impid}`)
    else if (bid.price < (imp.bidfloor ?? 0)) faults.push(`${request.id}: ${bid.price} below ${imp.bidfloor}`)
    if (!(bid.price <= bids.get(bid.cid)!))
      faults.push(`${request.id}: ${bid.price} over the bid of ${bid.cid}`)
    if (request.at === 1 && bid.price !== bids.get(bid.cid))
      faults.push(`${request.id}: first price ${bid.price}`)
    if (bid.adomain.some((domain: string) => request.badv?.includes(domain)))
      faults.push(`${request.id}: badv`)
    const sizes = imp?.banner?.format ?? []
    if (!sizes.some((size: Json) => size.w === bid.w && size.h === bid.h))
      faults.push(`${request.id}: ${bid.w}x${bid.h}`)
  }
  return faults
}

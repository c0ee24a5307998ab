/** An outsider's check of the books, from API.md, RFC 8785 and RFC 9162: it shares nothing with `src`. */
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { createHash } from 'node:crypto'
import { eventually, Installation, type Json } from './installation.ts'

const CLICKS = 3
const IMPRESSIONS = 45
let farthing: Installation
beforeAll(async () => {
  farthing = await Installation.start()
})
afterAll(async () => farthing?.remove())

test('an outsider verifies every entry, link, sum and Merkle root of the ledger', async () => {
  const cpc = await farthing.campaign({ model: 'cpc', amountMicros: 123_457 })
  const cpm = await farthing.campaign({ model: 'cpm', amountMicros: 1_234_567 })
  const clicked = []
  for (let i = 0; i < CLICKS; i++) {
    const one = await farthing.serve(cpc)
    await farthing.browse(one.impressionUrl)
    clicked.push(one)
  }
  const shown: string[] = []
  for (let i = 0; i < IMPRESSIONS; i++) {
    const one = await farthing.serve(cpm)
    await farthing.browse(one.impressionUrl)
    shown.push(one.impressionId)
  }
  await Bun.sleep(600)
  for (const one of clicked) await farthing.browse(one.clickUrl)
  for (const id of [...shown, ...clicked.map(one => one.impressionId)]) {
    expect((await farthing.chargeIn(id, 'charged')).state).toBe('charged')
  }
  await farthing.must(201, 'POST', `/v1/charges/${clicked[0]!.impressionId}/refund`, {
    reason: 'é"\\ €',
    amountMicros: 77_777,
  })

  const heads = (await farthing.must(200, 'GET', '/v1/ledger/verify')).heads
  expect(heads.length).toBeGreaterThan(0)
  const sums = new Map<string, number>()
  const kinds = new Map<string, number>()
  const inBlocks: string[] = []
  for (const head of heads) {
    let prev = '0'.repeat(64)
    let sequence: number | null = null
    for await (const entry of pages(`/v1/ledger/entries?chain=${head.chain}`)) {
      expect(entry.chain).toBe(head.chain)
      if (sequence !== null) expect(entry.sequence).toBe(sequence + 1)
      expect(entry.prevHash).toBe(prev)
      const { hash, ...rest } = entry
      expect(hash).toBe(sha(Buffer.from(prev, 'hex'), Buffer.from(canonical(rest))).toString('hex'))
      prev = hash
      sequence = entry.sequence
      kinds.set(entry.kind, (kinds.get(entry.kind) ?? 0) + 1)
      expect(entry.postings.reduce((sum: number, posting: Json) => sum + posting.amountMicros, 0)).toBe(0)
      for (const { account, amountMicros } of entry.postings)
        sums.set(account, (sums.get(account) ?? 0) + amountMicros)
      if (entry.chargesRoot === undefined) continue
      const leaves: Buffer[] = []
      for await (const item of pages(`/v1/ledger/entries/${entry.id}/charges`)) {
        leaves.push(Buffer.from(canonical(item)))
        inBlocks.push(item.eventId ?? item.impressionId ?? JSON.stringify(item))
      }
      expect(merkleRoot(leaves).toString('hex')).toBe(entry.chargesRoot)
    }
    expect({ sequence, hash: prev }).toEqual({ sequence: head.sequence, hash: head.hash })
  }
  expect(inBlocks.sort()).toEqual(shown.sort())
  const { items } = await eventually(
    () => farthing.must(200, 'GET', '/v1/ledger/balances'),
    () => true,
  )
  expect(items.filter((item: Json) => item.balanceMicros !== (sums.get(item.account) ?? 0))).toEqual([])
  for (const [account, sum] of sums) {
    if (sum !== 0)
      expect(
        items.some((item: Json) => item.account === account),
        account,
      ).toBe(true)
  }
  expect([...kinds.keys()].sort().length).toBeGreaterThanOrEqual(3)
}, 20_000)

async function* pages(path: string): AsyncGenerator<Json> {
  let cursor: string | null = null
  do {
    const more: string = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`
    const answer: Json = await farthing.must(
      200,
      'GET',
      path.endsWith('/charges') ? path : `${path}&limit=7${more}`,
    )
    yield* answer.items
    cursor = answer.nextCursor ?? null
  } while (cursor !== null)
}

function sha(...parts: Buffer[]): Buffer {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return hash.digest()
}

/** RFC 8785: members in order of their UTF-16 units; texts and numbers as ECMAScript writes them. */
function canonical(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (value === null || typeof value !== 'object') return JSON.stringify(value)
  const members = Object.keys(value)
    .sort()
    .map(key => `${JSON.stringify(key)}:${canonical(value[key])}`)
  return `{${members.join(',')}}`
}

/** RFC 9162, section 2.1.1: the left tree has the greatest power of two of leaves below all. */
function merkleRoot(leaves: readonly Buffer[]): Buffer {
  if (leaves.length === 0) return sha()
  if (leaves.length === 1) return sha(Buffer.from([0]), leaves[0]!)
  let left = 1
  while (left * 2 < leaves.length) left *= 2
  return sha(Buffer.from([1]), merkleRoot(leaves.slice(0, left)), merkleRoot(leaves.slice(left)))
}

import { expect, test } from 'bun:test'
import { formatUuid, writeImpressionId } from '../core/ids.ts'
import {
  type BlockItem,
  BlockItems,
  blockPostings,
  findItem,
  ITEM_BYTES,
  itemBody,
  itemJcs,
  readItems,
} from './block.ts'
import { canonicalJson } from './chain.ts'
import { EntryKind, entryBody, entryJcsOf, postingsOf } from './entry.ts'

const AT = Date.parse('2026-11-24T12:00:00.250Z')

function item(serial: number, changes: Partial<BlockItem> = {}): BlockItem {
  const impressionId = new Uint8Array(16)
  writeImpressionId(new DataView(impressionId.buffer), 0, AT, 1, 0, serial)
  return {
    impressionId,
    at: AT,
    campaign: 512,
    ad: 768,
    advertiser: 256,
    publisher: 1024,
    placement: 1280,
    amount: 1001,
    publisherAmount: 800,
    feeAmount: 201,
    country: 235,
    device: 1,
    ...changes,
  }
}

const GREATEST = 2 ** 48 - 1
const items = [
  item(0),
  item(1, { publisher: 0, placement: 0 }),
  item(2, { amount: 0, publisherAmount: 0, feeAmount: 0 }),
  item(2 ** 36 - 1, { campaign: GREATEST, ad: GREATEST, advertiser: GREATEST, amount: GREATEST, at: 0 }),
]

test('an item is read back as it was added, whatever the block has grown to', () => {
  const block = new BlockItems()
  for (let i = 0; i < 40; i++) block.add(items[i % items.length]!)
  expect(block.view().length).toBe(40 * ITEM_BYTES)
  const read = readItems(block.view())
  for (let i = 0; i < 40; i++) expect(read[i]).toEqual(items[i % items.length]!)
  const reopened = new BlockItems(block.view())
  reopened.add(items[0]!)
  expect(readItems(reopened.view()).length).toBe(41)
})

test('an impression is found in its block, and no other is', () => {
  const block = new BlockItems()
  for (const one of items) block.add(one)
  for (const one of items) expect(findItem(block.view(), one.impressionId)).toEqual(one)
  expect(findItem(block.view(), item(77).impressionId)).toBeNull()
  expect(findItem(new Uint8Array(0), items[0]!.impressionId)).toBeNull()
})

test("an item's JCS is the canonical JSON of what the API shows of it", () => {
  for (const one of items) {
    expect(itemJcs(one)).toBe(canonicalJson(itemBody(one)))
    expect(JSON.parse(itemJcs(one))).toEqual(itemBody(one))
  }
  expect(itemBody(items[1]!)).toEqual({
    eventId: formatUuid(items[1]!.impressionId, 0),
    campaignId: 'cmp_e8',
    adId: 'ad_lc',
    advertiserId: 'adv_74',
    publisherId: 'unknown',
    placementId: 'unknown',
    amountMicros: 1001,
    publisherMicros: 800,
    feeMicros: 201,
    at: '2026-11-24T12:00:00.250Z',
  })
})

test('postings of a block sum to zero, by account in the order of names', () => {
  const postings = blockPostings([items[0]!, items[0]!, items[1]!])
  expect(postings).toEqual([
    { account: 'advertiser:adv_74', amountMicros: -3003 },
    { account: 'fee', amountMicros: 603 },
    { account: 'publisher:pub_sg', amountMicros: 1600 },
    { account: 'publisher:unknown', amountMicros: 800 },
  ])
})

const amounts = {
  advertiser: 256,
  campaign: 512,
  publisher: 1024,
  amount: 1001,
  publisherAmount: 800,
  feeAmount: 201,
}
const money = (pairs: [string, number][]) =>
  pairs.map(([account, amountMicros]) => ({ account, amountMicros }))

test.each([
  [
    'a charge',
    { ...amounts, kind: EntryKind.charge },
    money([
      ['advertiser:adv_74', -1001],
      ['campaign:cmp_e8', 1001],
      ['campaign:cmp_e8', -1001],
      ['publisher:pub_sg', 800],
      ['fee', 201],
    ]),
  ],
  [
    'a charge that is all the fee',
    { ...amounts, kind: EntryKind.charge, publisher: 0, publisherAmount: 0, feeAmount: 1001 },
    money([
      ['advertiser:adv_74', -1001],
      ['campaign:cmp_e8', 1001],
      ['campaign:cmp_e8', -1001],
      ['fee', 1001],
    ]),
  ],
  [
    'a refund',
    { ...amounts, kind: EntryKind.refund },
    money([
      ['advertiser:adv_74', 1001],
      ['campaign:cmp_e8', -1001],
      ['campaign:cmp_e8', 1001],
      ['publisher:pub_sg', -800],
      ['fee', -201],
    ]),
  ],
  [
    'a deposit',
    { ...amounts, kind: EntryKind.deposit },
    money([
      ['cash', -1001],
      ['advertiser:adv_74', 1001],
    ]),
  ],
])('postings of %s', (_name, entry, expected) => {
  expect(postingsOf(entry)).toEqual(expected)
})

test("what is hashed of an entry is the canonical JSON of the API's entry without its hash", () => {
  const unhashed = {
    ...amounts,
    number: 3 * 2 ** 40 + 7,
    at: AT,
    kind: EntryKind.charge,
    event: 'an "id" of theirs: \u00e9\u{1f600}',
    eventSecond: 1,
    ad: 768,
    placement: 0,
    currency: 'USD',
    receivedAt: AT,
    country: 0,
    device: 0,
    note: null,
    chargesRoot: null,
    postings: postingsOf({ ...amounts, kind: EntryKind.charge }),
  }
  for (const entry of [unhashed, { ...unhashed, event: null, campaign: 0, chargesRoot: 'ab'.repeat(32) }]) {
    const body = entryBody(entry, '0'.repeat(64))
    expect(entryJcsOf(entry, '0'.repeat(64))).toBe(canonicalJson(JSON.parse(JSON.stringify(body))))
    expect(body).toMatchObject({ chain: '3', sequence: 7, id: `ent_${(3 * 2 ** 40 + 7).toString(36)}` })
  }
})

import { afterEach, beforeEach, expect, test } from 'bun:test'
import { EntryKind } from '../../billing/entry.ts'
import { EventKind } from '../../billing/transition.ts'
import { hash32 } from '../../core/bytes.ts'
import { micros } from '../../core/money.ts'
import { rfc3339 } from '../../core/time.ts'
import { Reason } from '../../records/reasons.ts'
import { ADVERTISER, CAMPAIGN, impression, NOW, shownItem, TestStore } from './queries-test-store.ts'

const HOUR = 3_600_000

let store: TestStore
beforeEach(() => {
  store = new TestStore()
})
afterEach(() => store.close())

const isCpc = () => store.entity('campaign', CAMPAIGN, { bid: { model: 'cpc', amountMicros: 250_000 } })
const isCpm = () => store.entity('campaign', CAMPAIGN, { bid: { model: 'cpm', amountMicros: 1_000_000 } })
const states = async (id: string) => {
  const charge = await store.queries.charge(id)
  return (charge?.['history'] as { state: string; reason: string | null }[] | undefined)?.map(
    ({ state, reason }) => (reason === null ? state : `${state}(${reason})`),
  )
}

test('an event that nobody knows is null', async () => {
  expect(await store.queries.charge(impression(NOW).id)).toBeNull()
  expect(await store.queries.charge('click-7')).toBeNull()
})

test('a click charged in one step was reserved and charged at one time', async () => {
  isCpc()
  const event = impression(NOW, 0, 1)
  store.charge(1, NOW + 2000, event)
  // Counted by an earlier version, and since.
  store.insert('repeat', { event: event.id, kind: EventKind.click, count: 1 })
  store.insert('token_repeat', { partition: 1, event: event.id, kind: EventKind.click, count: 2 })
  const at = rfc3339(NOW + 2000)
  expect(await store.queries.charge(event.id)).toEqual({
    eventId: event.id,
    campaignId: 'cmp_e8',
    adId: 'ad_lc',
    advertiserId: 'adv_74',
    state: 'charged',
    reason: null,
    amountMicros: 250_000,
    refundedMicros: 0,
    duplicates: 3,
    conflicts: 0,
    history: [
      { state: 'reserved', at, reason: null },
      { state: 'charged', at, reason: null },
    ],
    asOf: rfc3339(NOW),
  })
})

test('a charge refunded in parts says how much and why', async () => {
  isCpc()
  const event = impression(NOW)
  store.charge(0, NOW, event)
  const refund = {
    kind: EntryKind.refund,
    event: event.id,
    eventSecond: event.second,
    advertiser: ADVERTISER,
  }
  store.entry(0, {
    ...refund,
    campaign: CAMPAIGN,
    at: NOW + 1,
    amount: 100,
    publisherAmount: 80,
    feeAmount: 20,
    note: 'goodwill',
  })
  store.entry(0, {
    ...refund,
    campaign: CAMPAIGN,
    at: NOW + 2,
    amount: 50,
    publisherAmount: 40,
    feeAmount: 10,
    note: 'fraud',
  })
  expect(await store.queries.charge(event.id)).toMatchObject({
    state: 'refunded',
    reason: 'fraud',
    amountMicros: 250_000,
    refundedMicros: 150,
  })
  expect(await states(event.id)).toEqual(['reserved', 'charged', 'refunded(goodwill)', 'refunded(fraud)'])
})

test('a click that waited shows that it did', async () => {
  isCpc()
  const event = impression(NOW)
  store.transition(1, event, {
    kind: EventKind.click,
    at: NOW,
    state: 'pending',
    reason: Reason.awaitingImpression,
  })
  expect(await store.queries.charge(event.id)).toMatchObject({
    state: 'pending',
    reason: 'awaitingImpression',
    amountMicros: 0,
  })
  store.transition(2, event, {
    kind: EventKind.click,
    at: NOW + 60_000,
    state: 'rejected',
    reason: Reason.unrendered,
  })
  expect(await states(event.id)).toEqual(['pending(awaitingImpression)', 'rejected(unrendered)'])
})

test('what a crawler did before the charge comes before it', async () => {
  isCpm()
  const event = impression(NOW)
  store.transition(1, event, {
    kind: EventKind.impression,
    at: NOW,
    state: 'rejected',
    reason: Reason.crawler,
  })
  expect(await store.queries.charge(event.id)).toMatchObject({ state: 'rejected', reason: 'crawler' })
  store.block(0, NOW + 2000, [shownItem(event, NOW + 1000)])
  expect(await states(event.id)).toEqual(['rejected(crawler)', 'reserved', 'charged'])
})

test('an ingested click is found by its text', async () => {
  isCpc()
  store.charge(0, NOW, { id: 'click-7', second: hash32('click-7') })
  expect(await store.queries.charge('click-7')).toMatchObject({ eventId: 'click-7', state: 'charged' })
})

test('an impression is reserved until its block closes', async () => {
  isCpm()
  const event = impression(NOW, 5)
  store.openBlock(0, [shownItem(impression(NOW, 4), NOW + 300), shownItem(event, NOW + 300)])
  expect(await store.queries.charge(event.id)).toMatchObject({ state: 'reserved', amountMicros: 1000 })
  expect(await states(event.id)).toEqual(['reserved'])
})

test('an impression in a closed block is charged when the block closed', async () => {
  isCpm()
  const events = Array.from({ length: 300 }, (_, i) => impression(NOW + i * 1000, i))
  for (const [i, event] of events.entries()) {
    store.charge(0, NOW + i * 1000, impression(NOW + i * 1000, 1000 + i))
    store.block(0, NOW + i * 1000 + 1500, [shownItem(event, NOW + i * 1000 + 700)])
  }
  for (const i of [0, 1, 150, 298, 299]) {
    expect(await store.queries.charge(events[i]!.id)).toMatchObject({
      state: 'charged',
      history: [{ at: rfc3339(NOW + i * 1000 + 700) }, { at: rfc3339(NOW + i * 1000 + 1500) }],
    })
  }
  expect(await store.queries.charge(impression(NOW + 5000, 99_999).id)).toBeNull()
})

test('an impression shown ten minutes after its choice is found', async () => {
  isCpm()
  const event = impression(NOW)
  store.block(0, NOW + 601_000, [shownItem(event, NOW + 600_000)])
  expect(await store.queries.charge(event.id)).toMatchObject({ state: 'charged' })
})

test('an impression is found whose partition is behind its edge by a minute', async () => {
  isCpm()
  const event = impression(NOW)
  store.block(0, NOW - 59_000, [shownItem(event, NOW - 60_000)])
  store.charge(0, NOW, impression(NOW, 1))
  expect(await store.queries.charge(event.id)).toMatchObject({ state: 'charged' })
})

// A process that stopped with an open block closes it at its next start.
test('an impression whose block closed hours later is found', async () => {
  isCpm()
  const event = impression(NOW + 500)
  store.charge(0, NOW, impression(NOW, 1))
  store.block(0, NOW + 5 * HOUR, [shownItem(event, NOW + 900)])
  store.charge(0, NOW + 5 * HOUR, impression(NOW + 5 * HOUR, 2))
  expect(await store.queries.charge(event.id)).toMatchObject({ state: 'charged', amountMicros: 1000 })
})

test('an impression of another partition is looked for in its own', async () => {
  isCpm()
  const event = impression(NOW, 1, 3)
  store.block(3, NOW + 1000, [shownItem(event, NOW)])
  expect(await store.queries.charge(event.id)).toMatchObject({ state: 'charged' })
})

// API.md: "It exists from the first billable event (CPM: impression, CPC: click); before that 404."
test('of a click and an impression that servers report under one id, only what is paid for is a charge', async () => {
  isCpc()
  const event = { id: 'both', second: hash32('both') }
  store.transition(1, event, {
    kind: EventKind.impression,
    at: NOW,
    state: 'rejected',
    reason: Reason.crawler,
  })
  store.insert('repeat', { event: event.id, kind: EventKind.impression, count: 9 })
  expect(await store.queries.charge('both')).toBeNull()
  store.charge(0, NOW + 1, event)
  store.insert('repeat', { event: event.id, kind: EventKind.click, count: 2 })
  expect(await store.queries.charge('both')).toMatchObject({ state: 'charged', duplicates: 2 })
  expect(await states('both')).toEqual(['reserved', 'charged'])
})

test('what a campaign paid for before its model was changed is shown as it was', async () => {
  isCpm()
  const click = impression(NOW, 1, 1)
  store.charge(1, NOW, click)
  store.insert('token_repeat', { partition: 1, event: click.id, kind: EventKind.click, count: 2 })
  expect(await store.queries.charge(click.id)).toMatchObject({ state: 'charged', duplicates: 2 })
  const refused = impression(NOW, 2, 1)
  store.transition(1, refused, {
    kind: EventKind.click,
    at: NOW,
    state: 'rejected',
    reason: Reason.tooSoon,
  })
  store.insert('token_repeat', { partition: 1, event: refused.id, kind: EventKind.click, count: 3 })
  expect(await store.queries.charge(refused.id)).toMatchObject({ reason: 'tooSoon', duplicates: 3 })
})

test('an impression that was charged before its campaign came to pay for clicks is shown as it was', async () => {
  isCpc()
  const event = impression(NOW, 3, 1)
  store.block(1, NOW + 2000, [shownItem(event, NOW + 1000)])
  store.insert('token_repeat', { partition: 1, event: event.id, kind: EventKind.impression, count: 4 })
  expect(await store.queries.charge(event.id)).toMatchObject({ state: 'charged', duplicates: 4 })
})

test('of a click and an impression under one id, of two campaigns, the refunds of one are not the other’s', async () => {
  isCpc()
  const event = { id: 'both', second: hash32('both') }
  store.charge(0, NOW, event)
  const another = {
    campaign: 9 * 256,
    ad: 9 * 256,
    event: event.id,
    eventSecond: event.second,
    amount: micros(7),
  }
  store.entry(1, { ...another, kind: EntryKind.charge, at: NOW })
  store.entry(1, { ...another, kind: EntryKind.refund, at: NOW + 1 })
  expect(await store.queries.charge('both')).toMatchObject({ state: 'charged', refundedMicros: 0 })
})

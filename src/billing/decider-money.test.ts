import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { DeciderScene, type Served } from '../../test/decider-scene.ts'
import { AD } from '../../test/test-decider.ts'
import { LAPSE_SLACK_MS, RENDER_LIFE_MS } from '../budgets/render-holds.ts'
import { parseId } from '../core/ids.ts'
import { Reason } from '../records/reasons.ts'
import { RecordBuffer } from '../records/record-buffer.ts'
import { FUTURE_MS } from './decide-impression.ts'

let scene: DeciderScene

beforeEach(async () => {
  scene = new DeciderScene()
  await scene.open()
})

afterEach(() => scene.close())

describe('a budget', () => {
  test('of three clicks pays for three, and the campaign is exhausted', async () => {
    const of = await scene.served({ model: 'cpc', amountMicros: 250_000 }, { totalMicros: 750_000 })
    for (let i = 0; i < 5; i++) {
      const { bytes } = scene.token(of, { price: 250_000 })
      await scene.shown(bytes)
      scene.now += 1000
      await scene.clicked(bytes)
    }
    expect(scene.charges()).toBe(3)
    expect(scene.refusals()).toEqual([Reason.budgetExhausted, Reason.budgetExhausted])
    const stops = scene.told.flatMap(({ catalog }) => catalog).filter(change => change.kind === 'money')
    expect(stops.at(-1)).toMatchObject({ money: { stopped: 'exhausted' } })
  })

  test('is never passed by several campaigns on one balance', async () => {
    const of = await scene.served({ model: 'cpc', amountMicros: 300_000 }, {}, 1_000_000)
    for (let i = 0; i < 5; i++) {
      const { bytes } = scene.token(of, { price: 300_000 })
      await scene.shown(bytes)
      scene.now += 1000
      await scene.clicked(bytes)
    }
    expect(scene.charges()).toBe(3)
  })

  test('of a day is open again on the next', async () => {
    const of = await scene.served({ model: 'cpc', amountMicros: 250_000 }, { dailyMicros: 250_000 })
    for (let day = 0; day < 2; day++) {
      for (let i = 0; i < 2; i++) {
        const { bytes } = scene.token(of, { price: 250_000 })
        await scene.shown(bytes)
        scene.now += 1000
        await scene.clicked(bytes)
      }
      await scene.pass(86_400_000)
      await scene.pass(1100)
      await scene.pass(1100)
    }
    expect(scene.charges()).toBe(2)
  })

  test('of a day is not reopened by a refund of what the day before was charged', async () => {
    const of = await scene.served({ model: 'cpc', amountMicros: 250_000 }, { dailyMicros: 250_000 })
    const click = async () => {
      const { bytes, id } = scene.token(of, { price: 250_000 })
      await scene.shown(bytes)
      scene.now += 1000
      await scene.clicked(bytes)
      return id
    }
    const eventId = await click()
    for (const ms of [86_400_000, 1100, 1100]) await scene.pass(ms)
    await click()
    const refund = await scene.commanded('refund', parseId('campaign', of.campaign), {
      eventId,
      reason: 'goodwill',
    })
    expect(refund.status).toBe(201)
    await click()
    expect([scene.charges(), scene.refusals()]).toEqual([2, [Reason.budgetExhausted]])
  })

  test('raised wakes a campaign, cut below its spend stops it at once', async () => {
    const of = await scene.served({ model: 'cpc', amountMicros: 250_000 }, { totalMicros: 250_000 })
    const target = parseId('campaign', of.campaign)
    const click = async () => {
      const { bytes } = scene.token(of, { price: 250_000 })
      await scene.shown(bytes)
      scene.now += 1000
      await scene.clicked(bytes)
    }
    await click()
    await click()
    expect(scene.charges()).toBe(1)
    const raised = await scene.commanded('patchCampaign', target, { budget: { totalMicros: 1_000_000 } })
    expect(raised.body).toMatchObject({ status: 'active', remaining: { totalMicros: 750_000 } })
    await click()
    expect(scene.charges()).toBe(2)
    const cut = await scene.commanded('patchCampaign', target, { budget: { totalMicros: 300_000 } })
    expect(cut.body).toMatchObject({ status: 'exhausted', remaining: { totalMicros: 0 } })
    await click()
    expect(scene.charges()).toBe(2)
  })
})

describe('campaigns on one balance', () => {
  test('that are not chosen give their money to one that is', async () => {
    const advertiser = (await scene.commanded('createAdvertiser', null, { name: 'A' })).body as { id: string }
    await scene.commanded('deposit', parseId('advertiser', advertiser.id), { amountMicros: 4_000_000 })
    const make = async () => {
      const terms = { name: 'C', bid: { model: 'cpc', amountMicros: 500_000 }, ads: [AD] }
      const created = await scene.commanded('createCampaign', null, { advertiserId: advertiser.id, ...terms })
      return parseId('campaign', (created.body as { id: string }).id)!
    }
    const { left, talk } = scene.edge()
    for (let i = 0; i < 6; i++) await make()
    for (let i = 0; i < 40; i++) await talk(250)
    const late = await make()
    let most = 0
    for (let i = 0; i < 200; i++) {
      await talk(250)
      most = Math.max(most, left(late))
    }
    expect(most).toBeGreaterThan(0)
  })
})

describe('impressions at a CPM price', () => {
  test.each([
    ['ten minutes after their choice', RENDER_LIFE_MS, []],
    ['later than that', RENDER_LIFE_MS + 1, [Reason.expired]],
    ['by a clock that is as far behind as clocks may be', -FUTURE_MS, []],
    ['by one that is further behind', -FUTURE_MS - 1, [Reason.future]],
  ])('shown %s are refused only where they must be', async (_name, afterMs, reasons) => {
    const of = await scene.served({ model: 'cpm', amountMicros: 1_000_000 })
    const { bytes } = scene.token(of, { cpm: true, price: 1_000_000 })
    scene.now += afterMs
    await scene.shown(bytes)
    expect(scene.refusals()).toEqual(reasons)
    expect(scene.count('open_block')).toBe(1 - reasons.length)
  })

  test('of a test are refused', async () => {
    const of = await scene.served({ model: 'cpm', amountMicros: 1_000_000 })
    await scene.shown(scene.token(of, { cpm: true, price: 1_000_000, test: true }).bytes)
    expect([scene.refusals(), scene.count('open_block')]).toEqual([[Reason.test], 0])
  })

  test('that were refused once are not charged when they come again', async () => {
    const of = await scene.served({ model: 'cpm', amountMicros: 1_000_000 })
    const { bytes } = scene.token(of, { cpm: true, price: 1_000_000 })
    await scene.shown(bytes, Reason.rate)
    await scene.shown(bytes)
    expect([scene.refusals(), scene.count('open_block'), scene.count('token_repeat')]).toEqual([
      [Reason.rate],
      0,
      1,
    ])
  })

  test('cost N x price / 1000 rounded down, in blocks that add up', async () => {
    const of = await scene.served({ model: 'cpm', amountMicros: 1_333 })
    for (let i = 0; i < 100; i++) {
      const { bytes } = scene.token(of, { cpm: true, price: 1_333 })
      await scene.shown(bytes)
      await scene.shown(bytes)
      scene.now += 100
    }
    await scene.pass(1100)
    await scene.pass(1100)
    const [row] = scene.store.all<{ sum: number }>('SELECT sum(amount) AS sum FROM entry WHERE kind = 2', [])
    expect(row!.sum).toBe(133)
    expect(scene.sumOfAccounts()).toBe(0)
    expect(scene.count('open_block')).toBe(0)
  })

  test('that were leased and never shown give their money back', async () => {
    const of = await scene.served({ model: 'cpm', amountMicros: 1_000_000 }, { totalMicros: 5_000 })
    const number = parseId('campaign', of.campaign)!
    const { node, left, talk } = scene.edge()
    const chooseAll = () => {
      let chosen = 0
      for (; left(number) >= 1_000_000; chosen++)
        node.record(node.leaseOf(0, number, 0), 1, 1_000_000, 0, scene.now)
      return chosen
    }
    let chosen = 0
    for (let i = 0; i < 20; i++) {
      await talk(1100)
      chosen += chooseAll()
    }
    expect(chosen).toBe(5)
    for (let i = 0; i < 14; i++) {
      await talk((RENDER_LIFE_MS + 2 * LAPSE_SLACK_MS) / 12)
      await talk(50)
      await talk(50)
    }
    expect(chooseAll()).toBeGreaterThan(0)
  })
})

describe('a refund', () => {
  test('gives the money back to all, never more than was charged', async () => {
    const of = await scene.served({ model: 'cpc', amountMicros: 250_001 }, { totalMicros: 250_001 })
    const { bytes, id } = scene.token(of, { price: 250_001 })
    await scene.shown(bytes)
    scene.now += 1000
    await scene.clicked(bytes)
    const target = parseId('campaign', of.campaign)
    const part = await scene.commanded('refund', target, {
      eventId: id,
      reason: 'goodwill',
      amountMicros: 100_000,
    })
    expect(part.status).toBe(201)
    const tooMuch = await scene.commanded('refund', target, {
      eventId: id,
      reason: 'goodwill',
      amountMicros: 200_000,
    })
    expect(tooMuch.status).toBe(422)
    const rest = await scene.commanded('refund', target, { eventId: id, reason: 'goodwill' })
    expect(rest.body).toMatchObject({ refundedMicros: 250_001 })
    expect((await scene.commanded('refund', target, { eventId: id, reason: 'goodwill' })).status).toBe(422)
    expect(scene.count('entry WHERE kind = 3')).toBe(2)
    expect(scene.store.all('SELECT sum(spend) AS sum FROM rollup', [])).toEqual([{ sum: 0 }])
    const nonZero = scene.store.all<{ account: string; sum: number }>(
      'SELECT account, sum(balance) AS sum FROM account GROUP BY account HAVING sum(balance) <> 0',
      [],
    )
    expect(nonZero.map(({ account }) => account.split(':')[0])).toEqual(['advertiser', 'cash'])
    expect(scene.sumOfAccounts()).toBe(0)
  })

  test.each([
    { what: 'while its day lasts opens that day again', afterMs: 3_600_000, charged: 2 },
    { what: 'after its day opens the total again and not that day', afterMs: 43_200_000, charged: 1 },
  ])('$what', async ({ afterMs, charged }) => {
    const of = await scene.served({ model: 'cpc', amountMicros: 250_000 }, { dailyMicros: 250_000 })
    const [first, late] = [scene.token(of, { price: 250_000 }), scene.token(of, { price: 250_000 })]
    for (const { bytes } of [first, late]) await scene.shown(bytes)
    scene.now += 1000
    await scene.clicked(first.bytes)
    expect(scene.charges()).toBe(1)
    for (let i = 0; i < 3; i++) await scene.pass(i === 0 ? afterMs : 1100)
    const target = parseId('campaign', of.campaign)
    expect((await scene.commanded('refund', target, { eventId: first.id, reason: 'goodwill' })).status).toBe(
      201,
    )
    expect((await scene.commanded('patchCampaign', target, {})).body).toMatchObject({
      spend: { todayMicros: 0, totalMicros: 0 },
    })
    await scene.clicked(late.bytes)
    expect(scene.charges()).toBe(charged)
  })
})

describe('a refund of the one click that a budget paid for', () => {
  let of: Served
  let id: string
  const refund = () =>
    scene.commanded('refund', parseId('campaign', of.campaign), { eventId: id, reason: 'goodwill' })
  beforeEach(async () => {
    of = await scene.served({ model: 'cpc', amountMicros: 250_000 }, { totalMicros: 250_000 })
    const made = scene.token(of, { price: 250_000 })
    id = made.id
    await scene.shown(made.bytes)
    scene.now += 1000
    await scene.clicked(made.bytes)
  })

  test('lets the campaign be chosen again', async () => {
    const stops = () =>
      scene.told
        .flatMap(({ catalog }) => catalog)
        .flatMap(change => (change.kind === 'money' ? change.money : []))
    expect(stops().at(-1)).toEqual({ stopped: 'exhausted' })
    await refund()
    expect(stops().at(-1)).toEqual({ stopped: null })
  })

  test('is given once where it is asked for twice in one batch', async () => {
    const buffer = new RecordBuffer()
    const ids = [1, 2].map(() => {
      const body = { eventId: id, reason: 'goodwill' }
      return scene.writeCommand(buffer, { name: 'refund', target: parseId('campaign', of.campaign), body })
    })
    await scene.append(buffer)
    await scene.drain()
    expect(ids.map(requestId => scene.outcomeOf(requestId)?.status)).toEqual([201, 422])
    expect(scene.count('entry WHERE kind = 3')).toBe(1)
  })

  test('is refused where the balance would not be exact any more', async () => {
    const advertiser = parseId('advertiser', of.advertiser)
    const amountMicros = Number.MAX_SAFE_INTEGER - (10_000_000 - 250_000)
    expect((await scene.commanded('deposit', advertiser, { amountMicros })).status).toBe(201)
    expect((await refund()).status).toBe(422)
    expect(scene.count('entry WHERE kind = 3')).toBe(0)
  })
})

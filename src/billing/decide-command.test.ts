import { afterEach, beforeEach, expect, test } from 'bun:test'
import { TestDecider } from '../../test/test-decider.ts'
import { formatId, parseId } from '../core/ids.ts'
import type { Command, EffectRecord } from '../records/events.ts'
import { RecordKind } from '../records/record.ts'
import { RecordBuffer } from '../records/record-buffer.ts'

let world: TestDecider
beforeEach(async () => {
  world = new TestDecider()
  await world.open()
})
afterEach(() => world.close())

const CAMPAIGN = {
  name: 'C',
  bid: { model: 'cpc', amountMicros: 250_000 },
  ads: [
    {
      name: 'Ad',
      landingUrl: 'https://example.com/a',
      creative: { kind: 'image', w: 300, h: 250, imageUrl: 'https://example.com/a.png' },
    },
  ],
}

/** What whoever serves was told last with an edit of the campaign. */
function toldOf(campaign: number) {
  return world.told
    .flatMap(({ catalog }) => catalog)
    .findLast(change => change.kind === 'campaign' && change.campaign.id === formatId('campaign', campaign))
}

// The edge holds the campaign back before it answers the edit: see wiring/edge-news.ts.
test('an edit is told with whether it stops the campaign: a cap below a price, and one that is raised again', async () => {
  const { campaign } = await world.campaign(250_000)
  expect(toldOf(campaign)).toMatchObject({ money: { stopped: null } })
  await world.command('patchCampaign', campaign, { budget: { totalMicros: 249_999 } })
  expect(toldOf(campaign)).toMatchObject({ money: { stopped: 'exhausted' } })
  await world.command('patchCampaign', campaign, { budget: { totalMicros: 250_000 } })
  expect(toldOf(campaign)).toMatchObject({ money: { stopped: null } })
})

test('a campaign that nobody has paid for is told as unfunded when it is made', async () => {
  const made = (await world.command('createAdvertiser', null, { name: 'A' })) as { id: string }
  const body = { ...CAMPAIGN, advertiserId: made.id }
  const { id } = (await world.command('createCampaign', null, body)) as { id: string }
  expect(toldOf(parseId('campaign', id)!)).toMatchObject({ money: { stopped: 'unfunded' } })
})

test('money that comes in wakes a campaign that nobody has paid for, and credit that is taken back stops it', async () => {
  const { id: advertiserId } = (await world.command('createAdvertiser', null, { name: 'A' })) as {
    id: string
  }
  await world.command('createCampaign', null, { ...CAMPAIGN, advertiserId })
  const advertiser = parseId('advertiser', advertiserId)
  const stopped = () =>
    world.told
      .flatMap(({ catalog }) => catalog)
      .flatMap(change => (change.kind === 'money' ? change.money.stopped : []))
  await world.command('patchAdvertiser', advertiser, { creditLimitMicros: 250_000 })
  await world.command('patchAdvertiser', advertiser, { creditLimitMicros: 0 })
  await world.command('deposit', advertiser, { amountMicros: 250_000 })
  expect(stopped()).toEqual(['unfunded', null, 'unfunded', null])
})

test('a deposit that would not be exact with the credit is refused', async () => {
  const terms = { name: 'A', creditLimitMicros: Number.MAX_SAFE_INTEGER }
  const { id } = (await world.command('createAdvertiser', null, terms)) as { id: string }
  const deposit = world.command('deposit', parseId('advertiser', id), { amountMicros: 1 })
  await expect(deposit).rejects.toThrow('refused')
})

test('a command that came ahead of its turn is left to be sent again, and one that came twice is decided once', async () => {
  const actor: Command['actor'] = { keyId: 'key_test', role: 'admin', accountId: null }
  for (const sequence of [2, 1, 1, 2, 1]) {
    const body = { name: `A${sequence}` }
    const requestId = `request-of-effect-${sequence}`
    const command: Command = {
      requestId,
      actor,
      at: world.now,
      name: 'createAdvertiser',
      home: 0,
      target: null,
      body,
    }
    const sent: EffectRecord = { source: 1, sequence, effect: { kind: 'command', command } }
    const buffer = new RecordBuffer()
    buffer.json(RecordKind.effect, 0, world.now, sent)
    await world.append(buffer)
    await world.drain()
  }
  const made = world.store.all(`SELECT doc ->> '$.name' AS name FROM entity ORDER BY number`, [])
  expect(made).toEqual([{ name: 'A1' }, { name: 'A2' }])
})

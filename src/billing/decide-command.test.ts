import { afterEach, beforeEach, expect, test } from 'bun:test'
import { TestDecider } from '../../test/test-decider.ts'
import { formatId, parseId } from '../core/ids.ts'

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

import { expect, test } from 'bun:test'
import { plainAd, plainCampaign } from '../../../test/random-campaigns.ts'
import type { Campaign } from '../../campaigns/campaign.ts'
import { CatalogBuilder } from '../../campaigns/catalog.ts'
import { newSharedColumns } from '../../campaigns/catalog-columns.ts'
import { CatalogReader } from '../../campaigns/catalog-reader.ts'
import { Choice } from '../../serving/serve.ts'
import { TOKEN_CHARACTERS } from '../../tracking/token.ts'
import { AdAnswers } from './ad-answers.ts'
import { adMarkup } from './creative.ts'
import { NOW, PUBLIC_URL } from './test-edge.ts'

/** A catalog that is edited, and choices of the only ad of a campaign in it. */
function catalog() {
  const builder = new CatalogBuilder(newSharedColumns())
  const reader = new CatalogReader()
  return {
    edit(...campaigns: Campaign[]) {
      builder.apply(
        campaigns.map(campaign => ({ kind: 'campaign', campaign, money: { stopped: null } })),
        NOW,
      )
      reader.install(builder.build(NOW)!)
    },
    choose(adSlot: number): Choice {
      const choice = new Choice()
      const { base, delta } = reader
      const snapshot = delta?.campaignSlots.includes(adSlot) ? delta : base!
      return Object.assign(choice, { snapshot, adSlot, adRow: snapshot.campaignSlots.indexOf(adSlot) })
    },
  }
}

function html(sequence: number, text: string, version = 1): Campaign {
  const ad = plainAd(sequence, 0, { creative: { kind: 'html', w: 300, h: 250, html: text } })
  return plainCampaign(sequence, { version, ads: [ad] })
}

const OFFERS = [
  { impressionId: '01a20b7d-fb8b-733e-91c6-b0e000000000', token: 'AQAB-_'.padEnd(TOKEN_CHARACTERS, '0') },
  { impressionId: '01a20b7d-fb8b-733e-91c6-b0e000000001', token: 'AQAC-_'.padEnd(TOKEN_CHARACTERS, '1') },
]

test('an answer is what writing it anew for each impression would give', () => {
  const world = catalog()
  const creatives = [
    html(1, '<b>"\'&\\ é \u2028 ${CLICK_URL} ${CLICK_URL_ENC} ${CACHEBUSTER} $& $1</b>'),
    plainCampaign(2),
    html(3, ''),
    // Longer than an answer has been.
    html(4, 'é'.repeat(40_000)),
  ]
  world.edit(...creatives)
  const answers = new AdAnswers(
    () => PUBLIC_URL,
    (ad, shown) => JSON.stringify({ ad, shown }),
  )
  for (const { impressionId, token } of OFFERS) {
    creatives.forEach(({ ads }, slot) => {
      const impressionUrl = `${PUBLIC_URL}/i?t=${token}`
      const clickUrl = `${PUBLIC_URL}/click?t=${token}`
      const { creative } = ads[0]!
      const adm = adMarkup({ creative, clickUrl, impressionUrl, cacheBuster: impressionId })
      const answer = JSON.parse(answers.of(world.choose(slot), { impressionId, token })) as Record<
        string,
        unknown
      >
      expect(answer['shown']).toEqual({ impressionId, impressionUrl, clickUrl, adm })
    })
  }
})

test('an id or token of another length, which would write over the ad, is refused', () => {
  const world = catalog()
  world.edit(html(1, ''))
  const answers = new AdAnswers(
    () => PUBLIC_URL,
    (_ad, { adm }) => adm,
  )
  const { impressionId, token } = OFFERS[0]!
  const answer = (impression: string, signed: string) =>
    answers.of(world.choose(0), { impressionId: impression, token: signed })
  expect(answer(impressionId, token)).toContain(token)
  expect(() => answer(`${impressionId}0`, token)).toThrow('an impression id of another length: 37')
  expect(() => answer(impressionId, token.slice(1))).toThrow('a token of another length: 117')
})

test('an edited ad is answered as edited, and an untouched one is not written again', () => {
  const world = catalog()
  const written: string[] = []
  const answers = new AdAnswers(
    () => PUBLIC_URL,
    (ad, { adm }) => {
      written.push(ad.campaignId)
      return adm
    },
  )
  world.edit(html(1, 'before'), html(2, 'other'))
  expect(answers.of(world.choose(0), OFFERS[0]!)).toContain('before')
  answers.of(world.choose(1), OFFERS[0]!)
  world.edit(html(1, 'after', 2))
  expect(answers.of(world.choose(0), OFFERS[1]!)).toContain('after')
  answers.of(world.choose(1), OFFERS[1]!)
  const [one, two] = [html(1, '').id, html(2, '').id]
  expect(written).toEqual([one, two, one])
})

test('what is kept is bounded in bytes, and what is used stays', () => {
  const world = catalog()
  world.edit(...Array.from({ length: 20 }, (_, i) => html(i + 1, 'x'.repeat(1000))))
  let written = 0
  const answers = new AdAnswers(
    () => PUBLIC_URL,
    (_ad, { adm }) => {
      written++
      return adm
    },
    8000,
  )
  for (let slot = 1; slot < 20; slot++) {
    answers.of(world.choose(0), OFFERS[0]!)
    answers.of(world.choose(slot), OFFERS[0]!)
  }
  expect(written).toBe(20)
  answers.of(world.choose(1), OFFERS[0]!)
  expect(written).toBe(21)
})

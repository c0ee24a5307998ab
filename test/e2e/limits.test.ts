import { afterAll, beforeAll, expect, test } from 'bun:test'
import { campaignBody, Installation, type Json } from './installation.ts'

const TEST_MS = 10_000
let farthing: Installation
let advertiserId: string
beforeAll(async () => {
  farthing = await Installation.start()
  advertiserId = (await farthing.must(201, 'POST', '/v1/advertisers', { name: 'A' })).id
})
afterAll(async () => farthing?.remove())

const BID = { model: 'cpc', amountMicros: 1000 } as const
const POSTS = ['/openrtb2/auction', '/v1/campaigns', '/v1/advertisers', '/events/click']

for (const path of POSTS) {
  test(
    `${path}: a body that is too large is 413`,
    async () => {
      const answer = await farthing.call('POST', path, `{"name":"${'x'.repeat(20_000_000)}"}`)
      expect(answer.status).toBe(413)
    },
    TEST_MS,
  )

  test(
    `${path}: JSON too deep, cut or of the wrong kind is 400`,
    async () => {
      for (const body of [
        `${'['.repeat(50_000)}${']'.repeat(50_000)}`,
        `{"id":${'{"a":'.repeat(5000)}1${'}'.repeat(5000)}}`,
        '{"id":',
        'null',
        '7',
        '""',
        '',
      ]) {
        const answer = await farthing.call('POST', path, body)
        expect(answer.status, body.slice(0, 20)).toBe(400)
        expect(answer.headers.get('content-type')).toContain('application/problem+json')
      }
    },
    TEST_MS,
  )
}

const REFUSED: readonly [string, Json, string][] = [
  ['an unknown field', { colour: 'red' }, 'colour'],
  ['an unknown nested field', { bid: { ...BID, extra: 1 } }, 'bid.extra'],
  ['a fraction of a micro', { bid: { model: 'cpc', amountMicros: 0.5 } }, 'bid.amountMicros'],
  ['a negative price', { bid: { model: 'cpc', amountMicros: -1 } }, 'bid.amountMicros'],
  ['a price over 2^53 - 1', { bid: { model: 'cpc', amountMicros: 2 ** 53 } }, 'bid.amountMicros'],
  ['a name that is too long', { name: 'x'.repeat(201) }, 'name'],
  ['an empty name', { name: '' }, 'name'],
  ['no ads', { ads: [] }, 'ads'],
]
for (const [what, change, path] of REFUSED) {
  test(
    `a campaign with ${what} is 400 and names ${path}`,
    async () => {
      const answer = await farthing.call('POST', '/v1/campaigns', campaignBody(advertiserId, BID, change))
      expect(answer.status).toBe(400)
      expect(answer.body.errors.map((error: Json) => error.path)).toContain(path)
    },
    TEST_MS,
  )
}

const LANDINGS = [
  'javascript:alert(1)',
  'JaVaScRiPt:alert(1)',
  'data:text/html,x',
  'file:///etc/passwd',
  '//example.com/',
  'https://user@example.com/',
  'https://example.com/"onload=x',
  'http://127.0.0.1/',
  'http://10.0.0.8/',
  'http://192.168.1.1/',
  'http://169.254.169.254/latest/meta-data',
  'http://[::1]/',
  'http://[::ffff:10.0.0.1]/',
  'http://2130706433/',
  'http://0x7f.1/',
  'http://localhost/',
]
for (const landingUrl of LANDINGS) {
  test(
    `a landing page at ${landingUrl} is refused`,
    async () => {
      const body = campaignBody(advertiserId, BID)
      body.ads[0].landingUrl = landingUrl
      const answer = await farthing.call('POST', '/v1/campaigns', body)
      expect([400, 422]).toContain(answer.status)
      expect(answer.text).toContain('landingUrl')
    },
    TEST_MS,
  )
}

test(
  'garbage tokens are 400 for a click, a picture for a pixel, and never an error of ours',
  async () => {
    for (const token of [
      '',
      'x',
      '%00',
      '%FF%FE',
      'A'.repeat(5000),
      '..%2F..',
      "'%20OR%201=1",
      '%F0%9F%92%A9',
    ]) {
      expect((await farthing.browse(`/click?t=${token}`)).status, token).toBe(400)
      const pixel = await farthing.browse(`/i?t=${token}`)
      expect(pixel.status, token).toBe(200)
      expect(pixel.headers.get('content-type')).toBe('image/gif')
      expect(pixel.headers.get('cache-control')).toBe('no-store')
    }
    expect((await farthing.browse('/i')).status).toBe(200)
  },
  TEST_MS,
)

test(
  'without a key it is 401, with an unknown one too',
  async () => {
    for (const Authorization of ['', 'Bearer nonsense', 'Basic dGVzdA==']) {
      expect((await farthing.call('GET', '/v1/campaigns', undefined, { Authorization })).status).toBe(401)
    }
  },
  TEST_MS,
)

test(
  'another account and what is not there are both 404',
  async () => {
    const other = (await farthing.must(201, 'POST', '/v1/advertisers', { name: 'B' })).id
    const { key } = await farthing.must(201, 'POST', '/v1/keys', { role: 'advertiser', accountId: other })
    const mine = { Authorization: `Bearer ${key}` }
    expect((await farthing.call('GET', `/v1/advertisers/${other}`, undefined, mine)).status).toBe(200)
    expect((await farthing.call('GET', `/v1/advertisers/${advertiserId}`, undefined, mine)).status).toBe(404)
    expect((await farthing.call('GET', '/v1/advertisers/adv_none', undefined, mine)).status).toBe(404)
    expect(
      (await farthing.call('POST', `/v1/advertisers/${other}/deposits`, { amountMicros: 1 }, mine)).status,
    ).toBe(403)
  },
  TEST_MS,
)

import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { requestLines } from '../../test/captured-requests.ts'
import {
  BLOCK_LIST_LENGTH_MAX,
  FIELD_ERRORS_MAX,
  ID_LENGTH_MAX,
  IMPS_MAX,
  JSON_DEPTH_MAX,
  LIST_LENGTH_MAX,
  LONG_TEXT_LENGTH_MAX,
  PRICE_MAX,
  TEXT_LENGTH_MAX,
} from './limits.ts'
import { jsonDepthWithin, validateBidRequest, validateNativeRequest } from './validate.ts'

function refusals(value: unknown): string[] {
  const outcome = validateBidRequest(value)
  return outcome.ok ? [] : outcome.errors.map(error => `${error.path}: ${error.message}`)
}

const banner = { format: [{ w: 300, h: 250 }] }
const imp = { id: '1', banner }
const sound = { id: 'r', imp: [imp] }

const withRequest = (fields: object) => ({ ...sound, ...fields })
const withImp = (fields: object) => ({ id: 'r', imp: [{ ...imp, ...fields }] })
const withDevice = (fields: object) => withRequest({ device: fields })
const withGeo = (fields: object) => withDevice({ geo: fields })
const withVideo = (fields: object) => withImp({ video: { mimes: ['video/mp4'], ...fields } })
const withNative = (request: unknown) => withImp({ native: { request } })
const withAssets = (...assets: unknown[]) => withNative(JSON.stringify({ ver: '1.2', assets }))
const title = { id: 1, title: { len: 90 } }

const INTEGER = 'must be an integer from 0 to 2147483647'
const PIXELS = 'must be an integer from 1 to 2147483647'
const FLAG = 'must be 0 or 1'
const TEXT = `must be a string of 0 to ${TEXT_LENGTH_MAX} characters`
const LONG_TEXT = `must be a string of 0 to ${LONG_TEXT_LENGTH_MAX} characters`
const ID = `must be a string of 0 to ${ID_LENGTH_MAX} characters`
const REQUIRED_ID = `must be a string of 1 to ${ID_LENGTH_MAX} characters`
const LIST = `must be an array of 0 to ${LIST_LENGTH_MAX} items`
const LIST_OF_SOME = `must be an array of 1 to ${LIST_LENGTH_MAX} items`
const BLOCK_LIST = `must be an array of 0 to ${BLOCK_LIST_LENGTH_MAX} items`
const IMPS = `must be an array of 1 to ${IMPS_MAX} items`
const PRICE = `must be a number from 0 to ${PRICE_MAX}`
const OBJECT = 'must be an object'
const LETTERS = 'must be a code of 3 letters'
const MEDIA = 'must have at least one of banner, video, audio, native'
const SIZE = 'must have w and h, or wratio and hratio'
const REPEATED = 'repeats the id of an earlier item'
const ONE_ASSET = 'must have exactly one of title, img, video, data'
const DURATIONS = 'must not come with minduration or maxduration'
const JSON_TEXT = `must be a string of JSON, nested at most ${JSON_DEPTH_MAX} deep`
const NATIVE = 'imp[0].native.request'

const rows: [value: unknown, ...errors: string[]][] = [
  // The request
  [null, `: ${OBJECT}`],
  [undefined, `: ${OBJECT}`],
  ['{}', `: ${OBJECT}`],
  [[sound], `: ${OBJECT}`],
  [{}, 'id: is required', 'imp: is required'],
  [{ imp: [imp] }, 'id: is required'],
  [withRequest({ id: '' }), `id: ${REQUIRED_ID}`],
  [withRequest({ id: 1 }), `id: ${REQUIRED_ID}`],
  [withRequest({ id: null }), `id: ${REQUIRED_ID}`],
  [withRequest({ id: 'x'.repeat(ID_LENGTH_MAX + 1) }), `id: ${REQUIRED_ID}`],
  [withRequest({ at: 0 }), `at: ${PIXELS}`],
  [withRequest({ at: 3 }), 'at: must be 1, 2, or 500 and above'],
  [withRequest({ at: '1' }), `at: ${PIXELS}`],
  [withRequest({ tmax: -1 }), `tmax: ${INTEGER}`],
  [withRequest({ tmax: 1.5 }), `tmax: ${INTEGER}`],
  [withRequest({ test: 2 }), `test: ${FLAG}`],
  [withRequest({ test: true }), `test: ${FLAG}`],
  [withRequest({ cur: 'USD' }), `cur: ${LIST}`],
  [withRequest({ cur: ['USD', 'US'] }), `cur[1]: ${LETTERS}`],
  [withRequest({ bcat: { 0: 'IAB1' } }), `bcat: ${BLOCK_LIST}`],
  [withRequest({ badv: ['a.com', 7, 'b.com', null] }), `badv[1]: ${TEXT}`, `badv[3]: ${TEXT}`],
  [withRequest({ badv: ['x'.repeat(TEXT_LENGTH_MAX + 1)] }), `badv[0]: ${TEXT}`],
  [withRequest({ badv: new Array(BLOCK_LIST_LENGTH_MAX + 1).fill('a') }), `badv: ${BLOCK_LIST}`],
  [withRequest({ bapp: [1] }), `bapp[0]: ${TEXT}`],
  [withRequest({ wseat: 's' }), `wseat: ${BLOCK_LIST}`],
  [withRequest({ bseat: [[]] }), `bseat[0]: ${TEXT}`],
  [withRequest({ ext: [] }), `ext: ${OBJECT}`],
  // Where the ad appears
  [withRequest({ site: {}, app: {} }), 'app: must not come with site'],
  [withRequest({ site: {}, dooh: {} }), 'dooh: must not come with site or app'],
  [withRequest({ app: {}, dooh: {} }), 'dooh: must not come with site or app'],
  [withRequest({ site: 'x.com' }), `site: ${OBJECT}`],
  [withRequest({ site: { domain: 5 } }), `site.domain: ${TEXT}`],
  [withRequest({ site: { page: {} } }), `site.page: ${LONG_TEXT}`],
  [withRequest({ site: { publisher: { id: 12 } } }), `site.publisher.id: ${ID}`],
  [withRequest({ app: { bundle: 1 } }), `app.bundle: ${TEXT}`],
  [withRequest({ dooh: { domain: [] } }), `dooh.domain: ${TEXT}`],
  // Impressions
  [{ id: 'r', imp: [] }, `imp: ${IMPS}`],
  [{ id: 'r', imp }, `imp: ${IMPS}`],
  [
    { id: 'r', imp: Array.from({ length: IMPS_MAX + 1 }, (_, n) => ({ id: `${n}`, banner })) },
    `imp: ${IMPS}`,
  ],
  [{ id: 'r', imp: [null] }, `imp[0]: ${OBJECT}`],
  [{ id: 'r', imp: [{ banner }] }, 'imp[0].id: is required'],
  [{ id: 'r', imp: [imp, imp] }, `imp[1].id: ${REPEATED}`],
  [{ id: 'r', imp: [{ id: '1' }] }, `imp[0]: ${MEDIA}`],
  [withImp({ id: 1 }), `imp[0].id: ${REQUIRED_ID}`],
  [withImp({ tagid: 1 }), `imp[0].tagid: ${ID}`],
  [withImp({ bidfloor: -0.01 }), `imp[0].bidfloor: ${PRICE}`],
  [withImp({ bidfloor: '1' }), `imp[0].bidfloor: ${PRICE}`],
  [withImp({ bidfloor: JSON.parse('1e999') }), `imp[0].bidfloor: ${PRICE}`],
  [withImp({ bidfloor: Number.NaN }), `imp[0].bidfloor: ${PRICE}`],
  [withImp({ bidfloorcur: 840 }), `imp[0].bidfloorcur: ${LETTERS}`],
  [withImp({ secure: 2 }), `imp[0].secure: ${FLAG}`],
  [withImp({ instl: false }), `imp[0].instl: ${FLAG}`],
  [withImp({ pmp: { deals: {} } }), `imp[0].pmp.deals: ${LIST}`],
  [withImp({ pmp: { deals: [{ bidfloor: 1 }] } }), 'imp[0].pmp.deals[0].id: is required'],
  [withImp({ pmp: { deals: [{ id: 'd', bidfloor: -1 }] } }), `imp[0].pmp.deals[0].bidfloor: ${PRICE}`],
  [withImp({ pmp: { private_auction: 2 } }), `imp[0].pmp.private_auction: ${FLAG}`],
  // Banners
  [withImp({ banner: [] }), `imp[0].banner: ${OBJECT}`],
  [withImp({ banner: { w: 0, h: 50 } }), `imp[0].banner.w: ${PIXELS}`],
  [withImp({ banner: { w: 320, h: '50' } }), `imp[0].banner.h: ${PIXELS}`],
  [
    withImp({
      banner: {
        format: [
          { w: 1, h: 1 },
          { w: 0, h: 2 },
        ],
      },
    }),
    `imp[0].banner.format[1].w: ${PIXELS}`,
  ],
  [withImp({ banner: { format: [{ w: 1.5, h: 1 }] } }), `imp[0].banner.format[0].w: ${PIXELS}`],
  [withImp({ banner: { format: [{ w: 300 }] } }), `imp[0].banner.format[0]: ${SIZE}`],
  [withImp({ banner: { battr: 1 } }), `imp[0].banner.battr: ${LIST}`],
  [withImp({ banner: { battr: ['1'] } }), `imp[0].banner.battr[0]: ${INTEGER}`],
  [withImp({ banner: { btype: [1, 2.5] } }), `imp[0].banner.btype[1]: ${INTEGER}`],
  // Video and audio
  [withImp({ video: {} }), 'imp[0].video.mimes: is required'],
  [withVideo({ mimes: [] }), `imp[0].video.mimes: ${LIST_OF_SOME}`],
  [withVideo({ protocols: 2 }), `imp[0].video.protocols: ${LIST}`],
  [withVideo({ rqddurs: [15], maxduration: 30 }), `imp[0].video.rqddurs: ${DURATIONS}`],
  [withImp({ audio: { mimes: 'audio/mp4' } }), `imp[0].audio.mimes: ${LIST_OF_SOME}`],
  // Device, user, regulations, source
  [withDevice({ ua: 1 }), `device.ua: ${TEXT}`],
  [withDevice({ ip: 3232235776 }), `device.ip: ${TEXT}`],
  [withDevice({ ipv6: null }), `device.ipv6: ${TEXT}`],
  [withDevice({ devicetype: 'phone' }), `device.devicetype: ${INTEGER}`],
  [withDevice({ ifa: {} }), `device.ifa: ${TEXT}`],
  [withDevice({ language: ['en'] }), `device.language: ${TEXT}`],
  [withDevice({ dnt: '0' }), `device.dnt: ${FLAG}`],
  [withDevice({ lmt: -1 }), `device.lmt: ${FLAG}`],
  [withGeo({ country: 'US' }), `device.geo.country: ${LETTERS}`],
  [withGeo({ country: 'U5A' }), `device.geo.country: ${LETTERS}`],
  [withGeo({ region: 5 }), `device.geo.region: ${TEXT}`],
  [withGeo({ lat: 90.1 }), 'device.geo.lat: must be a number from -90 to 90'],
  [withGeo({ lon: -181 }), 'device.geo.lon: must be a number from -180 to 180'],
  [withGeo({ type: 1.5 }), `device.geo.type: ${INTEGER}`],
  [withGeo({ utcoffset: 1441 }), 'device.geo.utcoffset: must be an integer from -1440 to 1440'],
  [withRequest({ user: { id: 1 } }), `user.id: ${TEXT}`],
  [withRequest({ user: { buyeruid: 1 } }), `user.buyeruid: ${TEXT}`],
  [withRequest({ user: { data: [{ segment: [{ id: 1 }] }] } }), `user.data[0].segment[0].id: ${ID}`],
  [withRequest({ user: { data: [{ segment: {} }] } }), `user.data[0].segment: ${LIST}`],
  [withRequest({ user: { eids: [{ uids: [{ id: 1 }] }] } }), `user.eids[0].uids[0].id: ${TEXT}`],
  [withRequest({ regs: { coppa: true } }), `regs.coppa: ${FLAG}`],
  [withRequest({ regs: { gdpr: 2 } }), `regs.gdpr: ${FLAG}`],
  [withRequest({ regs: { gpp: 1 } }), `regs.gpp: ${LONG_TEXT}`],
  [withRequest({ regs: { us_privacy: 1 } }), `regs.us_privacy: ${TEXT}`],
  [withRequest({ source: { fd: 2 } }), `source.fd: ${FLAG}`],
  [withRequest({ source: { tid: 1 } }), `source.tid: ${TEXT}`],
  [withRequest({ source: { schain: 'x' } }), `source.schain: ${OBJECT}`],
  // Native
  [withImp({ native: {} }), `${NATIVE}: is required`],
  [withNative({ assets: [title] }), `${NATIVE}: must be a string of 1 to ${LONG_TEXT_LENGTH_MAX} characters`],
  [withNative('{'), `${NATIVE}: ${JSON_TEXT}`],
  [withNative('['.repeat(65) + ']'.repeat(65)), `${NATIVE}: ${JSON_TEXT}`],
  [withNative('[]'), `${NATIVE}: ${OBJECT}`],
  [withNative('null'), `${NATIVE}: ${OBJECT}`],
  [withNative('{}'), `${NATIVE}.assets: is required`],
  [withNative('{"native":{}}'), `${NATIVE}.assets: is required`],
  [
    withNative(JSON.stringify({ native: { assets: [{ title: { len: 1 } }] } })),
    `${NATIVE}.assets[0].id: is required`,
  ],
  [withNative(JSON.stringify({ ver: 1.2, assets: [title] })), `${NATIVE}.ver: ${TEXT}`],
  [withAssets(), `${NATIVE}.assets: must be an array of 1 to 100 items`],
  [withAssets(title, { title: { len: 1 } }), `${NATIVE}.assets[1].id: is required`],
  [withAssets(title, title), `${NATIVE}.assets[1].id: ${REPEATED}`],
  [
    withAssets({ ...title, id: '1' }),
    `${NATIVE}.assets[0].id: must be an integer from -2147483647 to 2147483647`,
  ],
  [withAssets({ id: 1 }), `${NATIVE}.assets[0]: ${ONE_ASSET}`],
  [withAssets({ ...title, data: { type: 1 } }), `${NATIVE}.assets[0]: ${ONE_ASSET}`],
  [withAssets({ id: 1, title: {} }), `${NATIVE}.assets[0].title.len: is required`],
  [withAssets({ ...title, required: 2 }), `${NATIVE}.assets[0].required: ${FLAG}`],
  [withAssets({ id: 1, img: { type: '3' } }), `${NATIVE}.assets[0].img.type: ${INTEGER}`],
  [withAssets({ id: 1, img: { mimes: 'image/png' } }), `${NATIVE}.assets[0].img.mimes: ${LIST}`],
  [withAssets({ id: 1, data: { len: 9 } }), `${NATIVE}.assets[0].data.type: is required`],
  [
    withAssets({ id: 1, video: { mimes: ['video/mp4'], minduration: 5, maxduration: 30 } }),
    `${NATIVE}.assets[0].video.protocols: is required`,
  ],
]

describe('what breaks the standard is refused by path and reason', () => {
  test.each(
    rows.map((row, index): [name: string, row: (typeof rows)[number]] => [`${index} ${row[1]}`, row]),
  )('%s', (_, [value, ...errors]) => {
    expect(refusals(value)).toEqual(errors)
  })
})

describe('what the standard allows passes', () => {
  const allowed: [name: string, value: unknown][] = [
    ['the least request', sound],
    [
      'unknown fields, also of an odd name',
      withRequest({ foo: 1, constructor: 1, toString: null, device: { bar: [] } }),
    ],
    [
      'an own __proto__',
      JSON.parse('{"id":"r","__proto__":{"at":"x"},"imp":[{"id":"1","banner":{"__proto__":1}}]}'),
    ],
    ["an exchange's own auction type", withRequest({ at: 500 })],
    ['a flex format', withImp({ banner: { format: [{ wratio: 16, hratio: 9, wmin: 100 }] } })],
    ['a banner without a size', withImp({ banner: {} })],
    ['two impressions of different ids', { id: 'r', imp: [imp, { ...imp, id: '2' }] }],
    ['exact durations', withVideo({ rqddurs: [15, 30] })],
    ['a start delay before the content', withVideo({ startdelay: -2 })],
    [
      'a bare native request',
      withAssets(title, { id: 0, img: { type: 3, wmin: 50, hmin: 50 } }, { id: 5, data: { type: 1 } }),
    ],
    ['a wrapped native request', withNative(JSON.stringify({ native: { ver: '1.2', assets: [title] } }))],
    ['a floor of zero', withImp({ bidfloor: 0 })],
  ]
  test.each(allowed)('%s', (_, value) => {
    expect(refusals(value)).toEqual([])
  })
})

test('a refusal names at most 20 faults', () => {
  expect(refusals(withRequest({ badv: new Array(BLOCK_LIST_LENGTH_MAX).fill(0) }))).toHaveLength(
    FIELD_ERRORS_MAX,
  )
  expect(refusals({ id: 'r', imp: new Array(IMPS_MAX).fill({}) })).toHaveLength(FIELD_ERRORS_MAX)
  // The last imp has more of them than there is room for.
  const bad = { id: 5, tagid: 5, bidfloor: 'x', secure: 'x', instl: 'x', exp: 'x', rwdd: 'x' }
  expect(refusals({ id: 'r', imp: new Array(3).fill(bad) })).toHaveLength(FIELD_ERRORS_MAX)
})

test('a valid request comes back as it was, unknown fields and all', () => {
  const request = withRequest({ ext: { a: 1 }, foo: [1] })
  const outcome = validateBidRequest(request)
  expect(outcome.ok && Object.is(outcome.request, request)).toBe(true)
})

test('a native request is read once for serving, bare or wrapped', () => {
  const native = { ver: '1.2', assets: [title] }
  expect(validateNativeRequest(JSON.stringify(native))).toEqual({ ok: true, native })
  expect(validateNativeRequest(JSON.stringify({ native }))).toEqual({ ok: true, native })
  expect(validateNativeRequest('nonsense')).toEqual({ ok: false, errors: [{ path: '', message: JSON_TEXT }] })
})

test('all 10,000 captured requests pass', () => {
  const lines = requestLines()
  expect(lines).toHaveLength(10_000)
  for (const line of lines) {
    expect(jsonDepthWithin(line)).toBe(true)
    expect(refusals(JSON.parse(line))).toEqual([])
  }
})

describe('garbage is refused, never thrown at', () => {
  test('any value', () => {
    fc.assert(fc.property(fc.anything({ withNullPrototype: true }), value => !validateBidRequest(value).ok))
  })

  test('any value in the place of any field of a full request', () => {
    const full = withRequest({
      site: { publisher: {} },
      device: { geo: {} },
      user: { data: [{ segment: [{}] }] },
      regs: {},
      source: {},
      imp: [{ ...imp, video: { mimes: ['a'] }, native: { request: '{}' }, pmp: { deals: [{ id: 'd' }] } }],
    })
    const paths = placesIn(full)
    fc.assert(
      fc.property(fc.constantFrom(...paths), fc.jsonValue(), (path, value) => {
        const outcome = validateBidRequest(replaced(full, path, value))
        return outcome.ok || (outcome.errors.length > 0 && outcome.errors.length <= FIELD_ERRORS_MAX)
      }),
      { numRuns: 2_000 },
    )
  })

  test('any text as a native request', () => {
    fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), text => !validateNativeRequest(text).ok))
  })
})

describe('nesting', () => {
  const encoder = new TextEncoder()
  const nested = (depth: number) => `${'[{"a":'.repeat(depth / 2)}1${'}]'.repeat(depth / 2)}`
  const depths: [json: string, depthMax: number, within: boolean][] = [
    ['1', 0, true],
    ['[]', 0, false],
    ['[]', 1, true],
    [nested(64), 64, true],
    [nested(66), 64, false],
    [`[${'[],'.repeat(1_000)}[]]`, 2, true],
    [JSON.stringify(['['.repeat(100)]), 1, true],
    [JSON.stringify(['"[{\\"'.repeat(100)]), 1, true],
    [String.raw`["\\",[[]]]`, 2, false],
    [String.raw`["\"",[[]]]`, 3, true],
    ['["é漢𝄞[[[",[]]', 2, true],
    ['["never closed', 1, true],
    [']]]][[[[[', 1, true],
  ]
  test.each(depths)('%p within %p: %p', (json, depthMax, within) => {
    expect(jsonDepthWithin(json, depthMax)).toBe(within)
    expect(jsonDepthWithin(encoder.encode(json), depthMax)).toBe(within)
  })

  test('the depth that is counted is the depth that JSON.parse finds', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 8 }), fc.nat(9), (value, depthMax) => {
        const json = JSON.stringify(value)
        const within = depthOf(value) <= depthMax
        return (
          jsonDepthWithin(json, depthMax) === within &&
          jsonDepthWithin(encoder.encode(json), depthMax) === within
        )
      }),
      { numRuns: 2_000 },
    )
  })
})

function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  return 1 + Math.max(0, ...Object.values(value).map(depthOf))
}

type Place = readonly string[]

function placesIn(value: unknown, at: Place = []): Place[] {
  if (typeof value !== 'object' || value === null) return [at]
  return [at, ...Object.entries(value).flatMap(([name, inner]) => placesIn(inner, [...at, name]))]
}

function replaced(value: unknown, [name, ...rest]: Place, by: unknown): unknown {
  if (name === undefined) return by
  if (Array.isArray(value))
    return value.map((inner, index) => (`${index}` === name ? replaced(inner, rest, by) : inner))
  const entries = Object.entries(Object(value))
  return Object.fromEntries(
    entries.map(([key, inner]) => [key, key === name ? replaced(inner, rest, by) : inner]),
  )
}

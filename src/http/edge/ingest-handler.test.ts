import { expect, test } from 'bun:test'
import { plainCampaign } from '../../../test/random-campaigns.ts'
import { MemoryLog } from '../../adapters/memory/log.ts'
import { hash32 } from '../../core/bytes.ts'
import { formatId, formatUuid } from '../../core/ids.ts'
import { DAY_MS, MINUTE_MS, rfc3339 } from '../../core/time.ts'
import { deviceNumber } from '../../records/device.ts'
import { KEPT_BYTES_MAX } from '../../records/ingested.ts'
import { Reason } from '../../records/reasons.ts'
import { RECORD_BYTES_MAX, RecordKind } from '../../records/record.ts'
import { DataCentres } from '../../screening/data-centre.ts'
import { ImpressionIds } from '../../tracking/impression-ids.ts'
import { handleIngest, INGEST_BYTES_MAX, INGEST_ITEMS_MAX } from './ingest-handler.ts'
import { BROWSER, NOW, PARTITIONS, PLACEMENT, TestEdge } from './test-edge.ts'

const AD = plainCampaign(1).ads[0]!.id
const OWNER = plainCampaign(1).advertiserId

function chosenId(boot: number): string {
  const bytes = new Uint8Array(16)
  new ImpressionIds(boot, PARTITIONS).write(new DataView(bytes.buffer), 0, 0, NOW)
  return formatUuid(bytes, 0)
}

function edgeOver() {
  return new TestEdge([plainCampaign(1)], new MemoryLog(PARTITIONS, { now: () => NOW }))
}
type World = ReturnType<typeof edgeOver>

function post(world: World, body: unknown, kind: 'click' | 'impression' = 'click') {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  return handleIngest(world.edge, new Request('http://x/events/click', { method: 'POST', body: text }), kind)
}
const click = (change: object = {}) => ({ click_id: 'c1', ad_id: AD, timestamp: rfc3339(NOW), ...change })

interface Answer {
  readonly accepted: number
  readonly refused: readonly { readonly index: number; readonly code: string }[]
}

test('an event is in the log, on the partition of its id, when it is accepted', async () => {
  const world = edgeOver()
  const answer = await post(
    world,
    click({ placement_id: PLACEMENT.id, country: 'USA', device_type: 'mobile' }),
  )
  expect(answer.status).toBe(202)
  expect(await answer.json()).toEqual({ accepted: 1, refused: [] })
  const [record] = world.records()
  expect([record!.kind, record!.partition]).toEqual([RecordKind.ingestedEvents, hash32('c1') % PARTITIONS])
  expect(world.ingested()[0]).toMatchObject({
    type: 'click',
    eventId: 'c1',
    campaign: 256,
    placement: 256,
    publisher: 256,
    sharePpm: 700_000,
    timestamp: NOW,
    device: 2,
    verdict: Reason.none,
  })
})

test('an impression has an impression_id', async () => {
  const world = edgeOver()
  const { click_id: id, ...event } = click()
  expect((await post(world, { ...event, impression_id: id }, 'impression')).status).toBe(202)
  expect((await post(world, click(), 'impression')).status).toBe(400)
  expect(world.ingested().map(({ type }) => type)).toEqual(['impression'])
})

const REFUSED: readonly [name: string, change: object, code: string][] = [
  ['no click_id', { click_id: undefined }, 'invalid'],
  ['an empty click_id', { click_id: '' }, 'invalid'],
  ['a click_id that is too long', { click_id: 'x'.repeat(201) }, 'invalid'],
  ['a number for a click_id', { click_id: 7 }, 'invalid'],
  ['no ad_id', { ad_id: undefined }, 'invalid'],
  ['no timestamp', { timestamp: undefined }, 'invalid'],
  ['a number for a timestamp', { timestamp: NOW }, 'invalid'],
  ['a timestamp without a zone', { timestamp: '2026-11-01T12:00:00' }, 'invalid'],
  ['a timestamp in words', { timestamp: 'yesterday' }, 'invalid'],
  ['February 30th', { timestamp: '2026-02-30T12:00:00Z' }, 'invalid'],
  ['an hour that is not there', { timestamp: '2026-11-01T24:00:00Z' }, 'invalid'],
  ['a minute that is not there', { timestamp: '2026-11-01T12:60:00.000Z' }, 'invalid'],
  ['a second in words', { timestamp: '2026-11-01T12:00:0x.000Z' }, 'invalid'],
  ['a space for a digit', { timestamp: '2026-11-01T12:00:00. 00Z' }, 'invalid'],
  ['half of a surrogate pair in the click_id', { click_id: 'a\ud800' }, 'invalid'],
  ['a number for a country', { country: 1 }, 'invalid'],
  ['a list for a user agent', { user_agent: [] }, 'invalid'],
  ['more than 7 days ago', { timestamp: rfc3339(NOW - 7 * DAY_MS - 1) }, 'expired'],
  ['more than 5 minutes ahead', { timestamp: rfc3339(NOW + 5 * MINUTE_MS + 1) }, 'future'],
  ['an ad that is not there', { ad_id: 'ad_zzzz' }, 'unknownAd'],
  ['an ad id that is none', { ad_id: 'x' }, 'unknownAd'],
  ["another advertiser's ad", { advertiser_id: formatId('advertiser', 512) }, 'unknownAd'],
  ['the id of an impression that was chosen here', { click_id: chosenId(1) }, 'conflict'],
]
test.each(REFUSED)('%s is refused, and the good events beside it are not', async (_name, change, code) => {
  const world = edgeOver()
  const bad = click(change)
  const answer = await post(world, [click({ click_id: 'a' }), bad, click({ click_id: 'b' })])
  expect(answer.status).toBe(202)
  const { accepted, refused } = (await answer.json()) as Answer
  const id = typeof bad.click_id === 'string' ? bad.click_id : null
  expect([accepted, refused.length]).toEqual([2, 1])
  expect(refused[0]).toMatchObject({ index: 1, click_id: id, code })
  expect(
    world
      .ingested()
      .map(({ eventId }) => eventId)
      .sort(),
  ).toEqual(['a', 'b'])

  const alone = await post(world, bad)
  expect([alone.status, alone.headers.get('content-type')]).toEqual([400, 'application/problem+json'])
  expect(world.ingested()).toHaveLength(2)
})

test('the id of an impression that another installation chose is one like others', async () => {
  const answer = await post(edgeOver(), click({ click_id: chosenId(2) }))
  expect(answer.status).toBe(202)
})

test('7 days ago and 5 minutes ahead still count, in any offset and to any fraction', async () => {
  const world = edgeOver()
  const times = [
    rfc3339(NOW - 7 * DAY_MS),
    rfc3339(NOW + 5 * MINUTE_MS),
    '2026-11-01T14:00:00.123456789+02:00',
    '2026-11-01t12:00:00z',
    '2026-11-01T11:59:58Z',
    '2026-11-01T11:59:58.007Z',
  ]
  const answer = await post(
    world,
    times.map((timestamp, i) => click({ click_id: `c${i}`, timestamp })),
  )
  expect(((await answer.json()) as Answer).accepted).toBe(times.length)
  const read = new Map(world.ingested().map(event => [event.eventId, event.timestamp]))
  expect(times.map((_time, i) => read.get(`c${i}`))).toEqual(
    times.map(time => Date.parse(time.toUpperCase())),
  )
})

test.each(REFUSED)('%s, sent alone, is 400 with the same code', async (_name, change, code) => {
  const world = edgeOver()
  const answer = await post(world, click(change))
  const { detail, errors } = (await answer.json()) as {
    detail: string
    errors: { path: string; message: string; code: string }[]
  }
  expect([answer.status, errors.length, errors[0]!.code]).toEqual([400, 1, code])
  expect(detail).toBe(`The event is refused: ${errors[0]!.path} ${errors[0]!.message}.`)
  expect(world.records()).toHaveLength(0)
})

test('what is no event is named in a sentence', async () => {
  const answer = await post(edgeOver(), 7)
  expect(await answer.json()).toMatchObject({
    detail: 'The event is refused: an event must be an object.',
    errors: [{ path: '', message: 'must be an object', code: 'invalid' }],
  })
})

const WHOLE: readonly [name: string, body: unknown, status: number][] = [
  ['an empty array', [], 400],
  ['no JSON', '{', 400],
  ['nothing', '', 400],
  ['a number', 7, 400],
  ['null', 'null', 400],
  ['too many events', Array.from({ length: INGEST_ITEMS_MAX + 1 }, () => click()), 400],
  ['a body that is too large', `"${'x'.repeat(INGEST_BYTES_MAX)}"`, 413],
  [
    'too deep',
    `[${JSON.stringify(click()).replace('}', `,"metadata":${'['.repeat(100)}${']'.repeat(100)}}`)}]`,
    400,
  ],
]
test.each(WHOLE)('%s is refused as a whole', async (_name, body, status) => {
  const world = edgeOver()
  const answer = await post(world, body)
  expect([answer.status, answer.headers.get('content-type')]).toEqual([status, 'application/problem+json'])
  expect(world.records()).toHaveLength(0)
})

test('an array whose items are all bad is answered item by item', async () => {
  const answer = await post(edgeOver(), [7, null, [], 'x'])
  const { accepted, refused } = (await answer.json()) as Answer
  expect([answer.status, accepted, refused.map(({ code }) => code)]).toEqual([
    202,
    0,
    ['invalid', 'invalid', 'invalid', 'invalid'],
  ])
})

const KEYS: readonly [
  name: string,
  principal: { role: string; accountId: string | null } | null,
  status: number,
][] = [
  ['no key', null, 401],
  ["an advertiser's key", { role: 'advertiser', accountId: OWNER }, 403],
  ['a reader', { role: 'reader', accountId: OWNER }, 403],
  ['an ingest key of the account', { role: 'ingest', accountId: OWNER }, 202],
  ['an ingest key of no account', { role: 'ingest', accountId: null }, 202],
  ['an ingest key of another account', { role: 'ingest', accountId: formatId('advertiser', 512) }, 400],
  ['an admin', { role: 'admin', accountId: null }, 202],
]
test.each(KEYS)('%s', async (_name, principal, status) => {
  const world = edgeOver()
  world.principal = principal
  const answer = await post(world, click())
  expect(answer.status).toBe(status)
  // RFC 9110 section 11.6.1: a 401 says what would open it.
  expect(answer.headers.get('www-authenticate')).toBe(status === 401 ? 'Bearer' : null)
  expect(world.records()).toHaveLength(status === 202 ? 1 : 0)
})

test('content that differs in any field, unknown ones too, differs in its hash; order and receipt do not matter', async () => {
  const world = edgeOver()
  const hashOf = async (event: object) => {
    await post(world, event)
    return world.ingested().at(-1)!.contentHash
  }
  const first = await hashOf(click({ metadata: { a: 1, b: [2] } }))
  expect(first).toMatch(/^[0-9a-f]{16}$/)
  world.now += 1000
  const { click_id, ...rest } = click({ metadata: { b: [2], a: 1 } })
  expect(await hashOf({ ...rest, click_id })).toBe(first)
  for (const other of [{ metadata: { a: 1, b: [3] } }, { metadata: { a: 1, b: [2] }, unknown: 1 }, {}]) {
    expect(await hashOf(click(other))).not.toBe(first)
  }
})

test.each([
  ['a person', { user_agent: BROWSER }, Reason.none],
  ['nothing said', {}, Reason.none],
  ['a robot', { user_agent: 'Googlebot/2.1' }, Reason.crawler],
  ['an empty user agent', { user_agent: '' }, Reason.crawler],
  ['an address of a data centre', { ip: '198.51.100.7', user_agent: BROWSER }, Reason.dataCentre],
  ['a robot in a data centre', { ip: '198.51.100.7', user_agent: 'Googlebot/2.1' }, Reason.crawler],
])('%s is accepted, its verdict in the record', async (_name, change, verdict) => {
  const world = edgeOver()
  const parsed = DataCentres.parse('198.51.100.0/24')
  if (parsed.ok) Object.assign(world.edge, { dataCentres: parsed.value })
  expect((await post(world, click(change))).status).toBe(202)
  expect(world.ingested()[0]!['verdict']).toBe(verdict)
})

test('a country is known by either of its codes, or by the address', async () => {
  const world = edgeOver()
  for (const [i, change] of [{ country: 'DEU' }, { country: 'de' }, { ip: '203.0.113.9' }].entries()) {
    await post(world, click({ click_id: `c${i}`, ...change }))
  }
  expect(new Set(world.ingested().map(({ country }) => country)).size).toBe(1)
  expect(world.ingested()[0]!['country']).toBeGreaterThan(0)
})

test.each([
  ['what is said', { device_type: 'CTV', user_agent: BROWSER }, 'ctv'],
  ['its user agent, where nothing is said', { user_agent: BROWSER }, 'desktop'],
  ['its user agent, where what is said is none', { device_type: 'fridge', user_agent: BROWSER }, 'desktop'],
  ['neither', {}, 'unknown'],
] as const)('a device is known by %s', async (_name, change, device) => {
  const world = edgeOver()
  await post(world, click(change))
  expect(world.ingested()[0]!['device']).toBe(deviceNumber(device))
})

test('when the log refuses or is overloaded, the sender is told to send again', async () => {
  const world = edgeOver()
  world.log.failNext('lost')
  const lost = await post(world, click())
  world.overloaded = true
  const shed = await post(world, click())
  for (const answer of [lost, shed]) {
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '1'])
    expect(answer.headers.get('content-type')).toBe('application/problem+json')
  }
  expect([world.records().length, world.edge.log.buffer.byteLength]).toEqual([0, 0])
  expect([world.counter('lost'), world.counter('shed'), world.counter('ingested')]).toEqual([1, 1, 1])
})

test('an array is one record for each partition that it has ids of, in the order of the array', async () => {
  const world = edgeOver()
  const ids = Array.from({ length: INGEST_ITEMS_MAX }, (_, i) => `c${i}`)
  const answer = await post(
    world,
    ids.map(click_id => click({ click_id })),
  )
  expect(await answer.json()).toEqual({ accepted: INGEST_ITEMS_MAX, refused: [] })
  expect(world.records().map(({ partition }) => partition)).toEqual([0, 1, 2, 3])
  const order = (of: readonly string[]) => of.map(id => hash32(id) % PARTITIONS)
  const read = world.ingested().map(({ eventId }) => eventId)
  expect([...read].sort()).toEqual([...ids].sort())
  expect(order(read)).toEqual(order(read).sort())
  expect(read.filter(id => hash32(id) % PARTITIONS === 1)).toEqual(
    ids.filter(id => hash32(id) % PARTITIONS === 1),
  )
})

test('a click and an impression of one id have keys of their own', async () => {
  const world = edgeOver()
  const { click_id: id, ...event } = click()
  await post(world, { ...event, click_id: id })
  await post(world, { ...event, impression_id: id }, 'impression')
  expect(new Set(world.ingested().map(({ key }) => key)).size).toBe(2)
})

test('the longest ids of the most bytes fit a record', async () => {
  const world = edgeOver()
  const ids = Array.from({ length: INGEST_ITEMS_MAX }, (_, i) => `${i}`.padEnd(200, '語'))
  const answer = await post(
    world,
    ids.map(click_id => click({ click_id })),
  )
  expect(((await answer.json()) as Answer).accepted).toBe(INGEST_ITEMS_MAX)
  expect(new Set(world.ingested().map(({ eventId }) => eventId))).toEqual(new Set(ids))
})

test('fields that no rule reads are in the record of the log, as they were sent', async () => {
  const world = edgeOver()
  // `__proto__` only as text: in an object of the source it would be the prototype.
  const said = '"metadata":{"order":["A-1",2.5,null],"語":"\\ud800"},"__proto__":{"a":1},"impression_id":"i1"'
  await post(world, JSON.stringify(click({ user_id: 'u1', region: null })).replace('}', `,${said}}`))
  await post(world, [
    click({ click_id: 'c2', user_agent: BROWSER }),
    click({ click_id: 'c3', metadata: null }),
  ])
  await post(world, { ...click(), click_id: 7, impression_id: 'i2', campaign: 'x' }, 'impression')
  const kept = new Map(world.ingested().map(event => [event.eventId, event.kept]))
  expect(Object.fromEntries(Object.entries(JSON.parse(kept.get('c1')!)))).toEqual(JSON.parse(`{${said}}`))
  expect(Object.keys(JSON.parse(kept.get('c1')!)).sort()).toEqual(['__proto__', 'impression_id', 'metadata'])
  expect([kept.get('c2'), kept.get('c3')]).toEqual(['', '{"metadata":null}'])
  expect(JSON.parse(kept.get('i2')!)).toEqual({ click_id: 7, campaign: 'x' })
})

test('more than an event may keep is refused under the name of its longest field, and a byte less is not', async () => {
  const world = edgeOver()
  const around = JSON.stringify({ colour: 'red', metadata: '' }).length
  const most = (more: number) => ({
    colour: 'red',
    // Two bytes a character: the bound is of bytes.
    metadata: 'é'.repeat((KEPT_BYTES_MAX - around) >> 1) + 'x'.repeat(((KEPT_BYTES_MAX - around) & 1) + more),
  })
  const over = click({ click_id: 'over', ...most(1) })
  const answer = await post(world, [over, click({ click_id: 'fits', ...most(0) })])
  const { accepted, refused } = (await answer.json()) as Answer
  expect([answer.status, accepted, refused.length]).toEqual([202, 1, 1])
  expect(refused[0]).toMatchObject({ index: 0, click_id: 'over', code: 'tooLarge' })
  expect((refused[0] as { message?: string }).message).toStartWith('metadata is too large')
  const [event] = world.ingested()
  expect([event!.eventId, JSON.parse(event!.kept)]).toEqual(['fits', most(0)])

  const long = await post(world, click({ ['f'.repeat(KEPT_BYTES_MAX)]: 1 }))
  expect(await long.json()).toMatchObject({ errors: [{ path: 'f'.repeat(200) }] })

  const alone = await post(world, over)
  expect(alone.status).toBe(400)
  expect(await alone.json()).toMatchObject({ errors: [{ path: 'metadata' }] })
  expect(world.ingested()).toHaveLength(1)
})

test('an array that keeps more than a record holds is in several of them, in the order of the array', async () => {
  const world = edgeOver()
  const ids = Array.from({ length: 500 }, (_, i) => `c${i}`).filter(id => hash32(id) % PARTITIONS === 2)
  const answer = await post(
    world,
    ids.map(click_id => click({ click_id, metadata: 'x'.repeat(16_000) })),
  )
  expect(await answer.json()).toEqual({ accepted: ids.length, refused: [] })
  expect(ids.length * 16_000).toBeGreaterThan(RECORD_BYTES_MAX)
  expect(world.records().map(({ partition }) => partition)).toEqual([2, 2])
  expect(world.ingested().map(({ eventId, kept }) => [eventId, kept.length])).toEqual(
    ids.map(id => [id, 16_015]),
  )
})

import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import type { ReportQuery } from '../../ports/control.ts'
import { decimalOf, TooManyWindows, WINDOWS_MAX } from './queries-reports.ts'
import { AD, ADVERTISER, CAMPAIGN, NOW, PLACEMENT, PUBLISHER, TestStore } from './queries-test-store.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const at = (text: string) => Date.parse(text)

let store: TestStore
beforeEach(() => {
  store = new TestStore()
})
afterEach(() => store.close())

describe('aggregates', () => {
  const START = at('2026-11-24T08:00:00Z')
  const windows = async (start: number, end: number, granularity: 'minute' | 'hour' | 'day') =>
    (await store.queries.aggregates({ ad: AD, start, end, granularity })) as Record<string, unknown>[]

  test('are zero-filled windows of one ad, summed over all else', async () => {
    store.rollup(START, { impressions: 5, clicks: 1, spend: 250_000 })
    store.rollup(START, { impressions: 2, country: 7 })
    store.rollup(START + 59 * MINUTE, { clicks: 2, spend: 1 })
    store.rollup(START + 2 * HOUR, { impressions: 9 })
    store.rollup(START, { ad: AD + 256, impressions: 100 })
    expect(await windows(START, START + 3 * HOUR, 'hour')).toEqual([
      { window: '2026-11-24T08:00:00.000Z', impressions: 7, clicks: 3, spend: '0.250001', final: true },
      { window: '2026-11-24T09:00:00.000Z', impressions: 0, clicks: 0, spend: '0', final: true },
      { window: '2026-11-24T10:00:00.000Z', impressions: 9, clicks: 0, spend: '0', final: false },
    ])
  })

  test('are of the windows whose names are from the start and before the end, each whole', async () => {
    for (let i = 0; i < 4; i++) store.rollup(START + i * 30 * MINUTE, { impressions: 1 })
    const named = await windows(START + 1, START + HOUR + 1, 'hour')
    expect(named).toMatchObject([{ window: '2026-11-24T09:00:00.000Z', impressions: 2 }])
    expect(await windows(START, START, 'hour')).toEqual([])
    expect((await windows(START, START + HOUR, 'minute')).length).toBe(60)
    expect(await windows(at('2026-11-23T00:00:00Z'), NOW, 'day')).toMatchObject([
      { impressions: 0 },
      { impressions: 4 },
    ])
  })

  test('are final once an hour has passed since the end of the window', async () => {
    const final = async () => (await windows(START, START + MINUTE, 'minute'))[0]!['final']
    store.now = START + MINUTE + HOUR - 1
    expect(await final()).toBe(false)
    store.now = START + MINUTE + HOUR + 1
    expect(await final()).toBe(true)
  })

  test('are not final while a partition has yet to decide what may count in them', async () => {
    const final = async () => (await windows(START, START + MINUTE, 'minute'))[0]!['final']
    store.now = START + 5 * HOUR
    for (const partition of [0, 1])
      store.insert('position', { partition, next: 0, epoch: 1, last_hash: new Uint8Array(), state: '' })
    const decided = (partition: number, time: number) =>
      store.db
        .query('UPDATE position SET state = ? WHERE partition = ?')
        .run(JSON.stringify({ time, recent: [] }), partition)
    decided(0, store.now)
    decided(1, START + 30_000)
    expect(await final()).toBe(false)
    decided(1, START + HOUR)
    expect(await final()).toBe(true)
  })

  test('of too many windows are refused', async () => {
    expect(windows(START, START + (WINDOWS_MAX + 1) * MINUTE, 'minute')).rejects.toBeInstanceOf(
      TooManyWindows,
    )
    expect((await windows(START, START + WINDOWS_MAX * MINUTE, 'minute')).length).toBe(WINDOWS_MAX)
  })

  test('of the last minutes hold the minute under way', async () => {
    for (let i = -10; i <= 1; i++)
      store.rollup(NOW + i * MINUTE, { impressions: 1, clicks: 1, spend: 100_000 })
    store.now = NOW + 30_000
    expect(await store.queries.realtime({ ad: AD, windowMs: 5 * MINUTE })).toEqual({
      clicks: 6,
      impressions: 6,
      spend: '0.6',
      as_of: '2026-11-24T12:00:30.000Z',
    })
  })
})

test.each([
  [0, '0'],
  [1, '0.000001'],
  [250_000, '0.25'],
  [1_000_000, '1'],
  [12_345_678, '12.345678'],
  [-250_000, '-0.25'],
  [-5_000_000, '-5'],
  [Number.MAX_SAFE_INTEGER, '9007199254.740991'],
])('%d micros are %s', (amount, text) => expect(decimalOf(amount)).toBe(text))

describe('a report', () => {
  const whole: ReportQuery = {
    from: at('2026-11-20T00:00:00Z'),
    to: at('2026-11-27T00:00:00Z'),
    granularity: 'day',
    timeZone: 'UTC',
    groupBy: [],
    advertiser: null,
    publisher: null,
    campaign: null,
  }
  const rows = async (query: Partial<ReportQuery>) =>
    (await store.queries.report({ ...whole, ...query })).rows
  const happened = async (query: Partial<ReportQuery>) =>
    (await rows(query)).filter(row => row['impressions'] !== 0)
  const windowsOf = async (query: Partial<ReportQuery>) =>
    (await happened(query)).map(({ window, impressions }) => [window, impressions])

  test('has a row for each window and group, with what it adds up to', async () => {
    const figures = { impressions: 10, clicks: 2, charges: 2, spend: 500_000, rejected: 1 }
    store.rollup(NOW, { ...figures, country: 235 })
    store.rollup(NOW + MINUTE, { ...figures, country: 235 })
    store.rollup(NOW, { impressions: 1 })
    const today = { from: at('2026-11-24T00:00:00Z'), to: at('2026-11-25T00:00:00Z') }
    expect(await rows({ ...today, groupBy: ['campaign', 'country'] })).toEqual([
      {
        window: '2026-11-24T00:00:00.000Z',
        campaign: 'cmp_e8',
        country: null,
        impressions: 1,
        clicks: 0,
        charges: 0,
        spendMicros: 0,
        rejected: 0,
      },
      {
        window: '2026-11-24T00:00:00.000Z',
        campaign: 'cmp_e8',
        country: 'USA',
        impressions: 20,
        clicks: 4,
        charges: 4,
        spendMicros: 1_000_000,
        rejected: 2,
      },
    ])
    expect(await rows({ groupBy: ['advertiser'], granularity: 'total' })).toMatchObject([
      { window: '2026-11-20T00:00:00.000Z', advertiser: 'adv_74', impressions: 21 },
    ])
  })

  test('names every dimension, and what is unknown null', async () => {
    store.rollup(NOW, { impressions: 1, placement: 0, publisher: 0 })
    const [row] = await rows({
      groupBy: ['campaign', 'ad', 'placement', 'publisher', 'advertiser', 'country', 'device'],
    })
    expect(row).toMatchObject({
      campaign: 'cmp_e8',
      ad: 'ad_lc',
      advertiser: 'adv_74',
      placement: null,
      publisher: null,
      country: null,
      device: 'unknown',
    })
  })

  test('holds the figures of those that it is asked for only', async () => {
    store.rollup(NOW, { impressions: 1 })
    const other = {
      ad: 9,
      campaign: CAMPAIGN + 256,
      advertiser: ADVERTISER + 256,
      publisher: PUBLISHER + 256,
    }
    store.rollup(NOW, { impressions: 10, ...other })
    const counted = async (query: Partial<ReportQuery>) => (await happened(query))[0]?.['impressions']
    expect(await counted({})).toBe(11)
    expect(await counted({ advertiser: ADVERTISER })).toBe(1)
    expect(await counted({ publisher: other.publisher })).toBe(10)
    expect(await counted({ campaign: CAMPAIGN, publisher: PUBLISHER })).toBe(1)
    expect(await happened({ campaign: CAMPAIGN, publisher: other.publisher })).toEqual([])
    expect(await happened({ from: NOW + 1 })).toEqual([])
  })

  test('has every window of each group in which something happened', async () => {
    store.rollup(NOW, { impressions: 3, country: 235 })
    store.rollup(NOW - HOUR, { impressions: 1, country: 0 })
    const hour = { from: NOW - HOUR, to: NOW + HOUR, granularity: 'hour' as const }
    const counts = (await rows({ ...hour, groupBy: ['country'] })).map(
      ({ window, country, impressions }) => `${String(window).slice(11, 13)} ${country} ${impressions}`,
    )
    expect(counts).toEqual(['11 null 1', '11 USA 0', '12 null 0', '12 USA 3'])
    expect(await rows({ ...hour, granularity: 'minute', groupBy: ['country'] })).toHaveLength(240)
    expect(await rows({ ...hour, granularity: 'total', groupBy: ['country'] })).toHaveLength(2)
    expect(await rows({ ...hour, publisher: PUBLISHER + 256, groupBy: ['country'] })).toEqual([])
  })

  test('without groups has every window that starts before its end, also where nothing happened', async () => {
    store.rollup(NOW, { impressions: 3 })
    const counts = async (query: Partial<ReportQuery>) =>
      (await rows(query)).map(({ window, impressions }) => `${window} ${impressions}`)
    expect(await counts({ from: at('2026-11-23T00:00Z'), to: at('2026-11-26T00:00Z') })).toEqual([
      '2026-11-23T00:00:00.000Z 0',
      '2026-11-24T00:00:00.000Z 3',
      '2026-11-25T00:00:00.000Z 0',
    ])
    const hour = { from: NOW - HOUR, to: NOW + HOUR, granularity: 'hour' as const }
    expect(await counts(hour)).toEqual(['2026-11-24T11:00:00.000Z 0', '2026-11-24T12:00:00.000Z 3'])
    expect(await rows({ ...hour, granularity: 'minute' })).toHaveLength(120)
    expect(await counts({ ...hour, from: NOW + 1, to: NOW + MINUTE, granularity: 'minute' })).toEqual([])
    // The day on which the clocks go back has 25 hours.
    const berlin = { timeZone: 'Europe/Berlin', from: at('2026-10-24T22:00Z'), to: at('2026-10-26T23:00Z') }
    expect(await counts(berlin)).toEqual(['2026-10-24T22:00:00.000Z 0', '2026-10-25T23:00:00.000Z 0'])
    expect(await rows({ ...berlin, granularity: 'hour' })).toHaveLength(49)
    expect(await rows({ granularity: 'total', publisher: PUBLISHER + 256 })).toMatchObject([
      { impressions: 0, spendMicros: 0 },
    ])
  })

  test('goes by the days of its zone, through a change of clocks', async () => {
    // Clocks in Berlin go back on 25 October 2026 at 01:00Z.
    for (const time of ['2026-10-24T21:59Z', '2026-10-24T22:00Z', '2026-10-25T22:59Z', '2026-10-25T23:00Z']) {
      store.rollup(at(time), { impressions: 1 })
    }
    const query = { from: at('2026-10-20T00:00Z'), timeZone: 'Europe/Berlin' }
    expect(await windowsOf(query)).toEqual([
      ['2026-10-23T22:00:00.000Z', 1],
      ['2026-10-24T22:00:00.000Z', 2],
      ['2026-10-25T23:00:00.000Z', 1],
    ])
  })

  test('goes by the hours of its zone', async () => {
    for (const time of ['12:29', '12:30', '13:29', '13:30']) {
      store.rollup(at(`2026-11-24T${time}:00Z`), { impressions: 1 })
    }
    const hourly = { granularity: 'hour' as const }
    expect(await windowsOf({ ...hourly, timeZone: 'Asia/Kolkata' })).toEqual([
      ['2026-11-24T11:30:00.000Z', 1],
      ['2026-11-24T12:30:00.000Z', 2],
      ['2026-11-24T13:30:00.000Z', 1],
    ])
    expect(await windowsOf({ ...hourly, timeZone: 'Asia/Kathmandu' })).toEqual([
      ['2026-11-24T12:15:00.000Z', 2],
      ['2026-11-24T13:15:00.000Z', 2],
    ])
    expect(await windowsOf(hourly)).toEqual([
      ['2026-11-24T12:00:00.000Z', 2],
      ['2026-11-24T13:00:00.000Z', 2],
    ])
    expect((await windowsOf({ granularity: 'minute' })).length).toBe(4)
  })

  test('counts requests where they belong to what is asked for', async () => {
    store.rollup(NOW, { impressions: 4 })
    const said = { placement: PLACEMENT, publisher: PUBLISHER, country: 0, device: 0 }
    store.insert('requests', { minute: NOW, ...said, requests: 10 })
    store.insert('requests', { minute: NOW, ...said, placement: 0, publisher: 0, requests: 7 })
    expect(await happened({})).toMatchObject([{ requests: 17, impressions: 4 }])
    expect(await rows({ granularity: 'total', groupBy: ['placement'] })).toMatchObject([
      { placement: null, requests: 7, impressions: 0 },
      { placement: 'plc_zk', requests: 10, impressions: 4 },
    ])
    expect(await happened({ publisher: PUBLISHER })).toMatchObject([{ requests: 10 }])
    expect((await rows({ groupBy: ['campaign'] }))[0]).not.toHaveProperty('requests')
    expect((await rows({ advertiser: ADVERTISER }))[0]).not.toHaveProperty('requests')
  })

  test('is final an hour after its end, and says of when it is', async () => {
    const said = async (to: number) => (await store.queries.report({ ...whole, to })).final
    expect(await said(NOW - HOUR - 1)).toBe(true)
    expect(await said(NOW - HOUR + 1)).toBe(false)
    expect((await store.queries.report(whole)).asOf).toBe('2026-11-24T12:00:00.000Z')
    const behind = JSON.stringify({ time: NOW - 2 * HOUR })
    store.insert('position', { partition: 0, next: 0, epoch: 1, last_hash: new Uint8Array(), state: behind })
    expect(await said(NOW - HOUR - 1)).toBe(false)
    expect(await said(NOW - 3 * HOUR)).toBe(true)
  })

  test('of too many rows is refused', async () => {
    store.db.transaction(() => {
      for (let i = 0; i <= WINDOWS_MAX; i++) store.rollup(NOW, { placement: i, impressions: 1 })
    })()
    expect(rows({ groupBy: ['placement'] })).rejects.toBeInstanceOf(TooManyWindows)
    expect(await happened({})).toMatchObject([{ impressions: WINDOWS_MAX + 1 }])
  })
})

import { expect, test } from 'bun:test'
import { pick, type Random, randomFrom } from '../../test/random-campaigns.ts'
import { MINUTE_MS } from '../core/time.ts'
import type { Campaign, Schedule } from './campaign.ts'
import { campaignDay, campaignStatus, scheduleHoldsUntil, scheduleState } from './schedule.ts'

const hours = (zone: string, at: string) => {
  const { start, end } = campaignDay(zone, Date.parse(at))
  return (end - start) / 3_600_000
}

test.each([
  ['Europe/Berlin', '2026-03-29T12:00:00Z', '2026-03-29', '2026-03-28T23:00:00.000Z', 23],
  ['Europe/Berlin', '2026-10-25T12:00:00Z', '2026-10-25', '2026-10-24T22:00:00.000Z', 25],
  ['Europe/Berlin', '2026-07-01T22:00:00Z', '2026-07-02', '2026-07-01T22:00:00.000Z', 24],
  ['America/New_York', '2026-03-08T12:00:00Z', '2026-03-08', '2026-03-08T05:00:00.000Z', 23],
  ['America/New_York', '2026-11-01T12:00:00Z', '2026-11-01', '2026-11-01T04:00:00.000Z', 25],
  ['Asia/Kathmandu', '2026-05-05T18:20:00Z', '2026-05-06', '2026-05-05T18:15:00.000Z', 24],
  ['Australia/Lord_Howe', '2026-04-05T00:00:00Z', '2026-04-05', '2026-04-04T13:00:00.000Z', 24.5],
  ['Australia/Lord_Howe', '2026-10-04T00:00:00Z', '2026-10-04', '2026-10-03T13:30:00.000Z', 23.5],
  // Clocks went from 00:00 to 01:00: the day begins at one o'clock.
  ['America/Sao_Paulo', '2018-11-04T12:00:00Z', '2018-11-04', '2018-11-04T03:00:00.000Z', 23],
  // Clocks went from 24:00 back to 23:00: the day before has 25 hours.
  ['America/Sao_Paulo', '2018-02-17T12:00:00Z', '2018-02-17', '2018-02-17T02:00:00.000Z', 25],
  ['America/Sao_Paulo', '2018-02-18T12:00:00Z', '2018-02-18', '2018-02-18T03:00:00.000Z', 24],
  // The zone skipped 30 December: 29 is followed by 31.
  ['Pacific/Apia', '2011-12-30T09:59:59Z', '2011-12-29', '2011-12-29T10:00:00.000Z', 24],
  ['Pacific/Apia', '2011-12-30T10:00:00Z', '2011-12-31', '2011-12-30T10:00:00.000Z', 24],
  // Clocks went back from 00:01 to 23:01: the new day has begun, and goes on.
  ['America/St_Johns', '2010-11-07T03:00:00Z', '2010-11-07', '2010-11-07T02:30:00.000Z', 25],
  ['UTC', '1970-01-01T00:00:00Z', '1970-01-01', '1970-01-01T00:00:00.000Z', 24],
] as const)('in %s the day of %s is %s, begins at %s and has %d hours', (zone, at, day, start, length) => {
  const found = campaignDay(zone, Date.parse(at))
  expect(found.day).toBe(day)
  expect(new Date(found.start).toISOString()).toBe(start)
  expect(hours(zone, at)).toBe(length)
})

test('days of every zone abut, and each instant lies in its own', () => {
  const zones = [
    'Europe/Berlin',
    'America/New_York',
    'Asia/Kathmandu',
    'Pacific/Apia',
    'Australia/Lord_Howe',
    'America/Sao_Paulo',
    'America/St_Johns',
    'Africa/Casablanca',
    'Asia/Tehran',
    'Pacific/Kiritimati',
  ]
  for (const zone of zones) {
    let at = Date.parse('2010-06-01T00:00:00Z')
    const until = Date.parse('2012-06-01T00:00:00Z')
    let last = campaignDay(zone, at)
    while (at < until) {
      at = last.end
      const next = campaignDay(zone, at)
      expect(next.start).toBe(last.end)
      expect(next.day > last.day).toBe(true)
      expect(campaignDay(zone, next.end - 1)).toEqual(next)
      expect(campaignDay(zone, next.start - 1)).toEqual(last)
      last = next
    }
  }
}, 30_000)

const schedule = (timeZone: string, days: number[], from: string, to: string): Schedule => ({
  startAt: null,
  endAt: null,
  timeZone,
  dayparts: [{ days, from, to }],
})
const open = (terms: Schedule, at: string) => scheduleState(terms, Date.parse(at)) === 'open'

test('a daypart goes by the wall clock on both sides of a change of clocks', () => {
  const morning = schedule('Europe/Berlin', [1, 2, 3, 4, 5, 6, 7], '08:00', '20:00')
  expect(open(morning, '2026-03-28T06:59:59Z')).toBe(false)
  expect(open(morning, '2026-03-28T07:00:00Z')).toBe(true)
  expect(open(morning, '2026-03-29T06:00:00Z')).toBe(true)
  expect(open(morning, '2026-03-29T18:00:00Z')).toBe(false)
})

test('an hour that is repeated opens twice, one that is skipped not at all', () => {
  const night = schedule('Europe/Berlin', [7], '02:00', '03:00')
  expect(open(night, '2026-10-25T00:30:00Z')).toBe(true)
  expect(open(night, '2026-10-25T01:30:00Z')).toBe(true)
  expect(open(night, '2026-10-25T02:00:00Z')).toBe(false)
  for (let minute = 0; minute < 180; minute++) {
    expect(scheduleState(night, Date.parse('2026-03-29T00:00:00Z') + minute * 60_000)).toBe('closedByDaypart')
  }
})

test.each([
  ['2026-11-27T21:59:59Z', false],
  ['2026-11-27T22:00:00Z', true],
  ['2026-11-28T05:59:59Z', true],
  ['2026-11-28T06:00:00Z', false],
  ['2026-11-28T22:30:00Z', false],
  ['2026-11-27T03:00:00Z', false],
])('a daypart over midnight belongs to the day on which it begins: at %s it is open: %p', (at, is) => {
  // 27 November 2026 is a Friday.
  expect(open(schedule('UTC', [5], '22:00', '06:00'), at)).toBe(is)
})

test('a daypart over a midnight that is followed by a skipped day goes on in the day that comes', () => {
  // Thursday 29 December 2011 is followed by Saturday 31 in Apia.
  const night = schedule('Pacific/Apia', [4], '22:00', '06:00')
  expect(open(night, '2011-12-30T09:00:00Z')).toBe(true)
  expect(open(night, '2011-12-30T12:00:00Z')).toBe(true)
  expect(open(night, '2011-12-30T16:00:00Z')).toBe(false)
})

test.each(['24:00', '00:00'])('a daypart to %s goes to the end of its day', to => {
  const evening = schedule('UTC', [5], '20:00', to)
  expect(open(evening, '2026-11-27T19:59:59Z')).toBe(false)
  expect(open(evening, '2026-11-27T23:59:59Z')).toBe(true)
  expect(open(evening, '2026-11-28T00:00:00Z')).toBe(false)
  expect(open(evening, '2026-11-27T00:00:00Z')).toBe(false)
})

test('a daypart from a time to the same time is the whole day round', () => {
  const day = schedule('Asia/Kathmandu', [1], '00:00', '00:00')
  expect(open(day, '2026-11-22T18:15:00Z')).toBe(true)
  expect(open(day, '2026-11-23T18:14:59Z')).toBe(true)
  expect(open(day, '2026-11-23T18:15:00Z')).toBe(false)
})

test('start is within the schedule, end is not', () => {
  const terms = {
    startAt: '2026-11-01T00:00:00.000Z',
    endAt: '2026-12-01T00:00:00.000Z',
    timeZone: 'UTC',
    dayparts: [],
  }
  expect(scheduleState(terms, Date.parse('2026-10-31T23:59:59.999Z'))).toBe('scheduled')
  expect(scheduleState(terms, Date.parse('2026-11-01T00:00:00.000Z'))).toBe('open')
  expect(scheduleState(terms, Date.parse('2026-11-30T23:59:59.999Z'))).toBe('open')
  expect(scheduleState(terms, Date.parse('2026-12-01T00:00:00.000Z'))).toBe('ended')
})

test('a schedule is in one state for as long as it is said to hold', () => {
  for (let seed = 1; seed <= 200; seed++) {
    const random = randomFrom(seed)
    // Around the changes of clocks of these zones.
    const from = Date.parse(
      pick(random, ['2026-03-28T00:00:00Z', '2026-10-03T12:00:00Z', '2026-10-24T20:00:00Z']),
    )
    const terms = randomSchedule(random, from)
    for (let at = from; at < from + 2880 * MINUTE_MS; at += 1 + Math.floor(random() * 20 * MINUTE_MS)) {
      const until = scheduleHoldsUntil(terms, at)
      expect(until).toBeGreaterThan(at)
      const last = Math.min(until, from + 9000 * MINUTE_MS) - 1
      for (const other of [last, at + Math.floor(random() * (last - at))]) {
        expect({ seed, at, other, state: scheduleState(terms, other) }).toEqual({
          seed,
          at,
          other,
          state: scheduleState(terms, at),
        })
      }
    }
  }
})

function randomSchedule(random: Random, from: number): Schedule {
  const time = () =>
    new Date(from + Math.floor(random() * 2880) * MINUTE_MS + Math.floor(random() * 2)).toISOString()
  const minute = () => `${pick(random, ['00', '02', '11', '23'])}:${pick(random, ['00', '01', '30', '59'])}`
  const [first, second] = [time(), time()].sort()
  return {
    startAt: random() < 0.5 ? first! : null,
    endAt: random() < 0.5 ? second! : null,
    timeZone: pick(random, ['UTC', 'Europe/Berlin', 'Asia/Kathmandu', 'Australia/Lord_Howe']),
    dayparts: Array.from({ length: Math.floor(random() * 3) }, () => ({
      days: [1, 2, 3, 4, 5, 6, 7].filter(() => random() < 0.6),
      from: minute(),
      to: minute(),
    })),
  }
}

test.each([
  [{}, null, 'active'],
  [{ paused: true }, 'exhausted', 'paused'],
  [{ archived: true }, null, 'ended'],
  [{}, 'unfunded', 'unfunded'],
  [{}, 'exhaustedDaily', 'exhaustedDaily'],
  [
    { schedule: { startAt: '2030-01-01T00:00:00Z', endAt: null, timeZone: 'UTC', dayparts: [] } },
    null,
    'scheduled',
  ],
  [
    {
      schedule: { startAt: null, endAt: '2020-01-01T00:00:00Z', timeZone: 'UTC', dayparts: [] },
      paused: true,
    },
    null,
    'ended',
  ],
  [{ schedule: schedule('UTC', [1], '00:00', '00:01') }, null, 'active'],
] as const)('status of %p with money stopped by %p is %s', (change, stopped, status) => {
  const campaign = {
    paused: false,
    archived: false,
    schedule: { startAt: null, endAt: null, timeZone: 'UTC', dayparts: [] },
    ...change,
  }
  expect(
    campaignStatus(campaign as unknown as Campaign, { stopped }, Date.parse('2026-11-24T12:00:00Z')),
  ).toBe(status)
})

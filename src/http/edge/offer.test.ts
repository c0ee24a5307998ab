import { expect, test } from 'bun:test'
import { MemoryLog } from '../../adapters/memory/log.ts'
import { readTokenChosenAt } from '../../records/token-body.ts'
import { Choice } from '../../serving/serve.ts'
import { offerAd } from './offer.ts'
import { NOW, PARTITIONS, TestEdge } from './test-edge.ts'

const HOUR_MS = 3_600_000
const TERMS = { placement: 0, publisher: 0, sharePpm: 0, country: 0, device: 0, test: false }

test.each([
  { what: 'within its day, then', start: NOW - HOUR_MS, end: NOW + HOUR_MS, at: NOW },
  { what: 'of a day that is over, at its end', start: NOW - 2 * HOUR_MS, end: NOW, at: NOW - 1 },
  { what: 'of a day that has yet to begin, at its start', start: NOW + 1, end: NOW + HOUR_MS, at: NOW + 1 },
])('a choice is made $what: it is charged to the day whose money it is', ({ start, end, at }) => {
  const { edge, auction } = new TestEdge([], new MemoryLog(PARTITIONS, { now: () => NOW }))
  const choice = Object.assign(new Choice(), { dayStart: start, dayEnd: end })
  const { token } = offerAd(edge, auction.ids, choice, TERMS)
  expect(readTokenChosenAt(edge.signer.open(token)!)).toBe(at)
})

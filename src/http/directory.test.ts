import { expect, test } from 'bun:test'
import type { Publisher } from '../campaigns/campaign.ts'
import { Directory } from './directory.ts'

const DAY = 86_400_000
const FIRST = Date.UTC(2026, 10, 1)

function publisher(id: string, day: number, domain: string | null): Publisher {
  return {
    id,
    name: id,
    domain,
    email: null,
    revenueShare: 0.8,
    badv: [],
    bcat: [],
    monthlyTraffic: null,
    verified: false,
    createdAt: new Date(FIRST + day * DAY).toISOString(),
    version: 1,
  }
}

function directoryOf(...publishers: Publisher[]) {
  const directory = new Directory('admin')
  const apply = (...changed: Publisher[]) => {
    for (const each of changed) directory.apply({ kind: 'publisher', publisher: each })
  }
  apply(...publishers)
  return { apply, ownerOf: (domain: string) => directory.publisherByDomain(domain)?.id ?? null }
}

test('a domain leads to its publisher with and without www, in any case', () => {
  const { ownerOf } = directoryOf(publisher('pub_a', 0, 'www.daily.example'))
  expect(ownerOf('daily.example')).toBe('pub_a')
  expect(ownerOf('WWW.Daily.example')).toBe('pub_a')
  expect(ownerOf('other.example')).toBe(null)
})

test.each(['daily.example', 'www.daily.example'])(
  'a publisher that left %s is paid for it no more',
  domain => {
    const { apply, ownerOf } = directoryOf(publisher('pub_a', 0, domain))
    apply(publisher('pub_a', 0, 'weekly.example'))
    expect(ownerOf('daily.example')).toBe(null)
    expect(ownerOf('weekly.example')).toBe('pub_a')
    apply(publisher('pub_a', 0, null))
    expect(ownerOf('weekly.example')).toBe(null)
  },
)

test('a domain that two publishers name leads to the older one, in whatever order they are told', () => {
  const older = publisher('pub_b', 0, 'daily.example')
  const younger = publisher('pub_a', 1, 'www.daily.example')
  for (const told of [
    [older, younger],
    [younger, older],
    [older, younger, older, younger],
  ]) {
    expect(directoryOf(...told).ownerOf('daily.example')).toBe('pub_b')
  }
})

test('a publisher that leaves a domain leaves it to the other one that names it', () => {
  const { apply, ownerOf } = directoryOf(
    publisher('pub_a', 0, 'daily.example'),
    publisher('pub_b', 1, 'daily.example'),
  )
  apply(publisher('pub_a', 0, 'weekly.example'))
  expect(ownerOf('daily.example')).toBe('pub_b')
  apply(publisher('pub_a', 0, 'daily.example'))
  expect(ownerOf('daily.example')).toBe('pub_a')
})

import { expect, test } from 'bun:test'
import { reasonName } from '../records/reasons.ts'
import { AgentClassifier } from './agent.ts'
import { DataCentres } from './data-centre.ts'
import { ClickRate } from './rate.ts'
import { isSpeculative, type ScreenedEvent, type Screens, screen, Verdict } from './screen.ts'

const CHROME =
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36'
const click: ScreenedEvent = {
  kind: 'click',
  speculative: false,
  fromServer: false,
  userAgent: CHROME,
  address: '8.8.8.8',
  at: 1_700_000_000_000,
}

function screens(): Screens {
  const listed = DataCentres.parse('192.0.2.0/24')
  if (!listed.ok) throw new Error(listed.detail)
  return { agents: new AgentClassifier(), dataCentres: listed.value, clickRate: new ClickRate({ seed: 1 }) }
}

const rows: [title: string, event: Partial<ScreenedEvent>, verdict: Verdict][] = [
  ['a person is ok', {}, Verdict.ok],
  ['HEAD and prefetch are crawler', { speculative: true }, Verdict.crawler],
  ['HEAD and prefetch of a server too', { speculative: true, fromServer: true }, Verdict.crawler],
  ['a tool is crawler', { userAgent: 'curl/8.5.0' }, Verdict.crawler],
  ['no user agent is crawler', { userAgent: '' }, Verdict.crawler],
  ['a user agent that the server did not tell is nothing against it', { userAgent: null }, Verdict.ok],
  ['a listed address is dataCentre', { address: '192.0.2.4' }, Verdict.dataCentre],
  ['a crawler in a data centre is crawler', { address: '192.0.2.4', userAgent: 'curl/8' }, Verdict.crawler],
  ['burl is exempt from agents', { fromServer: true, userAgent: 'Go-http-client/1.1' }, Verdict.ok],
  ['burl is exempt from addresses', { fromServer: true, userAgent: '', address: '192.0.2.4' }, Verdict.ok],
  ['an address that the server did not tell is nothing against it', { address: null }, Verdict.ok],
]
test.each(rows)('%s', (_title, event, verdict) => {
  expect(screen({ ...click, ...event }, screens())).toBe(verdict)
})

test('the thirty-first click in a minute is rate; impressions, crawlers and burl do not count', () => {
  const shared = screens()
  const uncounted: Partial<ScreenedEvent>[] = [
    { kind: 'impression' },
    { speculative: true },
    { fromServer: true },
  ]
  for (let i = 0; i < 100; i++) for (const event of uncounted) screen({ ...click, ...event }, shared)
  for (let i = 0; i < 30; i++) expect(screen(click, shared)).toBe(Verdict.ok)
  expect(screen(click, shared)).toBe(Verdict.rate)
  expect(screen({ ...click, kind: 'impression' }, shared)).toBe(Verdict.ok)
})

test('verdicts are reasons, numbered as the log has them', () => {
  expect(Object.entries(Verdict)).toEqual([
    ['ok', 0],
    ['crawler', 1],
    ['rate', 2],
    ['dataCentre', 3],
  ])
  expect([1, 2, 3].map(reasonName)).toEqual(['crawler', 'rate', 'dataCentre'])
})

const requests: [speculative: boolean, method: string, headers: Record<string, string>][] = [
  [false, 'GET', {}],
  [false, 'GET', { Purpose: 'navigation', 'Sec-Purpose': '' }],
  [true, 'HEAD', {}],
  [true, 'GET', { Purpose: 'prefetch' }],
  [true, 'GET', { 'Sec-Purpose': 'prefetch' }],
  [true, 'GET', { 'Sec-Purpose': 'prefetch;prerender' }],
  [true, 'GET', { 'Sec-Purpose': 'prefetch;anonymous-client-ip' }],
  [true, 'GET', { 'X-Moz': 'prefetch' }],
  [true, 'GET', { 'X-Purpose': 'preview' }],
  [true, 'GET', { Purpose: 'Prefetch' }],
]
test.each(requests)('speculative: %p for %s with %p', (speculative, method, headers) => {
  expect(isSpeculative(method, new Headers(headers))).toBe(speculative)
})

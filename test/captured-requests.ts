/**
 * 10,000 bid requests as exchanges sent them in 2012. They are no part of this checkout: they are looked for in
 * ../shared/data, or where FARTHING_SHARED_DATA says. Without them as many made up ones of their shape stand in, so that
 * everything runs everywhere; what only real traffic can show is not shown then.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import type { BidRequest } from '../src/openrtb/types.ts'
import { pick, type Random, randomFrom, SIZES, someOf } from './random-campaigns.ts'

const { FARTHING_SHARED_DATA } = process.env
const FILE = join(
  FARTHING_SHARED_DATA ?? join(import.meta.dir, '../../shared/data'),
  'openrtb-requests.ndjson.gz',
)
export const CAPTURED_REQUESTS = 10_000
const SEED = 20120111

export const areCaptured = existsSync(FILE)

let lines: readonly string[] | null = null

/** One request a line, in their order of arrival. */
export function requestLines(): readonly string[] {
  lines ??= areCaptured ? gunzipSync(readFileSync(FILE)).toString('utf8').trimEnd().split('\n') : madeUp()
  return lines
}

export function capturedRequests(most: number): BidRequest[] {
  return requestLines()
    .slice(0, most)
    .map(line => JSON.parse(line) as BidRequest)
}

function madeUp(): string[] {
  const random = randomFrom(SEED)
  return Array.from({ length: CAPTURED_REQUESTS }, (_, index) => JSON.stringify(madeUpRequest(random, index)))
}

const DOMAINS = Array.from({ length: 3000 }, (_, index) => `www.site${index}.example`)
/** First two bytes of addresses that the table knows, with the exchange's word for the place. */
const PLACES = [
  { network: '73.162', country: 'USA', region: 'CA' },
  { network: '99.31', country: 'USA', region: 'WI' },
  { network: '68.32', country: 'USA', region: 'TX' },
  { network: '24.48', country: 'CAN', region: 'QC' },
  { network: '99.224', country: 'CAN', region: 'ON' },
] as const
const AGENTS = [
  'Mozilla/5.0 (compatible; MSIE 9.0; Windows NT 6.1; WOW64; Trident/5.0),gzip(gfe)',
  'Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 5.1; Trident/4.0; .NET CLR 1.0.3705),gzip(gfe)',
  'Mozilla/5.0 (Windows NT 6.1; WOW64; rv:9.0.1) Gecko/20100101 Firefox/9.0.1,gzip(gfe)',
  'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_6_8) AppleWebKit/534.52.7 (KHTML, like Gecko) Version/5.1.2 Safari/534.52.7',
  'Mozilla/5.0 (iPhone; CPU iPhone OS 5_0_1 like Mac OS X) AppleWebKit/534.46 (KHTML, like Gecko) Version/5.1 Mobile/9A405 Safari/7534.48.3',
]
const ROBOT = 'Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)'
const ROBOT_SHARE = 0.003
const BLOCKED = ['badoo.com', 'facebook.com', 'mamba.ru', 'odnoklassniki.ru', 'tagged.com', 'vk.com']

function madeUpRequest(random: Random, index: number): object {
  const [w, h] = pick(random, SIZES)
  const domain = pick(random, DOMAINS)
  const { network, country, region } = pick(random, PLACES)
  return {
    id: `made-up-${index}`,
    at: 1,
    tmax: 100,
    cur: ['USD'],
    imp: [
      {
        id: '1',
        banner: { format: [{ w, h }], pos: 0 },
        bidfloor: 0,
        bidfloorcur: 'USD',
        secure: random() < 0.5 ? 1 : 0,
      },
    ],
    site: { page: `http://${domain}/page/${index % 100}`, domain },
    device: {
      ua: random() < ROBOT_SHARE ? ROBOT : pick(random, AGENTS),
      ip: `${network}.${Math.floor(random() * 256)}.0`,
      language: 'en',
      geo: { country, region },
    },
    user: { id: `user-${Math.floor(random() * 5000)}` },
    ...(random() < 0.8 ? { badv: someOf(random, BLOCKED, 6) } : {}),
  }
}

/**
 * A long load over HTTP: auctions, renders, clicks, repeats and forgeries from ever new people. Memory must not grow
 * with time: the figure is what the process grew by from the end of the warm-up to the end. The long one gives all the
 * load that is answered, so that what is remembered of people within bounds is full before it is looked at; the short
 * one a fifth of that.
 * By itself: `bun bench/soak.ts [--short | --seconds N]`.
 */
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { capturedRequests } from '../test/captured-requests.ts'
import { BROWSER, campaignBody, Installation } from '../test/e2e/installation.ts'
import { post, sendAll } from './load.ts'
import { residentMbOf } from './process-usage.ts'

/** Auctions of one round: then their renders, and clicks on the round before. */
const AUCTIONS_A_ROUND = 1000
const CONNECTIONS = 32
const ROUND_MS_MAX = 20_000
const CAMPAIGNS = 8
const SIZES = [
  [300, 250],
  [728, 90],
  [160, 600],
  [336, 280],
] as const

export interface SoakFigures {
  readonly seconds: number
  readonly warmUpSeconds: number
  readonly auctions: number
  readonly clicks: number
  /** Resident, medians over a tenth of the time each: garbage comes and goes. */
  readonly startMb: number
  readonly endMb: number
  readonly grownMb: number
  /** The longest that the write-ahead logs of log and store were: a checkpoint that is kept waiting shows here. */
  readonly walMbMost: number
}

/** Of a short one: too short for what grows slowly. */
const SHORT = { seconds: 20, warmUpSeconds: 8, full: false }
const LONG = { seconds: 600, warmUpSeconds: 120, full: true }

export async function benchSoak(short: boolean): Promise<SoakFigures> {
  return soak(short ? SHORT : LONG)
}

interface SoakOptions {
  readonly seconds: number
  readonly warmUpSeconds: number
  /** Each round follows on the one before; else there is one a second. */
  readonly full: boolean
}

async function soak({ seconds, warmUpSeconds, full }: SoakOptions): Promise<SoakFigures> {
  const farthing = await Installation.start()
  try {
    await seed(farthing)
    const load = new SoakLoad(farthing.url)
    const residentMb: number[] = []
    let walMbMost = 0
    const startedAt = performance.now()
    for (let second = 0; second < seconds; second++) {
      const endsAt = startedAt + (second + 1) * 1000
      do await load.round()
      while (full && performance.now() < endsAt)
      await Bun.sleep(Math.max(0, endsAt - performance.now()))
      residentMb.push(residentMbOf(farthing.pid))
      for (const name of ['log.sqlite-wal', 'store.sqlite-wal']) {
        walMbMost = Math.max(walMbMost, statSync(join(farthing.data, name)).size / (1 << 20))
      }
      if ((performance.now() - startedAt) / 1000 >= seconds) break
    }
    const warmAt = Math.floor(residentMb.length * (warmUpSeconds / seconds))
    const span = Math.max(1, Math.floor(residentMb.length / 10))
    const startMb = median(residentMb.slice(warmAt, warmAt + span))
    const endMb = median(residentMb.slice(-span))
    const { auctions, clicks } = load
    return {
      seconds,
      warmUpSeconds,
      auctions,
      clicks,
      startMb,
      endMb,
      grownMb: endMb - startMb,
      walMbMost,
    }
  } finally {
    await farthing.remove()
  }
}

/** What people do with a round's worth of ads. */
class SoakLoad {
  auctions = 0
  clicks = 0
  private people = 0
  private shown: string[] = []
  private readonly requests = capturedRequests(10_000).map(request =>
    post('/openrtb2/auction', JSON.stringify(request)),
  )

  constructor(private readonly url: string) {}

  /** Clicks on what the round before showed, then auctions, then their renders. */
  async round(): Promise<void> {
    const clicks = this.shown.filter((_, at) => at % 10 === 0)
    const twice = clicks.filter((_, at) => at % 5 === 0)
    const forged = clicks.filter((_, at) => at % 20 === 0).map(token => `${token.slice(0, -4)}AAAA`)
    await this.send('/click', [...clicks, ...twice, ...forged])
    this.clicks += clicks.length
    this.shown = []
    const first = this.auctions
    await sendAll({
      url: this.url,
      connections: CONNECTIONS,
      limitMs: ROUND_MS_MAX,
      count: AUCTIONS_A_ROUND,
      message: at => this.requests[(first + at) % this.requests.length]!,
      onAnswer: ({ status, body }) => {
        const token = status === 200 ? /\/click\?t=([\w-]+)"/.exec(body)?.[1] : undefined
        if (token !== undefined) this.shown.push(token)
      },
    })
    this.auctions += AUCTIONS_A_ROUND
    await this.send('/i', this.shown)
  }

  private async send(path: string, tokens: readonly string[]): Promise<void> {
    if (tokens.length === 0) return
    const message = (at: number) => {
      const person = this.people++
      const peer = `84.${(person >> 16) & 255}.${(person >> 8) & 255}.${person & 255}`
      return Buffer.from(
        `GET ${path}?t=${tokens[at]} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: ${BROWSER}\r\nX-Forwarded-For: ${peer}\r\n\r\n`,
      )
    }
    const { url } = this
    const connections = Math.min(CONNECTIONS, tokens.length)
    await sendAll({ url, connections, limitMs: ROUND_MS_MAX, count: tokens.length, message })
  }
}

async function seed(farthing: Installation): Promise<void> {
  const advertiser = await farthing.must(201, 'POST', '/v1/advertisers', { name: 'Soak' })
  const amountMicros = 1_000_000_000_000
  await farthing.must(201, 'POST', `/v1/advertisers/${advertiser.id}/deposits`, { amountMicros })
  for (let i = 0; i < CAMPAIGNS; i++) {
    const bid = { model: i % 2 === 0 ? 'cpc' : 'cpm', amountMicros: 1_000_000 + i } as const
    const ads = SIZES.map(([w, h]) => ({
      name: `${w}x${h}`,
      landingUrl: 'https://example.com/a',
      creative: { kind: 'image', w, h, imageUrl: 'https://example.com/a.png' },
    }))
    const frequencyCap = { impressions: 100, perSeconds: 60 }
    await farthing.must(
      201,
      'POST',
      '/v1/campaigns',
      campaignBody(advertiser.id, bid, { ads, ...(i % 4 === 0 ? { frequencyCap } : {}) }),
    )
  }
  await Bun.sleep(1500)
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
}

if (import.meta.main) {
  const at = process.argv.indexOf('--seconds')
  const seconds = at < 0 ? LONG.seconds : Number(process.argv[at + 1])
  console.log(
    await (process.argv.includes('--short')
      ? benchSoak(true)
      : soak({ ...LONG, seconds, warmUpSeconds: seconds / 5 })),
  )
}

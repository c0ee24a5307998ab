/**
 * Clicks through a real `./farthing serve`, on ads whose impressions came before: redirects that are on disk, as many
 * as it takes, with what billing needs to catch up; then a steady rate that billing has to keep up with. Beside them,
 * in the same run, the same handler without a log.
 */
import { Installation } from '../test/e2e/installation.ts'
import { type ClickableCampaign, LANDING_URL, requestsFor, signClicks } from './click-tokens.ts'
import { type LoadFigures, sendAll } from './load.ts'
import { cpuSecondsOf, firstThreadSecondsOf } from './process-usage.ts'

const CONNECTIONS = 256
const ADVERTISERS = 4
const CAMPAIGNS_EACH = 4
const ADS_EACH = 4
const PRICE_MICROS = 10_000
const DEPOSIT_MICROS = 1_000_000_000_000
/**
 * Above the 40,000 that are to be charged in each second: what is charged cannot come to more than what is sent, and
 * begins later. All of the run counts, its start and what is not charged at its end too.
 */
const STEADY_PER_SECOND = 42_000
/** Clicks that warm the code up. */
const WARM = 30_000
/** Clicks sooner than this after their impression would be refused. */
const TOO_SOON_MS = 600

export interface ClickFigures {
  readonly clicks: number
  readonly redirectsPerSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  /** From the last redirect until billing has charged all; null where it had not within the bound. */
  readonly drainSeconds: number | null
  readonly charged: number
  /** A click, billing and drain included. */
  readonly cpuMicros: number
  /** Of the thread that serves. */
  readonly servingCpuMicros: number
  readonly generatorCpuMicros: number
  readonly withoutLog: Omit<LoadFigures, 'statuses' | 'seconds'> & {
    readonly redirectsPerSecond: number
    readonly servingCpuMicros: number
  }
  readonly steady: {
    readonly redirectsPerSecond: number
    readonly billedPerSecond: number
    readonly p50Ms: number
    readonly p99Ms: number
    /** The furthest that billing was behind, looked at every 50 ms. */
    readonly clicksBehindMax: number
    readonly drainSeconds: number | null
  }
}

export async function benchClicks(short: boolean): Promise<ClickFigures> {
  const farthing = await Installation.start()
  try {
    const burst = short ? 150_000 : 1_000_000
    const { tokens, ...figures } = await measure(farthing, burst, STEADY_PER_SECOND * (short ? 3 : 15))
    await farthing.stop()
    return { ...figures, withoutLog: await withoutLog(farthing.data, tokens, burst) }
  } finally {
    await farthing.remove()
  }
}

async function measure(farthing: Installation, burst: number, steady: number) {
  const { url, pid } = farthing
  const count = WARM + burst + steady
  const tokens = signClicks(farthing.data, await seed(farthing), PRICE_MICROS, count)
  const { decided } = await live(url)
  const shown = await load(url, requestsFor('/i', tokens), 0, count)
  expectAll(shown, 200)
  if ((await settled(url, 'decided', decided + count, 60_000)) === null) throw new Error('billing is stuck')
  await Bun.sleep(TOO_SOON_MS)

  const clicks = requestsFor('/click', tokens)
  await load(url, clicks, 0, WARM)
  await settled(url, 'charged', WARM, 10_000)
  const before = await live(url)
  const servingBefore = firstThreadSecondsOf(pid)
  const cpuBefore = cpuSecondsOf(pid)
  const fast = await load(url, clicks, WARM, burst)
  expectAll(fast, 302)
  const serving = firstThreadSecondsOf(pid) - servingBefore
  const drainSeconds = await settled(url, 'charged', before.charged + burst, 60_000)
  const cpu = cpuSecondsOf(pid) - cpuBefore
  const charged = (await live(url)).charged - before.charged
  return {
    tokens,
    clicks: fast.answered,
    redirectsPerSecond: fast.answered / fast.seconds,
    p50Ms: fast.p50Ms,
    p99Ms: fast.p99Ms,
    drainSeconds,
    charged,
    cpuMicros: (cpu * 1e6) / fast.answered,
    servingCpuMicros: (serving * 1e6) / fast.answered,
    generatorCpuMicros: fast.cpuMicros,
    steady: await measureSteady(url, clicks, WARM + burst, steady),
  }
}

/** At a rate that billing has to keep up with: what it is behind at the end counts against it. */
async function measureSteady(
  url: string,
  clicks: (index: number) => Uint8Array,
  from: number,
  count: number,
): Promise<ClickFigures['steady']> {
  const before = (await live(url)).charged
  const startedAt = performance.now()
  let clicksBehindMax = 0
  let ended = false
  const watching = (async () => {
    while (!ended) {
      const due = Math.min(count, ((performance.now() - startedAt) * STEADY_PER_SECOND) / 1000)
      clicksBehindMax = Math.max(clicksBehindMax, due - ((await live(url)).charged - before))
      await Bun.sleep(50)
    }
  })()
  const figures = await load(url, clicks, from, count, STEADY_PER_SECOND)
  const billed = (await live(url)).charged - before
  const seconds = (performance.now() - startedAt) / 1000
  ended = true
  await watching
  expectAll(figures, 302)
  return {
    redirectsPerSecond: figures.answered / figures.seconds,
    billedPerSecond: billed / seconds,
    p50Ms: figures.p50Ms,
    p99Ms: figures.p99Ms,
    clicksBehindMax: Math.round(clicksBehindMax),
    drainSeconds: await settled(url, 'charged', before + count, 60_000),
  }
}

async function withoutLog(folder: string, tokens: Buffer, burst: number) {
  const told = Promise.withResolvers<string>()
  const child = Bun.spawn([process.execPath, `${import.meta.dir}/click-server.ts`, folder], {
    ipc: message => told.resolve((message as { url: string }).url),
    stdout: 'inherit',
    stderr: 'inherit',
  })
  try {
    const url = await told.promise
    const clicks = requestsFor('/click', tokens)
    await load(url, clicks, 0, WARM)
    const before = firstThreadSecondsOf(child.pid)
    const { seconds, statuses: _, ...figures } = await load(url, clicks, WARM, burst)
    const serving = firstThreadSecondsOf(child.pid) - before
    return {
      ...figures,
      redirectsPerSecond: figures.answered / seconds,
      servingCpuMicros: (serving * 1e6) / figures.answered,
    }
  } finally {
    child.kill()
  }
}

function load(
  url: string,
  message: (index: number) => Uint8Array,
  from: number,
  count: number,
  perSecond?: number,
): Promise<LoadFigures> {
  return sendAll({
    url,
    connections: CONNECTIONS,
    limitMs: 60_000,
    count,
    message: index => message(from + index),
    ...(perSecond === undefined ? {} : { perSecond }),
  })
}

function expectAll({ statuses, answered }: LoadFigures, status: number): void {
  if (statuses.get(status) !== answered) throw new Error(`answers were ${JSON.stringify([...statuses])}`)
}

async function seed(farthing: Installation): Promise<ClickableCampaign[]> {
  const campaigns: ClickableCampaign[] = []
  for (let i = 0; i < ADVERTISERS; i++) {
    const { id } = await farthing.must(201, 'POST', '/v1/advertisers', { name: `Advertiser ${i}` })
    await farthing.must(201, 'POST', `/v1/advertisers/${id}/deposits`, { amountMicros: DEPOSIT_MICROS })
    for (let k = 0; k < CAMPAIGNS_EACH; k++) {
      campaigns.push(
        await farthing.must(201, 'POST', '/v1/campaigns', {
          advertiserId: id,
          name: `Campaign ${k}`,
          bid: { model: 'cpc', amountMicros: PRICE_MICROS },
          budget: {},
          ads: Array.from({ length: ADS_EACH }, (_, ad) => ({
            name: `Ad ${ad}`,
            landingUrl: LANDING_URL,
            creative: { kind: 'image', w: 300, h: 250, imageUrl: 'https://example.com/a.png' },
          })),
        }),
      )
    }
  }
  return campaigns
}

interface Live {
  readonly charged: number
  readonly decided: number
}

async function live(url: string): Promise<Live> {
  return (await (await fetch(`${url}/live.json`)).json()) as Live
}

/** Seconds until the count is there; null where it is not within the bound. */
async function settled(
  url: string,
  what: keyof Live,
  least: number,
  boundMs: number,
): Promise<number | null> {
  const startedAt = performance.now()
  while ((await live(url))[what] < least) {
    if (performance.now() - startedAt > boundMs) return null
    await Bun.sleep(10)
  }
  return (performance.now() - startedAt) / 1000
}

if (import.meta.main) console.log(await benchClicks(process.argv.includes('--short')))

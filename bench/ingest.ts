/**
 * Events from servers the whole way: HTTP arrays of 1,000, each event valid, durable, answered, its id checked, counted
 * or charged. `bun bench/ingest.ts [--short] [ids stored, in millions]`.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SqliteRunStorage } from '../src/adapters/sqlite/run-storage.ts'
import { SqliteStore } from '../src/adapters/sqlite/store.ts'
import { AgentClassifier } from '../src/screening/agent.ts'
import { IngestedIds } from '../src/tracking/ingested-ids.ts'
import { ROW_WORDS } from '../src/tracking/ingested-row.ts'
import { PARTITIONS } from '../src/wiring/embedded.ts'
import { capturedRequests } from '../test/captured-requests.ts'
import { ADMIN_KEY, Installation } from '../test/e2e/installation.ts'
import { cpuSecondsOf, threadSecondsOf } from './process-usage.ts'

const ARRAY = 1000
const CONNECTIONS = 8
const CAMPAIGNS = 8
/** Ids of one transaction while the folder is filled. */
const FILL = 5000
/** Microseconds of CPU an event, all threads: 100,000 events a second of a core. */
export const INGEST_CPU_MICROS_MAX = 10

export interface IngestFigures {
  readonly storedIds: number
  /** `counted`: clicks of CPM ads, which go into the reports; `charged`: of CPC ads, an entry of the ledger each. */
  readonly kind: 'counted' | 'charged'
  readonly events: number
  readonly bytesEach: number
  readonly acceptedPerSecond: number
  /** Until the last of them is in the reports. */
  readonly decidedPerSecond: number
  /** CPU of the process an event, from the first request until all are decided. */
  readonly cpuMicros: number
  /** Its busiest threads, the same way. */
  readonly threadMicros: readonly number[]
}

export async function benchIngest(short: boolean, millions = short ? 2 : 20): Promise<IngestFigures[]> {
  return [...(await measureWith(0, short)), ...(await measureWith(millions * 1_000_000, short))]
}

async function measureWith(storedIds: number, short: boolean): Promise<IngestFigures[]> {
  const data = mkdtempSync(join(tmpdir(), 'farthing-bench-ingest-'))
  try {
    fill(join(data, 'store.sqlite'), storedIds)
    const farthing = await Installation.at(data)
    try {
      const count = short ? 100_000 : 400_000
      const warm = new Scene(farthing, storedIds, await seed(farthing, 'cpm'))
      await warm.measure('counted', 30_000)
      const figures = [await warm.measure('counted', count)]
      const paid = new Scene(farthing, storedIds, await seed(farthing, 'cpc'))
      return [...figures, await paid.measure('charged', count)]
    } finally {
      await farthing.remove()
    }
  } finally {
    rmSync(data, { recursive: true, force: true })
  }
}

/** Ids as months of traffic would have left them: through the same runs and merges, spread over the partitions. */
function fill(path: string, storedIds: number): void {
  if (storedIds === 0) return
  const store = new SqliteStore(path, PARTITIONS)
  const random = new Uint32Array(FILL * ROW_WORDS)
  const second = Math.floor(Date.now() / 1000) - 86_400
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const ids = new IngestedIds(new SqliteRunStorage(store.db, partition))
    // Not all at the same number: runs are merged here and there, as they would be.
    const share = Math.floor((storedIds * (2 * partition + 1)) / PARTITIONS ** 2)
    for (let left = share; left > 0; left -= FILL) {
      for (let at = 0; at < random.length; at += 8192) crypto.getRandomValues(random.subarray(at, at + 8192))
      store.begin()
      for (let i = 0; i < Math.min(left, FILL); i++) {
        const row = random.subarray(i * ROW_WORDS, (i + 1) * ROW_WORDS)
        row[6] = second
        ids.add(row)
      }
      ids.save()
      store.db.run('COMMIT')
    }
  }
  store.close()
}

class Scene {
  constructor(
    private readonly farthing: Installation,
    private readonly storedIds: number,
    private readonly ads: readonly string[],
  ) {}

  async measure(kind: IngestFigures['kind'], count: number): Promise<IngestFigures> {
    const bodies = Array.from({ length: count / ARRAY }, () => Buffer.from(JSON.stringify(this.events())))
    const before = await this.clicks()
    const someAd = this.ads.slice(0, 1)
    const someBefore = await this.clicks(someAd)
    const { pid } = this.farthing
    const threads = threadSecondsOf(pid)
    const cpu = cpuSecondsOf(pid)
    const start = performance.now()
    let next = 0
    await Promise.all(
      Array.from({ length: CONNECTIONS }, async () => {
        for (let body = bodies[next++]; body !== undefined; body = bodies[next++]) await this.send(body)
      }),
    )
    const acceptedMs = performance.now() - start
    const until = start + acceptedMs + 60_000
    // One of the ads is asked for first: to ask for all each time would cost as much as a tenth of the events.
    while ((await this.clicks(someAd)) - someBefore < count / this.ads.length) {
      if (performance.now() > until) break
      await Bun.sleep(50)
    }
    while ((await this.clicks()) - before < count) {
      if (performance.now() > until)
        throw new Error(`${(await this.clicks()) - before} of ${count} events were decided within a minute`)
      await Bun.sleep(50)
    }
    const decidedMs = performance.now() - start
    const used = cpuSecondsOf(pid) - cpu
    const busiest = [...threadSecondsOf(pid)].map(
      ([thread, seconds]) => ((seconds - (threads.get(thread) ?? 0)) * 1e6) / count,
    )
    return {
      storedIds: this.storedIds,
      kind,
      events: count,
      bytesEach: bodies.reduce((sum, body) => sum + body.length, 0) / count,
      acceptedPerSecond: (count * 1000) / acceptedMs,
      decidedPerSecond: (count * 1000) / decidedMs,
      cpuMicros: (used * 1e6) / count,
      threadMicros: busiest.sort((a, b) => b - a).slice(0, 4),
    }
  }

  private async send(body: Buffer<ArrayBuffer>): Promise<void> {
    for (;;) {
      const response = await fetch(`${this.farthing.url}/events/click`, {
        method: 'POST',
        headers: HEADERS,
        body,
      })
      const text = await response.text()
      if (response.status === 202) {
        const { accepted } = JSON.parse(text) as { accepted: number }
        if (accepted !== ARRAY)
          throw new Error(`${accepted} of ${ARRAY} events were accepted: ${text.slice(0, 300)}`)
        return
      }
      if (response.status !== 503) throw new Error(`/events/click: ${response.status} ${text}`)
      await Bun.sleep(20)
    }
  }

  /** About what an ad server's back end reports. */
  private events(): unknown[] {
    return Array.from({ length: ARRAY }, (_, i) => ({
      click_id: crypto.randomUUID(),
      ad_id: this.ads[i % this.ads.length],
      user_id: `u-${i}`,
      timestamp: new Date().toISOString(),
      ip: `84.20.${i >> 8}.${i & 255}`,
      user_agent: AGENTS[i % AGENTS.length],
      country: 'DEU',
      device_type: 'mobile',
      metadata: { page: `/article/${i}`, slot: 'top' },
    }))
  }

  /** As the reports have them. */
  private async clicks(ads = this.ads): Promise<number> {
    const start = new Date(Date.now() - 86_400_000).toISOString()
    const end = new Date(Date.now() + 86_400_000).toISOString()
    let clicks = 0
    for (const ad of ads) {
      const query = `ad_id=${ad}&start=${start}&end=${end}&granularity=day`
      const response = await fetch(`${this.farthing.url}/aggregates?${query}`, { headers: HEADERS })
      for (const window of (await response.json()) as { clicks: number }[]) clicks += window.clicks
    }
    return clicks
  }
}

const HEADERS = { Authorization: `Bearer ${ADMIN_KEY}`, 'Content-Type': 'application/json' }
const classifier = new AgentClassifier()
const AGENTS = [
  ...new Set(
    capturedRequests(2000)
      .map(request => request.device?.ua ?? '')
      .filter(agent => agent !== '' && !classifier.classify(agent).robot),
  ),
].slice(0, 100)

/** The ads of new campaigns. */
async function seed(farthing: Installation, model: 'cpc' | 'cpm'): Promise<string[]> {
  const advertiser = await farthing.must(201, 'POST', '/v1/advertisers', { name: 'Bench' })
  await farthing.must(201, 'POST', `/v1/advertisers/${advertiser.id}/deposits`, {
    amountMicros: 1_000_000_000_000,
  })
  const ads: string[] = []
  for (let i = 0; i < CAMPAIGNS; i++) {
    const campaign = await farthing.must(201, 'POST', '/v1/campaigns', {
      advertiserId: advertiser.id,
      name: `Campaign ${i}`,
      bid: { model, amountMicros: 100_000 },
      ads: [
        {
          name: 'Ad',
          landingUrl: 'https://example.com/a',
          creative: { kind: 'image', w: 300, h: 250, imageUrl: 'https://example.com/a.png' },
        },
      ],
    })
    ads.push(campaign.ads[0].id)
  }
  return ads
}

if (import.meta.main) {
  const millions = process.argv.map(Number).find(number => number >= 0)
  for (const figures of await benchIngest(process.argv.includes('--short'), millions)) {
    const { storedIds, kind, acceptedPerSecond, decidedPerSecond, cpuMicros, threadMicros, bytesEach } =
      figures
    console.log(
      `${storedIds / 1e6}M ids, ${kind}: ${Math.round(acceptedPerSecond)}/s accepted, ${Math.round(decidedPerSecond)}/s decided, ` +
        `${cpuMicros.toFixed(1)} us CPU an event of ${bytesEach.toFixed(0)} B (threads ${threadMicros.map(micros => micros.toFixed(1)).join(', ')})`,
    )
  }
}

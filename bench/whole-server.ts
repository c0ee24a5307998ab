/**
 * A real `farthing serve` with 100,000 campaigns that were made over its API: what making one costs, memory, CPU while
 * nothing happens, auctions and edits at half load, how soon an edit is served, how long a restart takes.
 * By itself: `bun bench/whole-server.ts [--short | --campaigns N] [--minutes N]`.
 */
import { Installation } from '../test/e2e/installation.ts'
import { post, sendAll } from './load.ts'
import { marketRequests } from './market.ts'
import { type PacedFigures, sendPaced } from './paced-load.ts'
import { cpuSecondsOf, residentMbOf, threadSecondsOf } from './process-usage.ts'
import { seedCampaigns } from './whole-server-seed.ts'

const CONNECTIONS = 32
const EDITS_PER_SECOND = 20
const ROUNDS = 5
/** The compiler is at work for so many. */
const WARM_UP_REQUESTS = 60_000
const RATED_REQUESTS = 30_000
/** A plan is granted to, and garbage of the seeding goes, in the first seconds. */
const SETTLE_MS = 8000
const START_MS_MAX = 120_000
const STOP_MS_MAX = 60_000
/** API.md: a new or changed campaign serves so within a second of the answer. */
const SERVED_MS_MAX = 1000
const POLL_MS = 5

export interface WholeServerFigures {
  readonly campaigns: number
  readonly createdPerSecond: number
  readonly createCpuMicros: number
  readonly createP99Ms: number
  readonly residentMb: { seeded: number; loaded: number; restarted: number; later: number }
  /** Share of one core, over all threads; by thread, the busiest first. */
  readonly idleCores: number
  readonly idleThreads: readonly number[]
  readonly auctionsPerSecond: number
  readonly auctionCpuMicros: number
  readonly bidShare: number
  readonly calm: PacedFigures
  readonly edited: PacedFigures
  readonly edits: EditFigures
  readonly stopMs: number
  /** From the start of the command until /readyz is 200, and until an auction is answered with a bid. */
  readonly readyMs: number
  readonly firstBidMs: number
  /** The same after kill -9. */
  readonly readyAfterKillMs: number
}

interface EditFigures {
  readonly edits: number
  readonly p50Ms: number
  readonly p99Ms: number
  /** From an edit's answer until an auction shows it. */
  readonly servedP50Ms: number
  readonly servedMostMs: number
}

interface Options {
  readonly campaigns: number
  readonly roundSeconds: number
  readonly idleSeconds: number
  /** Of half load after all else, for the memory. */
  readonly minutes: number
  readonly tell: (line: string) => void
}

export async function benchWholeServer(options: Options): Promise<WholeServerFigures> {
  const farthing = await Installation.start()
  try {
    return await measure(farthing, options)
  } finally {
    await farthing.remove()
  }
}

async function measure(farthing: Installation, options: Options): Promise<WholeServerFigures> {
  const { campaigns, tell } = options
  const lone = await newLoneCampaign(farthing)
  const beforeSeed = cpuSecondsOf(farthing.pid)
  const { load: seeding, campaignIds } = await seedCampaigns(farthing, campaigns, tell)
  const createCpuMicros = ((cpuSecondsOf(farthing.pid) - beforeSeed) * 1e6) / campaigns
  tell(`made in ${seeding.seconds.toFixed(1)} s`)
  await Bun.sleep(SETTLE_MS)
  const residentMb = { seeded: residentMbOf(farthing.pid), loaded: 0, restarted: 0, later: 0 }
  const idle = await idleFor(farthing.pid, options.idleSeconds)
  tell(`idle: ${(100 * idle.cores).toFixed(1)}% of a core`)

  const auctions = new Auctions(farthing)
  await auctions.run(WARM_UP_REQUESTS)
  const beforeAuctions = cpuSecondsOf(farthing.pid)
  const full = await auctions.run(RATED_REQUESTS)
  const auctionCpuMicros = ((cpuSecondsOf(farthing.pid) - beforeAuctions) * 1e6) / RATED_REQUESTS
  const auctionsPerSecond = full.answered / full.seconds
  tell(`${Math.round(auctionsPerSecond)} auctions/s`)

  const calm: PacedFigures[] = []
  const edited: PacedFigures[] = []
  const editor = new Editor(farthing, campaignIds, lone)
  for (let i = 0; i < ROUNDS; i++) {
    calm.push(await auctions.pace(auctionsPerSecond / 2, options.roundSeconds))
    const editing = editor.edit(options.roundSeconds)
    edited.push(await auctions.pace(auctionsPerSecond / 2, options.roundSeconds))
    await editing
  }
  residentMb.loaded = residentMbOf(farthing.pid)
  tell('half load done')
  for (let minute = 0; minute < options.minutes; minute++) {
    const editing = editor.edit(60)
    await auctions.pace(auctionsPerSecond / 2, 60)
    await editing
    tell(`after ${minute + 1} min: ${residentMbOf(farthing.pid).toFixed(0)} MB`)
  }
  residentMb.later = residentMbOf(farthing.pid)

  const stopping = performance.now()
  await farthing.stop(STOP_MS_MAX)
  const stopMs = performance.now() - stopping
  const { readyMs, firstBidMs } = await startAgain(farthing, lone)
  await Bun.sleep(SETTLE_MS)
  residentMb.restarted = residentMbOf(farthing.pid)
  await farthing.kill()
  const { readyMs: readyAfterKillMs } = await startAgain(farthing, lone)
  return {
    campaigns,
    createdPerSecond: seeding.answered / seeding.seconds,
    createCpuMicros,
    createP99Ms: seeding.p99Ms,
    residentMb,
    idleCores: idle.cores,
    idleThreads: idle.threads,
    auctionsPerSecond,
    auctionCpuMicros,
    bidShare: (full.statuses.get(200) ?? 0) / full.answered,
    calm: middle(calm),
    edited: middle(edited),
    edits: editor.figures(),
    stopMs,
    readyMs,
    firstBidMs,
    readyAfterKillMs,
  }
}

async function idleFor(pid: number, seconds: number): Promise<{ cores: number; threads: number[] }> {
  const before = cpuSecondsOf(pid)
  const threadsBefore = threadSecondsOf(pid)
  const startedAt = performance.now()
  await Bun.sleep(seconds * 1000)
  const spent = (performance.now() - startedAt) / 1000
  const cores = (cpuSecondsOf(pid) - before) / spent
  const threads = [...threadSecondsOf(pid)]
    .map(([thread, cpu]) => (cpu - (threadsBefore.get(thread) ?? 0)) / spent)
    .filter(share => share > 0)
    .sort((a, b) => b - a)
  return { cores, threads }
}

/** The captured requests, over and over. */
class Auctions {
  private readonly messages = marketRequests(10_000).map(bid =>
    post('/openrtb2/auction', JSON.stringify(bid)),
  )
  private next = 0

  constructor(private readonly farthing: Installation) {}

  async run(count: number) {
    const load = await sendAll({
      url: this.farthing.url,
      connections: CONNECTIONS,
      limitMs: 60_000,
      count,
      message: this.message,
    })
    for (const status of load.statuses.keys()) {
      if (status !== 200 && status !== 204) throw new Error(`the server answered ${status} to an auction`)
    }
    return load
  }

  pace(perSecond: number, seconds: number): Promise<PacedFigures> {
    return sendPaced({ url: this.farthing.url, perSecond, seconds, message: this.message })
  }

  private readonly message = (): Uint8Array => this.messages[this.next++ % this.messages.length]!
}

/** Alone on a size of its own, so that an auction shows its bid. */
interface LoneCampaign {
  readonly id: string
  readonly auction: string
}

async function newLoneCampaign(farthing: Installation): Promise<LoneCampaign> {
  const [w, h] = [970, 66]
  const { campaignId } = await farthing
    .campaign(
      { model: 'cpm', amountMicros: 1_000_000 },
      {
        targeting: {},
        ads: [
          {
            name: 'Alone',
            landingUrl: 'https://example.com/a',
            creative: { kind: 'image', w, h, imageUrl: 'https://cdn.example.com/a.png' },
          },
        ],
      },
    )
    .catch(error => {
      throw new Error('the campaign of a size of its own was not made', { cause: error })
    })
  const auction = JSON.stringify({
    id: 'lone',
    at: 1,
    imp: [{ id: '1', banner: { w, h } }],
    site: { domain: 'lone.example' },
    device: {
      ip: '81.2.69.142',
      ua: 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
    },
  })
  return { id: campaignId, auction }
}

/** The price that the lone campaign is served at, a CPM; null where it is not. */
async function lonePrice(farthing: Installation, lone: LoneCampaign): Promise<number | null> {
  const response = await fetch(`${farthing.url}/openrtb2/auction`, { method: 'POST', body: lone.auction })
  if (response.status !== 200) {
    await response.text()
    return null
  }
  const answer = (await response.json()) as { seatbid: { bid: { price: number }[] }[] }
  return answer.seatbid[0]?.bid[0]?.price ?? null
}

/** Edits at a steady rate; every twentieth is of the lone campaign, and watched until it is served so. */
class Editor {
  private readonly waitsMs: number[] = []
  private readonly servedMs: number[] = []
  private next = 0

  constructor(
    private readonly farthing: Installation,
    private readonly campaignIds: readonly string[],
    private readonly lone: LoneCampaign,
  ) {}

  async edit(seconds: number): Promise<void> {
    const startedAt = performance.now()
    const edits: Promise<void>[] = []
    for (let i = 0; i < seconds * EDITS_PER_SECOND; i++) {
      const dueAt = startedAt + (i * 1000) / EDITS_PER_SECOND
      await Bun.sleep(Math.max(0, dueAt - performance.now()))
      edits.push(i % EDITS_PER_SECOND === 0 ? this.editLone(dueAt) : this.editOne(dueAt))
    }
    await Promise.all(edits)
  }

  figures(): EditFigures {
    const waits = this.waitsMs.sort((a, b) => a - b)
    const served = this.servedMs.sort((a, b) => a - b)
    const at = (of: readonly number[], share: number) => of[Math.floor((of.length - 1) * share)] ?? Number.NaN
    return {
      edits: waits.length,
      p50Ms: at(waits, 0.5),
      p99Ms: at(waits, 0.99),
      servedP50Ms: at(served, 0.5),
      servedMostMs: at(served, 1),
    }
  }

  private async editOne(dueAt: number): Promise<void> {
    const at = this.next++
    // Far apart, as those are that people edit.
    const id = this.campaignIds[(at * 7919) % this.campaignIds.length]!
    await this.patch(id, 150_000 + (at % 1000) * 100, dueAt)
  }

  private async editLone(dueAt: number): Promise<void> {
    const amountMicros = 1_000_000 + ++this.next * 10_000
    await this.patch(this.lone.id, amountMicros, dueAt)
    const answeredAt = performance.now()
    while ((await lonePrice(this.farthing, this.lone)) !== amountMicros / 1e6) {
      if (performance.now() - answeredAt > 10 * SERVED_MS_MAX) throw new Error('an edit is not served')
      await Bun.sleep(POLL_MS)
    }
    this.servedMs.push(performance.now() - answeredAt)
  }

  private async patch(id: string, amountMicros: number, dueAt: number): Promise<void> {
    await this.farthing.must(200, 'PATCH', `/v1/campaigns/${id}`, { bid: { amountMicros } })
    this.waitsMs.push(performance.now() - dueAt)
  }
}

async function startAgain(
  farthing: Installation,
  lone: LoneCampaign,
): Promise<{ readyMs: number; firstBidMs: number }> {
  const startedAt = performance.now()
  await farthing.restart(START_MS_MAX)
  while ((await farthing.call('GET', '/readyz')).status !== 200) await Bun.sleep(POLL_MS)
  const readyMs = performance.now() - startedAt
  while ((await lonePrice(farthing, lone)) === null) await Bun.sleep(POLL_MS)
  return { readyMs, firstBidMs: performance.now() - startedAt }
}

/** The round of the middle p99: in another a neighbour may have had the core that the server waited for. */
function middle(rounds: PacedFigures[]): PacedFigures {
  return rounds.sort((a, b) => a.p99Ms - b.p99Ms)[rounds.length >> 1]!
}

if (import.meta.main) {
  const numberAfter = (name: string, otherwise: number) => {
    const at = process.argv.indexOf(name)
    return at < 0 ? otherwise : Number(process.argv[at + 1])
  }
  const isShort = process.argv.includes('--short')
  const startedAt = performance.now()
  const figures = await benchWholeServer({
    campaigns: numberAfter('--campaigns', isShort ? 5000 : 100_000),
    roundSeconds: isShort ? 1 : 3,
    idleSeconds: isShort ? 2 : 10,
    minutes: numberAfter('--minutes', 0),
    tell: line =>
      console.error(`${((performance.now() - startedAt) / 1000).toFixed(0).padStart(4)} s  ${line}`),
  })
  console.log(figures)
}

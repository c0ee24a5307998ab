/** What billing decides in a second of a core, with the embedded store on disk, and what it writes for it. */
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SqliteStore } from '../src/adapters/sqlite/store.ts'
import type { Decided } from '../src/billing/decided.ts'
import { Decider } from '../src/billing/decider.ts'
import { parseId, writeImpressionId } from '../src/core/ids.ts'
import { appendEvent, type Command } from '../src/records/events.ts'
import { Reason } from '../src/records/reasons.ts'
import { RecordKind } from '../src/records/record.ts'
import { RecordBuffer } from '../src/records/record-buffer.ts'
import { TOKEN_BODY_BYTES, writeTokenBody } from '../src/records/token-body.ts'
import { PassingLog } from './passing-log.ts'

const START = Date.parse('2026-11-24T12:00:00.000Z')
/** Impressions of one append to the log, and of one second. */
const PER_SECOND = 5000
/** What DESIGN.md bounds the rows of a block at: in a partition and second. */
const FEW_PER_SECOND = 50

export interface BillingFigures {
  readonly name: 'cpc pairs' | 'cpm impressions' | 'cpm, 50 a second'
  readonly events: number
  readonly eventsPerSecond: number
  readonly eventsPerCpuSecond: number
  readonly charges: number
  /** Per click, or per impression of CPM. */
  readonly rowsEach: number
  readonly bytesEach: number
  /** What is allowed for it. */
  readonly rowsMax: number
}

/** CPU of an event when few charges are stored, and when many are: medians over appends of 5,000 pairs. */
export interface GrowthFigures {
  readonly charges: number
  readonly earlyMicros: number
  readonly lateMicros: number
}

export async function benchBilling(
  short: boolean,
): Promise<{ figures: BillingFigures[]; growth: GrowthFigures }> {
  const count = short ? 30_000 : 200_000
  const figures = [
    await measure('cpc pairs', count, PER_SECOND, 1.3),
    await measure('cpm impressions', count, PER_SECOND, 0.02),
    await measure('cpm, 50 a second', count / 10, FEW_PER_SECOND, 0.02),
  ]
  return { figures, growth: await measureGrowth(short ? 400_000 : 20_000_000) }
}

async function measure(
  name: BillingFigures['name'],
  count: number,
  perSecond: number,
  rowsMax: number,
): Promise<BillingFigures> {
  const run = await Run.open(name === 'cpc pairs' ? 'cpc' : 'cpm')
  try {
    const before = run.size()
    let wallMs = 0
    let cpuMicros = 0
    while (run.impressions < count) {
      const used = await run.second(Math.min(perSecond, count - run.impressions))
      wallMs += used.wallMs
      cpuMicros += used.cpuMicros
    }
    const after = run.size()
    return {
      name,
      events: run.events,
      eventsPerSecond: (run.events * 1000) / wallMs,
      eventsPerCpuSecond: (run.events * 1e6) / cpuMicros,
      charges: run.charges,
      rowsEach: (after.rows - before.rows) / count,
      bytesEach: (after.bytes - before.bytes) / count,
      rowsMax,
    }
  } finally {
    run.close()
  }
}

async function measureGrowth(charges: number): Promise<GrowthFigures> {
  const run = await Run.open('cpc')
  try {
    const micros: number[] = []
    while (run.impressions < charges) {
      const { cpuMicros } = await run.second(PER_SECOND)
      micros.push(cpuMicros / (PER_SECOND * 2))
    }
    if (run.charges !== run.impressions)
      throw new Error(`${run.charges} charges of ${run.impressions} clicks`)
    // The first twentieth warms the code up.
    const twentieth = Math.ceil(micros.length / 20)
    return {
      charges: run.charges,
      earlyMicros: median(micros.slice(twentieth, 2 * twentieth)),
      lateMicros: median(micros.slice(-twentieth)),
    }
  } finally {
    run.close()
  }
}

/** One campaign with money without end, on a decider and a store of its own. */
class Run {
  impressions = 0
  events = 0
  charges = 0
  private now = START
  private readonly folder = mkdtempSync(join(tmpdir(), 'farthing-bench-billing-'))
  private readonly store = new SqliteStore(join(this.folder, 'store.sqlite'), 2)
  private readonly log = new PassingLog(2, { now: () => this.now })
  private readonly outcomes = new Map<string, Decided['outcomes'][number]['outcome']>()
  private readonly buffer = new RecordBuffer()
  private readonly token = new Uint8Array(TOKEN_BODY_BYTES)
  private readonly view = new DataView(this.token.buffer)
  private readonly decider = new Decider({
    log: this.log,
    store: this.store,
    clock: { now: () => this.now },
    timer: { now: () => this.now },
    holdMs: 60_000,
    hashOf: bytes => createHash('sha256').update(bytes).digest('hex'),
    tell: decided => {
      this.charges += decided.charged
      for (const { requestId, outcome } of decided.outcomes) this.outcomes.set(requestId, outcome)
    },
    warn: (message, cause) => {
      throw new Error(message, { cause })
    },
  })

  private constructor(private readonly model: 'cpc' | 'cpm') {}

  static async open(model: 'cpc' | 'cpm'): Promise<Run> {
    const run = new Run(model)
    await run.seed()
    return run
  }

  /** A second's impressions and, where it is for them, their clicks: what deciding them takes. */
  async second(impressions: number): Promise<{ wallMs: number; cpuMicros: number }> {
    this.now += 100
    for (let i = 0; i < impressions; i++) {
      writeImpressionId(this.view, 2, this.now, 1, 0, this.impressions++)
      this.write(RecordKind.impression, this.now)
      if (this.model === 'cpc') this.write(RecordKind.click, this.now + 1000)
    }
    this.now += 1000
    await this.log.append(this.buffer.take())
    const cpu = process.cpuUsage()
    const start = performance.now()
    this.drain()
    const wallMs = performance.now() - start
    const used = process.cpuUsage(cpu)
    return { wallMs, cpuMicros: used.user + used.system }
  }

  size(): { rows: number; bytes: number } {
    const tables = this.store.all<{ name: string }>(
      "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
      [],
    )
    let rows = 0
    for (const { name } of tables) {
      rows += this.store.all<{ n: number }>(`SELECT count(*) AS n FROM "${name}"`, [])[0]!.n
    }
    const [size] = this.store.all<{ n: number }>(
      'SELECT page_count * page_size AS n FROM pragma_page_count, pragma_page_size',
      [],
    )
    return { rows, bytes: size!.n }
  }

  close(): void {
    this.store.close()
    rmSync(this.folder, { recursive: true, force: true })
  }

  private async seed(): Promise<void> {
    const { model } = this
    const price = model === 'cpm' ? 1_000_000 : 10_000
    await this.decider.start()
    const advertiser = await this.command('createAdvertiser', null, { name: 'A' })
    await this.command('deposit', parseId('advertiser', advertiser.id), { amountMicros: 1_000_000_000_000 })
    const campaign = await this.command('createCampaign', null, {
      advertiserId: advertiser.id,
      name: 'C',
      bid: { model, amountMicros: price },
      budget: {},
      ads: [
        {
          name: 'Ad',
          landingUrl: 'https://example.com/a',
          creative: { kind: 'image', w: 300, h: 250, imageUrl: 'https://example.com/a.png' },
        },
      ],
    })
    this.now += 1100
    await this.decider.turn()
    this.drain()
    writeTokenBody(this.view, 0, {
      keyNumber: 0,
      campaign: parseId('campaign', campaign.id)!,
      ad: parseId('ad', campaign.ads[0]!.id)!,
      placement: 0,
      publisher: 0,
      shard: 0,
      sharePpm: 800_000,
      priceMicros: price,
      clickRatePpb: 1_000_000,
      epoch: 1,
      country: 0,
      device: 1,
      cpm: model === 'cpm',
      test: false,
      clickExpiresAt: this.now + 86_400_000,
    })
  }

  private async command(name: string, target: number | null, body: unknown) {
    const actor: Command['actor'] = { keyId: 'key_bench', role: 'admin', accountId: null }
    const sent: Command = { requestId: name, actor, at: this.now, name, home: 0, target, body }
    this.buffer.json(RecordKind.command, 0, this.now, sent)
    await this.log.append(this.buffer.take())
    this.drain()
    const outcome = this.outcomes.get(name)
    if (outcome === undefined || outcome.status >= 300) throw new Error(`${name} was refused`)
    return outcome.body as { id: string; ads: { id: string }[] }
  }

  private write(kind: typeof RecordKind.impression | typeof RecordKind.click, receivedAt: number): void {
    const { token } = this
    appendEvent(this.buffer, {
      kind,
      partition: 0,
      receivedAt,
      token,
      verdict: Reason.none,
      fromServer: false,
    })
    this.events++
  }

  private drain(): void {
    while (this.decider.batch() > 0);
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
}

if (import.meta.main) console.log(await benchBilling(process.argv.includes('--short')))

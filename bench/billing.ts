/** What billing decides in a second of a core, with the embedded store on disk. */
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MemoryLog } from '../src/adapters/memory/log.ts'
import { SqliteStore } from '../src/adapters/sqlite/store.ts'
import { type Decided, Decider } from '../src/billing/decider.ts'
import { parseId, writeImpressionId } from '../src/core/ids.ts'
import { appendEvent, type Command } from '../src/records/events.ts'
import { Reason } from '../src/records/reasons.ts'
import { RecordKind } from '../src/records/record.ts'
import { RecordBuffer } from '../src/records/record-buffer.ts'
import { TOKEN_BODY_BYTES, writeTokenBody } from '../src/records/token-body.ts'

const START = Date.parse('2026-11-24T12:00:00.000Z')
/** Records of one append to the log. */
const APPEND = 5000

export interface BillingFigures {
  readonly name: 'cpc pairs' | 'cpm impressions'
  readonly events: number
  readonly eventsPerSecond: number
  readonly eventsPerCpuSecond: number
  readonly charges: number
  /** Per click, or per impression of CPM. */
  readonly rowsEach: number
  readonly bytesEach: number
}

export async function benchBilling(short: boolean): Promise<BillingFigures[]> {
  const count = short ? 30_000 : 200_000
  return [await measure('cpc pairs', count), await measure('cpm impressions', count)]
}

async function measure(name: BillingFigures['name'], count: number): Promise<BillingFigures> {
  const folder = mkdtempSync(join(tmpdir(), 'farthing-bench-billing-'))
  let now = START
  const log = new MemoryLog(2, { now: () => now })
  const store = new SqliteStore(join(folder, 'store.sqlite'), 2)
  try {
    const told: Decided[] = []
    const decider = new Decider({
      log,
      store,
      clock: { now: () => now },
      holdMs: 60_000,
      hashOf: bytes => createHash('sha256').update(bytes).digest('hex'),
      tell: decided => told.push(decided),
      warn: (message, cause) => {
        throw new Error(message, { cause })
      },
    })
    await decider.start()
    const drain = () => {
      while (decider.batch() > 0);
    }
    const command = async (what: string, target: number | null, body: unknown) => {
      const buffer = new RecordBuffer()
      const requestId = `${what}-${now}`
      const actor: Command['actor'] = { keyId: 'key_bench', role: 'admin', accountId: null }
      const sent: Command = { requestId, actor, at: now, name: what, home: 0, target, body }
      buffer.json(RecordKind.command, 0, now, sent)
      await log.append(buffer.take())
      drain()
      const found = told.flatMap(({ outcomes }) => outcomes).find(outcome => outcome.requestId === requestId)
      if (found === undefined || found.outcome.status >= 300) throw new Error(`${what} was refused`)
      return found.outcome.body as { id: string; ads: { id: string }[] }
    }
    const cpm = name === 'cpm impressions'
    const price = cpm ? 1_000_000 : 10_000
    const advertiser = await command('createAdvertiser', null, { name: 'A' })
    await command('deposit', parseId('advertiser', advertiser.id), { amountMicros: 1_000_000_000_000 })
    const campaign = await command('createCampaign', null, {
      advertiserId: advertiser.id,
      name: 'C',
      bid: { model: cpm ? 'cpm' : 'cpc', amountMicros: price },
      budget: {},
      ads: [
        {
          name: 'Ad',
          landingUrl: 'https://example.com/a',
          creative: { kind: 'image', w: 300, h: 250, imageUrl: 'https://example.com/a.png' },
        },
      ],
    })
    now += 1100
    await decider.turn()
    drain()
    const before = sizeOf(store)
    const bytes = new Uint8Array(TOKEN_BODY_BYTES)
    const view = new DataView(bytes.buffer)
    writeTokenBody(view, 0, {
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
      cpm,
      test: false,
      clickExpiresAt: now + 86_400_000,
    })
    const buffer = new RecordBuffer()
    let events = 0
    let wallMs = 0
    let cpuMicros = 0
    let serial = 0
    const event = (kind: 1 | 2, receivedAt: number) => {
      appendEvent(buffer, {
        kind,
        partition: 0,
        receivedAt,
        token: bytes,
        verdict: Reason.none,
        fromServer: false,
      })
      events++
    }
    while (serial < count) {
      now += 100
      for (let i = 0; i < APPEND && serial < count; i++) {
        writeImpressionId(view, 2, now, 1, 0, serial++)
        event(RecordKind.impression, now)
        if (!cpm) event(RecordKind.click, now + 1000)
      }
      now += 1000
      await log.append(buffer.take())
      const cpu = process.cpuUsage()
      const start = performance.now()
      drain()
      wallMs += performance.now() - start
      const used = process.cpuUsage(cpu)
      cpuMicros += used.user + used.system
    }
    const after = sizeOf(store)
    const charges = told.reduce((sum, { charged }) => sum + charged, 0)
    return {
      name,
      events,
      eventsPerSecond: (events * 1000) / wallMs,
      eventsPerCpuSecond: (events * 1e6) / cpuMicros,
      charges,
      rowsEach: (after.rows - before.rows) / count,
      bytesEach: (after.bytes - before.bytes) / count,
    }
  } finally {
    store.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

function sizeOf(store: SqliteStore): { rows: number; bytes: number } {
  const tables = store.all<{ name: string }>(
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
    [],
  )
  let rows = 0
  for (const { name } of tables)
    rows += store.all<{ n: number }>(`SELECT count(*) AS n FROM "${name}"`, [])[0]!.n
  const [size] = store.all<{ n: number }>(
    'SELECT page_count * page_size AS n FROM pragma_page_count, pragma_page_size',
    [],
  )
  return { rows, bytes: size!.n }
}

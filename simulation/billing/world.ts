import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MemoryLog } from '../../src/adapters/memory/log.ts'
import { SqliteStore } from '../../src/adapters/sqlite/store.ts'
import { type Decided, Decider, type DecisionStore } from '../../src/billing/decider.ts'
import { formatUuid, parseId, writeImpressionId } from '../../src/core/ids.ts'
import { SteadyTime } from '../../src/core/steady-time.ts'
import { LogUnavailable } from '../../src/ports/event-log.ts'
import { appendEvent, type Command, type IngestedEvent } from '../../src/records/events.ts'
import { ingestedBytes } from '../../src/records/ingested.ts'
import { Reason } from '../../src/records/reasons.ts'
import { RecordKind } from '../../src/records/record.ts'
import { RecordBuffer } from '../../src/records/record-buffer.ts'
import { TOKEN_BODY_BYTES, writeTokenBody } from '../../src/records/token-body.ts'
import { Random } from '../random.ts'
import { Auditor, type CampaignFacts } from './auditor.ts'

export const PARTITIONS = 2
const START = Date.parse('2026-11-24T12:00:00.000Z')
const HOUR = 3_600_000
const DAY = 24 * HOUR

/** What is broken on purpose, so that the auditor is seen to find it. */
export type Breakage = 'none' | 'bitsDropped' | 'idsDropped' | 'offsetNotMoved' | 'accountChanged'
type CrashPoint = 'beforeCommit' | 'afterCommit'

class Crash extends Error {
  override name = 'Crash'
}

interface Due {
  readonly at: number
  readonly kind: 1 | 2
  readonly bytes: Uint8Array
  readonly verdict: number
  /** Of a record that comes a second time; else when it is sent. */
  readonly receivedAt?: number
}

interface Stock {
  granted: number
  chosen: number
  impressions: number
  variance: number
  stopped: boolean
}

/** Advertisers, an edge, a network and a machine that crashes, around the production Decider. */
export class World {
  readonly random: Random
  /** How long impressions are known: with some seeds the replays of 35 days are below the floor. */
  private readonly keptMs: number
  readonly auditor: Auditor
  private readonly folder = mkdtempSync(join(tmpdir(), 'farthing-simulation-'))
  /** What passed since the start, and by how much the wall clock is wrong. */
  private elapsed = 0
  private wallAhead = 0
  private time = new SteadyTime(this.reading())
  private now = START
  private log = new MemoryLog(PARTITIONS, { now: () => this.now })
  private store!: SqliteStore
  private decider!: Decider
  private crashNext: CrashPoint | null = null
  private readonly told: Decided[] = []
  private readonly campaigns: CampaignFacts[] = []
  private readonly stocks = new Map<number, Stock>()
  /** Of each partition's treasury, under which the stocks are. */
  private readonly lines = Array.from({ length: PARTITIONS }, () => ({ epoch: 0, term: 0 }))
  private readonly clicked: { campaign: CampaignFacts; event: string }[] = []
  private due: Due[] = []
  private readonly late: Due[] = []
  private readonly reported: IngestedEvent[] = []
  private serial = 0
  private requests = 0
  crashes = 0
  clockSteps = 0
  chosen = 0

  constructor(
    seed: number,
    private readonly breakage: Breakage = 'none',
  ) {
    this.random = new Random(seed)
    this.keptMs = seed % 2 === 0 ? 36 * DAY : 26 * HOUR
    this.auditor = new Auditor(this.keptMs)
  }

  async run(events: number): Promise<void> {
    await this.open()
    await this.settle()
    for (const partition of [0, 1, 0]) await this.advertiser(partition)
    await this.pass(1100)
    for (let i = 0; this.chosen < events && i < events * 4; i++) await this.step()
    await this.drain()
    this.auditor.final(
      this.store,
      this.now,
      this.log.read(new Array(PARTITIONS).fill(0), Number.MAX_SAFE_INTEGER),
    )
    if (this.breakage === 'none') await this.replay()
  }

  close(): void {
    this.store.close()
    rmSync(this.folder, { recursive: true, force: true })
  }

  private decisionStore(store: SqliteStore): DecisionStore {
    return {
      takeOver: () => store.takeOver(),
      load: partition => store.load(partition),
      begin: () => store.begin(),
      rollback: () => store.rollback(),
      unsent: () => store.unsent(),
      lookups: (partitions, changes) => store.lookups(partitions, changes),
      commit: batch => {
        const crash = this.crashNext
        this.crashNext = null
        if (crash === 'beforeCommit') throw new Crash(crash)
        store.commit(batch)
        if (this.breakage === 'bitsDropped') store.db.run('DELETE FROM bits')
        if (this.breakage === 'idsDropped') store.db.run('DELETE FROM ingested_pending')
        if (crash === null) return
        if (this.breakage === 'offsetNotMoved') {
          for (const { from } of batch.moves) {
            store.db.run('UPDATE position SET next = ? WHERE partition = ?', [from.next, from.partition])
          }
        }
        throw new Crash(crash)
      },
    }
  }

  private deciderOn(store: DecisionStore, tell: (decided: Decided) => void): Decider {
    return new Decider({
      log: this.log,
      store,
      clock: { now: () => this.now },
      holdMs: 60_000,
      keptMs: this.keptMs,
      hashOf: bytes => createHash('sha256').update(bytes).digest('hex'),
      tell,
      warn: () => {},
    })
  }

  private async open(): Promise<void> {
    this.store = new SqliteStore(join(this.folder, 'store.sqlite'), PARTITIONS)
    this.decider = this.deciderOn(this.decisionStore(this.store), decided => this.hear(decided))
    await this.decider.start()
  }

  private async reopen(): Promise<void> {
    this.crashes++
    this.store.close()
    this.log = this.log.reopened()
    this.time = new SteadyTime(this.reading())
    this.time.notBefore(this.log.lastAppendedAt)
    this.now = Math.floor(this.time.advance(this.reading()))
    await this.open()
  }

  private hear(decided: Decided): void {
    this.told.push(decided)
    for (const grant of decided.grants) {
      this.follow(grant)
      for (const shard of grant.shards) {
        const known = this.stocks.get(shard.campaign)
        if (known === undefined) {
          this.stocks.set(shard.campaign, {
            granted: shard.grantedThousandths,
            chosen: 0,
            impressions: 0,
            variance: 0,
            stopped: shard.stopped,
          })
        } else {
          known.granted = Math.max(known.granted, shard.grantedThousandths)
          known.stopped = shard.stopped
        }
      }
    }
  }

  /** Under a new epoch or term nothing is left of what was granted before. */
  private follow({ partition, epoch, term }: Decided['grants'][number]): void {
    const line = this.lines[partition]!
    if (epoch === line.epoch && term === line.term) return
    this.lines[partition] = { epoch, term }
    for (const campaign of [...this.stocks.keys()]) {
      if (campaign % 256 === partition) this.stocks.delete(campaign)
    }
  }

  /** Decides all there is, through crashes, and has the auditor look after each commit. */
  private async settle(): Promise<void> {
    for (;;) {
      try {
        if (this.decider.batch() === 0) return
      } catch (error) {
        if (!(error instanceof Crash)) throw error
        await this.reopen()
      }
      this.auditor.step(this.store)
    }
  }

  private reading() {
    return { wall: START + this.elapsed + this.wallAhead, elapsed: this.elapsed }
  }

  /** Somebody sets the wall clock, or sets it right again. Only a restart believes it. */
  private stepWall(): void {
    const { random } = this
    const far = random.pick([2 * 60_000, HOUR, 3 * DAY]) + random.below(1000)
    this.wallAhead = random.chance(0.4) ? 0 : random.chance(0.5) ? far : -far
    this.clockSteps++
  }

  private advance(ms: number): void {
    this.elapsed += ms
    this.now = Math.floor(this.time.advance(this.reading()))
  }

  private async pass(ms: number): Promise<void> {
    this.advance(ms)
    this.ask()
    if (this.random.chance(0.05)) this.log.failNext('keptTwice')
    await this.decider.turn()
    await this.settle()
    await this.decider.turn()
    await this.settle()
    this.auditor.time(this.store, this.now)
  }

  private ask(): void {
    for (let partition = 0; partition < PARTITIONS; partition++) {
      const mine = this.campaigns.filter(({ number }) => number % 256 === partition)
      const { epoch, term } = this.lines[partition]!
      const shards = mine.map(({ number }) => {
        const stock = this.stocks.get(number)
        return {
          campaign: number,
          shard: 0,
          impressions: stock?.impressions ?? 0,
          chosenThousandths: stock?.chosen ?? 0,
          variance: stock?.variance ?? 0,
          returnedThousandths: 0,
          droppedThousandths: 0,
        }
      })
      this.decider.onAsk({ node: 1, partition, epoch, term, sentAt: this.now, heard: 0, shards })
    }
  }

  private async append(buffer: RecordBuffer): Promise<void> {
    const bytes = buffer.take()
    for (;;) {
      try {
        await this.log.append(bytes)
        return
      } catch (error) {
        if (!(error instanceof LogUnavailable)) throw error
      }
    }
  }

  private fault(probability: number): void {
    if (this.random.chance(probability))
      this.log.failNext(this.random.pick(['lost', 'keptButFailed', 'keptTwice'] as const))
  }

  private async command(
    name: string,
    target: number | null,
    body: unknown,
    home: number,
    claimed = false,
  ): Promise<unknown> {
    const requestId = `request-${++this.requests}`
    const claim = { key: requestId, bodyHash: requestId, partition: (home + 1) % PARTITIONS }
    const sent: Command = {
      requestId,
      actor: { keyId: 'key_test', role: 'admin', accountId: null },
      at: this.now,
      name,
      home,
      target,
      body,
      ...(claimed ? { claim } : {}),
    }
    const buffer = new RecordBuffer()
    buffer.json(RecordKind.command, claimed ? claim.partition : home, this.now, sent)
    if (claimed) this.fault(0.3)
    await this.append(buffer)
    await this.settle()
    if (claimed) {
      await this.pass(1100)
      await this.pass(1100)
    }
    return this.told.flatMap(({ outcomes }) => outcomes).find(found => found.requestId === requestId)?.outcome
      .body
  }

  private async advertiser(home: number): Promise<void> {
    const { random } = this
    const rich = random.chance(0.5)
    const credit = rich ? 0 : random.below(400_000)
    const made = (await this.command(
      'createAdvertiser',
      null,
      { name: 'A', creditLimitMicros: credit },
      home,
    )) as { id: string }
    const advertiser = parseId('advertiser', made.id)!
    this.auditor.advertisers.set(advertiser, { id: made.id, credit, deposited: 0 })
    await this.deposit(advertiser, home, rich ? 1e12 : 600_000 + random.below(2_000_000))
    for (const model of ['cpc', 'cpm', 'cpc'] as const) {
      const price = model === 'cpc' ? 50_001 + random.below(250_000) : 1333 + random.below(9_000_000)
      const totalCap = rich || random.chance(0.4) ? null : price * 3 + random.below(1_000_000)
      const dailyCap = rich || random.chance(0.6) ? null : price * 2 + random.below(500_000)
      const body = (await this.command(
        'createCampaign',
        null,
        {
          advertiserId: made.id,
          name: 'C',
          bid: { model, amountMicros: price },
          budget: {
            ...(totalCap === null ? {} : { totalMicros: totalCap }),
            ...(dailyCap === null ? {} : { dailyMicros: dailyCap }),
          },
          ads: [
            {
              name: 'Ad',
              landingUrl: 'https://example.com/a',
              creative: { kind: 'image', w: 300, h: 250, imageUrl: 'https://example.com/a.png' },
            },
          ],
        },
        home,
      )) as { id: string; ads: { id: string }[] }
      const number = parseId('campaign', body.id)!
      const ad = parseId('ad', body.ads[0]!.id)!
      const facts = {
        number,
        ad,
        advertiser,
        home,
        model,
        price,
        rich,
        totalCap,
        dailyCap,
        dailyMost: dailyCap,
      }
      this.campaigns.push(facts)
      this.auditor.campaigns.set(number, facts)
    }
  }

  private async deposit(advertiser: number, home: number, amountMicros: number): Promise<void> {
    this.auditor.advertisers.get(advertiser)!.deposited += amountMicros
    await this.command('deposit', advertiser, { amountMicros }, home, true)
  }

  private async step(): Promise<void> {
    const { random } = this
    const dice = random.next()
    if (dice < 0.02) await this.edit()
    else if (dice < 0.03) {
      const advertiser = random.pick(this.campaigns)
      await this.deposit(advertiser.advertiser, advertiser.home, 1 + random.below(300_000))
    } else if (dice < 0.05 && this.clicked.length > 0) {
      const { campaign, event } = random.pick(this.clicked)
      const part = random.chance(0.5) ? { amountMicros: 1 + random.below(campaign.price) } : {}
      await this.command(
        'refund',
        campaign.number,
        { eventId: event, reason: 'goodwill', ...part },
        campaign.home,
      )
    } else if (dice < 0.8) this.choose()
    if (random.chance(0.03)) this.stepWall()
    if (random.chance(0.4)) await this.report()
    if (random.chance(0.04)) this.crashNext = random.pick(['beforeCommit', 'afterCommit'] as const)
    await this.sendDue()
    await this.pass(random.chance(0.02) ? random.below(70_000) : random.below(900))
  }

  private async edit(): Promise<void> {
    const { random } = this
    const campaign = random.pick(this.campaigns)
    const { number, home } = campaign
    if (random.chance(0.5)) {
      await this.command('pauseCampaign', number, {}, home)
      await this.pass(random.below(3000))
      await this.command('resumeCampaign', number, {}, home)
    } else if (campaign.totalCap !== null) {
      // What came before the edit is decided before it.
      await this.settle()
      campaign.totalCap = campaign.price + random.below(1_500_000)
      await this.command('patchCampaign', number, { budget: { totalMicros: campaign.totalCap } }, home)
    }
  }

  /** The edge: chooses where what it was granted pays for one more. */
  private choose(): void {
    const { random } = this
    for (let tries = 0; tries < 6; tries++) {
      const campaign = random.pick(this.campaigns)
      const stock = this.stocks.get(campaign.number)
      const cost = campaign.model === 'cpc' ? campaign.price * 1000 : campaign.price
      if (stock === undefined || stock.stopped || stock.granted - stock.chosen < cost) continue
      const expected = campaign.model === 'cpc' ? Math.ceil(cost * 0.5) : cost
      stock.chosen += expected
      stock.impressions++
      stock.variance += campaign.model === 'cpc' ? cost * cost * 0.5 : 0
      this.chosen++
      this.live(campaign)
      return
    }
  }

  /** A server reports a few events at once, some of them again, some with another content. */
  private async report(): Promise<void> {
    const { random } = this
    const records = Array.from({ length: PARTITIONS }, () => [] as Uint8Array[])
    for (let count = 1 + random.below(20); count > 0; count--) {
      const known = this.reported.length > 0 && random.chance(0.4) ? random.pick(this.reported) : null
      const event = known ?? this.newReport()
      const changed = known !== null && random.chance(0.3)
      const said = changed
        ? { ...event, contentHash: `ffffffffffffffff${event.contentHash.slice(16)}` }
        : event
      if (known === null) this.reported.push(event)
      records[Number.parseInt(event.eventId.slice(2), 10) % PARTITIONS]!.push(ingestedBytes(said, this.now))
    }
    const buffer = new RecordBuffer()
    for (const [partition, events] of records.entries()) {
      if (events.length === 0) continue
      const bytes = Buffer.concat(events)
      const at = buffer.begin(RecordKind.ingestedEvents, partition, this.now, bytes.length)
      buffer.payloadBytes().set(bytes, at)
    }
    this.fault(0.15)
    await this.append(buffer)
    if (random.chance(0.7)) await this.settle()
  }

  private newReport(): IngestedEvent {
    const { random } = this
    const campaign = random.pick(this.campaigns)
    const type = random.chance(0.5) ? 'click' : 'impression'
    const event: IngestedEvent = {
      type,
      eventId: `e-${this.reported.length}`,
      contentHash: '0123456789abcdef0123456789abcdef',
      campaign: campaign.number,
      ad: campaign.ad,
      placement: 0,
      publisher: 0,
      sharePpm: 800_000,
      timestamp: this.now - random.below(5000),
      country: 0,
      device: 1,
      verdict: random.chance(0.1) ? Reason.crawler : Reason.none,
    }
    this.auditor.reports.set(event.eventId, { type, campaign, at: event.timestamp, verdict: event.verdict })
    return event
  }

  /** What becomes of a chosen impression. */
  private live(campaign: CampaignFacts): void {
    const { random, now } = this
    const bytes = this.token(campaign)
    const firstDue = this.due.length
    const verdict = () => (random.chance(0.05) ? random.pick([Reason.crawler, Reason.rate]) : Reason.none)
    const due = (kind: 1 | 2, after: number, of: number = Reason.none) =>
      this.due.push({ at: now + after, kind, bytes, verdict: of })
    const shownAfter = random.chance(0.05) ? random.below(15 * 60_000) : random.below(2500)
    if (random.chance(0.9)) due(1, shownAfter, verdict())
    if (random.chance(0.5)) {
      const clickAfter = random.chance(0.2) ? random.below(shownAfter + 1) : shownAfter + random.below(5000)
      due(2, clickAfter, verdict())
      const copies = random.chance(0.06) ? 50 : random.chance(0.3) ? 1 : 0
      for (let i = 0; i < copies; i++) {
        due(2, clickAfter + random.below(3000))
        due(1, shownAfter + random.below(3000))
      }
      if (campaign.model === 'cpc') this.clicked.push({ campaign, event: formatUuid(bytes, 2) })
    }
    if (random.chance(0.3)) {
      for (const after of [HOUR, 25 * HOUR, 35 * 24 * HOUR]) {
        for (const kind of [1, 2] as const) this.late.push({ at: now + after, kind, bytes, verdict: 0 })
        // A spool that is forwarded a second time.
        for (const sent of this.due.slice(firstDue))
          this.late.push({ ...sent, at: sent.at + after, receivedAt: sent.at })
      }
    }
  }

  private token(campaign: CampaignFacts): Uint8Array {
    const bytes = new Uint8Array(TOKEN_BODY_BYTES)
    const view = new DataView(bytes.buffer)
    const test = this.random.chance(0.03)
    const expires = this.now + 24 * HOUR
    writeTokenBody(view, 0, {
      keyNumber: 0,
      campaign: campaign.number,
      ad: campaign.ad,
      placement: 0,
      publisher: 0,
      shard: 0,
      sharePpm: 800_000,
      priceMicros: campaign.price,
      clickRatePpb: 500_000_000,
      epoch: 1,
      country: 0,
      device: 1,
      cpm: campaign.model === 'cpm',
      test,
      clickExpiresAt: expires,
    })
    writeImpressionId(view, 2, this.now, 1, campaign.home, this.serial++)
    const event = formatUuid(bytes, 2)
    this.auditor.tokens.set(event, { event, campaign, chosenAt: this.now, expires, test })
    return bytes
  }

  private async sendDue(): Promise<void> {
    const ready = this.due.filter(({ at }) => at <= this.now)
    this.due = this.due.filter(({ at }) => at > this.now)
    if (ready.length === 0) return
    for (let i = ready.length - 1; i > 0; i--) {
      const j = this.random.below(i + 1)
      ;[ready[i], ready[j]] = [ready[j]!, ready[i]!]
    }
    const buffer = new RecordBuffer()
    for (const { kind, bytes, verdict, receivedAt = this.now } of ready) {
      const event = formatUuid(bytes, 2)
      const partition = this.auditor.tokens.get(event)!.campaign.home
      appendEvent(buffer, { kind, partition, receivedAt, token: bytes, verdict, fromServer: false })
    }
    this.fault(0.15)
    await this.append(buffer)
    await this.settle()
  }

  /** All that is under way arrives, then the replays come; then every hold has lapsed. */
  private async drain(): Promise<void> {
    while (this.due.length > 0) {
      await this.sendDue()
      await this.pass(30_000)
    }
    this.due = this.late.sort((a, b) => a.at - b.at)
    for (const jump of [HOUR, 25 * HOUR, 35 * 24 * HOUR]) {
      await this.pass(jump)
      if (jump > this.keptMs) await this.letFloorFollow()
      await this.sendDue()
      for (let i = 0; i < 3; i++) await this.pass(61_000)
      this.crashNext = 'afterCommit'
    }
    for (let i = 0; i < 4; i++) await this.pass(1100)
    // What edges have leased and never used is free with the next epoch.
    this.crashNext = null
    await this.reopen()
    this.stocks.clear()
    // A lease whose day ended while the machine slept is held as if it was chosen now: halved each hour, it takes as long.
    this.advance(36 * HOUR)
    for (let i = 0; i < 4; i++) {
      this.advance(61_000)
      await this.decider.turn()
      await this.settle()
    }
    if (this.breakage === 'accountChanged')
      this.store.db.run("UPDATE account SET balance = balance + 1 WHERE account = 'fee' AND partition = 0")
  }

  /** Seconds of ticks, in each of which the floor may move. */
  private async letFloorFollow(): Promise<void> {
    for (let second = 0; second < 36 * 24 * 6; second++) {
      this.advance(1000)
      const buffer = new RecordBuffer()
      for (let partition = 0; partition < PARTITIONS; partition++)
        buffer.json(RecordKind.tick, partition, this.now, {})
      await this.append(buffer)
    }
    await this.settle()
  }

  /** The whole log, into an empty store. */
  private async replay(): Promise<void> {
    const store = new SqliteStore(join(this.folder, 'replayed.sqlite'), PARTITIONS)
    try {
      const decider = this.deciderOn(store, () => {})
      while (decider.batch() > 0) await Promise.resolve()
      this.auditor.same(this.store, store)
    } finally {
      store.close()
    }
  }
}

import { formatUuid, parseId, writeImpressionId } from '../../src/core/ids.ts'
import { appendEvent, type IngestedEvent } from '../../src/records/events.ts'
import { ingestedBytes } from '../../src/records/ingested.ts'
import { Reason } from '../../src/records/reasons.ts'
import { RecordKind } from '../../src/records/record.ts'
import { RecordBuffer } from '../../src/records/record-buffer.ts'
import { TOKEN_BODY_BYTES, writeTokenBody } from '../../src/records/token-body.ts'
import { Random } from '../random.ts'
import { Auditor, type CampaignFacts } from './auditor.ts'
import { type Breakage, DAY, HOUR, Machine, PARTITIONS } from './machine.ts'

interface Due {
  readonly at: number
  readonly kind: 1 | 2
  readonly bytes: Uint8Array
  readonly verdict: number
  /** Of a record that comes a second time; else when it is sent. */
  readonly receivedAt?: number
}

/** Advertisers, readers and servers that report, and a network that repeats and reorders, around a machine that crashes. */
export class World {
  readonly random: Random
  /** How long impressions are known: with some seeds the replays of 35 days are below the floor. */
  private readonly keptMs: number
  readonly auditor: Auditor
  private readonly machine: Machine
  private readonly clicked: { campaign: CampaignFacts; event: string }[] = []
  private due: Due[] = []
  private readonly late: Due[] = []
  private readonly reported: IngestedEvent[] = []
  private serial = 0
  chosen = 0

  constructor(
    seed: number,
    private readonly breakage: Breakage = 'none',
  ) {
    this.random = new Random(seed)
    this.keptMs = seed % 2 === 0 ? 36 * DAY : 26 * HOUR
    this.auditor = new Auditor(this.keptMs)
    this.machine = new Machine(this.random, this.auditor, breakage, this.keptMs)
  }

  get crashes(): number {
    return this.machine.crashes
  }

  get clockSteps(): number {
    return this.machine.clockSteps
  }

  async run(events: number): Promise<void> {
    await this.machine.open()
    await this.machine.settle()
    for (const partition of [0, 1, 0]) await this.advertiser(partition)
    await this.machine.pass(1100)
    for (let i = 0; this.chosen < events && i < events * 4; i++) await this.step()
    await this.drain()
    this.auditor.final(this.machine.store, this.machine.now, this.machine.records())
    if (this.breakage === 'none') await this.machine.replay()
  }

  close(): void {
    this.machine.close()
  }

  private async advertiser(home: number): Promise<void> {
    const { random } = this
    const rich = random.chance(0.5)
    const credit = rich ? 0 : random.below(400_000)
    const made = (await this.machine.command(
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
      const body = (await this.machine.command(
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
      this.machine.campaigns.push(facts)
      this.auditor.campaigns.set(number, facts)
    }
  }

  private async deposit(advertiser: number, home: number, amountMicros: number): Promise<void> {
    this.auditor.advertisers.get(advertiser)!.deposited += amountMicros
    await this.machine.command('deposit', advertiser, { amountMicros }, home, true)
  }

  private async step(): Promise<void> {
    const { random } = this
    const dice = random.next()
    if (dice < 0.02) await this.edit()
    else if (dice < 0.03) {
      const advertiser = random.pick(this.machine.campaigns)
      await this.deposit(advertiser.advertiser, advertiser.home, 1 + random.below(300_000))
    } else if (dice < 0.05 && this.clicked.length > 0) {
      const { campaign, event } = random.pick(this.clicked)
      const part = random.chance(0.5) ? { amountMicros: 1 + random.below(campaign.price) } : {}
      await this.machine.command(
        'refund',
        campaign.number,
        { eventId: event, reason: 'goodwill', ...part },
        campaign.home,
      )
    } else if (dice < 0.8) this.choose()
    if (random.chance(0.03)) this.machine.stepWall()
    if (random.chance(0.4)) await this.report()
    if (random.chance(0.04)) this.machine.crashNext = random.pick(['beforeCommit', 'afterCommit'] as const)
    await this.sendDue()
    await this.machine.pass(random.chance(0.02) ? random.below(70_000) : random.below(900))
  }

  private async edit(): Promise<void> {
    const { random } = this
    const campaign = random.pick(this.machine.campaigns)
    const { number, home } = campaign
    if (random.chance(0.5)) {
      await this.machine.command('pauseCampaign', number, {}, home)
      await this.machine.pass(random.below(3000))
      await this.machine.command('resumeCampaign', number, {}, home)
    } else if (campaign.totalCap !== null) {
      // What came before the edit is decided before it.
      await this.machine.settle()
      campaign.totalCap = campaign.price + random.below(1_500_000)
      await this.machine.command(
        'patchCampaign',
        number,
        { budget: { totalMicros: campaign.totalCap } },
        home,
      )
    }
  }

  /** The edge: chooses where what it was granted pays for one more. */
  private choose(): void {
    const campaign = this.machine.edge.choose(this.machine.campaigns, this.random)
    if (campaign === null) return
    this.chosen++
    this.live(campaign)
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
      records[Number.parseInt(event.eventId.slice(2), 10) % PARTITIONS]!.push(
        ingestedBytes(said, this.machine.now),
      )
    }
    const buffer = new RecordBuffer()
    for (const [partition, events] of records.entries()) {
      if (events.length === 0) continue
      const bytes = Buffer.concat(events)
      const at = buffer.begin(RecordKind.ingestedEvents, partition, this.machine.now, bytes.length)
      buffer.payloadBytes().set(bytes, at)
    }
    this.machine.fault(0.15)
    await this.machine.append(buffer)
    if (random.chance(0.7)) await this.machine.settle()
  }

  private newReport(): IngestedEvent {
    const { random } = this
    const campaign = random.pick(this.machine.campaigns)
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
      timestamp: this.machine.now - random.below(5000),
      country: 0,
      device: 1,
      verdict: random.chance(0.1) ? Reason.crawler : Reason.none,
    }
    this.auditor.reports.set(event.eventId, { type, campaign, at: event.timestamp, verdict: event.verdict })
    return event
  }

  /** What becomes of a chosen impression. */
  private live(campaign: CampaignFacts): void {
    const { random } = this
    const { now } = this.machine
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
    const expires = this.machine.now + 24 * HOUR
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
    writeImpressionId(view, 2, this.machine.now, 1, campaign.home, this.serial++)
    const event = formatUuid(bytes, 2)
    this.auditor.tokens.set(event, { event, campaign, chosenAt: this.machine.now, expires, test })
    return bytes
  }

  private async sendDue(): Promise<void> {
    const ready = this.due.filter(({ at }) => at <= this.machine.now)
    this.due = this.due.filter(({ at }) => at > this.machine.now)
    if (ready.length === 0) return
    for (let i = ready.length - 1; i > 0; i--) {
      const j = this.random.below(i + 1)
      ;[ready[i], ready[j]] = [ready[j]!, ready[i]!]
    }
    const buffer = new RecordBuffer()
    for (const { kind, bytes, verdict, receivedAt = this.machine.now } of ready) {
      const event = formatUuid(bytes, 2)
      const partition = this.auditor.tokens.get(event)!.campaign.home
      appendEvent(buffer, { kind, partition, receivedAt, token: bytes, verdict, fromServer: false })
    }
    this.machine.fault(0.15)
    await this.machine.append(buffer)
    await this.machine.settle()
  }

  /** All that is under way arrives, then the replays come; then every hold has lapsed. */
  private async drain(): Promise<void> {
    while (this.due.length > 0) {
      await this.sendDue()
      await this.machine.pass(30_000)
    }
    this.due = this.late.sort((a, b) => a.at - b.at)
    for (const jump of [HOUR, 25 * HOUR, 35 * 24 * HOUR]) {
      await this.machine.pass(jump)
      if (jump > this.keptMs) await this.machine.letFloorFollow()
      await this.sendDue()
      for (let i = 0; i < 3; i++) await this.machine.pass(61_000)
      this.machine.crashNext = 'afterCommit'
    }
    for (let i = 0; i < 4; i++) await this.machine.pass(1100)
    // What edges have leased and never used is free with the next epoch.
    this.machine.crashNext = null
    await this.machine.reopen()
    this.machine.edge.end()
    // A lease whose day ended while the machine slept is held as if it was chosen now: halved each hour, it takes as long.
    this.machine.advance(36 * HOUR)
    for (let i = 0; i < 4; i++) {
      await this.machine.idle(61_000)
    }
    if (this.breakage === 'accountChanged')
      this.machine.store.db.run(
        "UPDATE account SET balance = balance + 1 WHERE account = 'fee' AND partition = 0",
      )
  }
}

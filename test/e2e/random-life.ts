import { Random } from '../../simulation/random.ts'
import { BROWSER, campaignBody, type Installation, type Json, type Served } from './installation.ts'

const CRAWLER = 'Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)'
/** Clicks younger than this after their impression have a reason to be refused. */
const HUMAN_MS = 600
/** Awkward ones: a price that leaves a remainder, one micro, more than a small budget has. */
const CPC_MICROS = [100_000, 333_333, 1, 2_500_000]
const CPM_MICROS = [1_234_567, 999, 50_000_000]
const CAPS_MICROS = [null, 0, 1, 250_000, 1_000_000, 7_777_777]
const SHARES = [0, 0.333333, 0.7, 1]

export interface Campaign {
  readonly id: string
  readonly advertiserId: string
  readonly ads: string[]
  /** The highest total that it ever had; null once it had none. */
  totalMicrosMax: number | null
}

interface Account {
  readonly id: string
  /** By Idempotency-Key: what counts once however often it was sent. */
  readonly deposits: Map<string, number>
}

interface Shown {
  readonly served: Served
  readonly at: number
}

/**
 * Advertisers, browsers, exchanges and reporting servers around an installation that is killed now and then. Each action
 * is drawn from the seed; what was answered is kept, for the auditor to hold the books to.
 */
export class RandomLife {
  readonly random: Random
  readonly accounts: Account[] = []
  readonly publishers: string[] = []
  readonly campaigns: Campaign[] = []
  readonly refunds = new Map<string, { readonly eventId: string; readonly amountMicros: number }>()
  /** Ids of events whose acceptance was answered. */
  readonly rendered = new Set<string>()
  readonly clicked = new Set<string>()
  readonly reported = new Set<string>()
  /** Who is paid for an event; `unknown` where nobody knows whose the place is. */
  readonly publisherOf = new Map<string, string>()
  kills = 0
  private readonly placements: { readonly id: string; readonly publisherId: string }[] = []
  private readonly served: Served[] = []
  private readonly shown: Shown[] = []
  private readonly events: Json[] = []
  private back: Promise<void> | null = null

  constructor(
    readonly farthing: Installation,
    seed: number,
  ) {
    this.random = new Random(seed)
  }

  async begin(): Promise<void> {
    const { farthing, random } = this
    for (let i = 0; i < 2; i++) {
      const revenueShare = random.pick(SHARES)
      const { id } = await farthing.must(201, 'POST', '/v1/publishers', { name: 'Publisher', revenueShare })
      this.publishers.push(id)
      for (let n = 0; n < 2; n++) {
        const body = { publisherId: id, name: 'Place', format: { w: 728, h: 90 } }
        const placement = await farthing.must(201, 'POST', '/v1/placements', body)
        this.placements.push({ id: placement.id, publisherId: id })
      }
    }
    for (let i = 0; i < 2; i++) {
      const account = await farthing.must(201, 'POST', '/v1/advertisers', { name: 'Advertiser' })
      this.accounts.push({ id: account.id, deposits: new Map() })
    }
    for (const account of this.accounts) await this.deposit(account, 2_000_000 + random.below(20_000_000))
    for (let i = 0; i < 5; i++) await this.newCampaign()
  }

  /** Lanes of actions for so long, with so many deaths between them. */
  async live(
    ms: number,
    { lanes, kills }: { readonly lanes: number; readonly kills: number },
  ): Promise<void> {
    const until = Date.now() + ms
    const lane = async () => {
      while (Date.now() < until) {
        await this.back
        // What a death cuts off has no answer, and is nothing that anybody may rely on.
        await this.act().catch(error => {
          if (this.back === null && error instanceof Unanswered === false) throw error
        })
      }
    }
    const reaper = async () => {
      for (let i = 0; i < kills; i++) {
        await Bun.sleep((ms / (kills + 1)) * (0.5 + this.random.next()))
        this.kills++
        this.back = this.farthing.kill().then(() => this.farthing.restart())
        await this.back
        this.back = null
      }
    }
    await Promise.all([reaper(), ...Array.from({ length: lanes }, lane)])
  }

  private act(): Promise<unknown> {
    const { random } = this
    const draw = random.below(100)
    if (draw < 30) return this.ask()
    if (draw < 52) return this.show()
    if (draw < 72) return this.click()
    if (draw < 84) return this.report()
    if (draw < 91) return this.edit()
    if (draw < 93) return this.newCampaign()
    if (draw < 95) return this.deposit(random.pick(this.accounts), 1 + random.below(500_000))
    return this.refund()
  }

  private async ask(): Promise<void> {
    const { farthing, random } = this
    const placement = random.pick(this.placements)
    if (random.chance(0.5)) {
      const answer = await this.browse(`/serve?placement=${placement.id}&format=json`)
      if (answer.status === 200) {
        this.chosen((await answered(answer.json())) as Served, placement.publisherId)
      }
      return
    }
    const place = random.chance(0.5) ? { tagid: placement.id } : {}
    const named = random.pick([...this.publishers, 'stranger'])
    const publisherId = 'tagid' in place ? placement.publisherId : named === 'stranger' ? 'unknown' : named
    const site = { domain: 'a.example', publisher: { id: named } }
    const imp = [{ id: '1', banner: { format: [{ w: 728, h: 90 }] }, ...place }]
    const device = { ip: this.address(), ua: BROWSER }
    const request = { id: 'r', at: 1 + random.below(2), imp, site, device, test: Number(random.chance(0.03)) }
    const { status, body } = await answered(farthing.call('POST', '/openrtb2/auction', request))
    if (status === 200) this.chosen(body.seatbid[0].bid[0].ext.farthing, publisherId)
  }

  private chosen(served: Served, publisherId: string): void {
    this.served.push(served)
    this.publisherOf.set(served.impressionId, publisherId)
  }

  private async show(): Promise<void> {
    const { random, served } = this
    if (served.length === 0) return
    // Some are never shown, some clicked before they are, some shown twice.
    const one = served.splice(random.below(served.length), 1)[0]!
    if (random.chance(0.1)) return
    if (random.chance(0.1)) await this.browse(one.clickUrl)
    const crawled = random.chance(0.05)
    if (crawled) await this.browse(one.impressionUrl, { agent: CRAWLER })
    const times = random.chance(0.15) ? 3 : 1
    await Promise.all(Array.from({ length: times }, () => this.browse(one.impressionUrl)))
    this.rendered.add(one.impressionId)
    this.shown.push({ served: one, at: Date.now() })
  }

  private async click(): Promise<void> {
    const { random, shown } = this
    if (shown.length === 0) return
    const { served, at } = random.pick(shown)
    if (Date.now() - at < HUMAN_MS && random.chance(0.9)) return
    if (random.chance(0.1)) await this.browse(served.clickUrl, { method: 'HEAD' })
    if (random.chance(0.05)) await this.browse(`${served.clickUrl}x`)
    const times = random.chance(0.15) ? 3 : 1
    const address = this.address()
    await Promise.all(Array.from({ length: times }, () => this.browse(served.clickUrl, { address })))
    this.clicked.add(served.impressionId)
  }

  private async report(): Promise<void> {
    const { random, events } = this
    const of = () => {
      const click_id = `${crypto.randomUUID()}/é`
      const timestamp = new Date(Date.now() - random.below(7200) * 1000).toISOString()
      const placement = random.chance(0.5) ? random.pick(this.placements) : undefined
      const placement_id = placement?.id
      this.publisherOf.set(click_id, placement?.publisherId ?? 'unknown')
      return { click_id, ad_id: random.pick(random.pick(this.campaigns).ads), timestamp, placement_id }
    }
    const sent = Array.from({ length: 1 + random.below(5) }, of)
    if (events.length > 0 && random.chance(0.5)) sent.push(random.pick(events))
    if (events.length > 0 && random.chance(0.2)) sent.push({ ...random.pick(events), country: 'CAN' })
    if (random.chance(0.2)) sent.push(sent[0]!)
    await this.must(202, 'POST', '/events/click', sent)
    events.push(...sent.slice(0, 1))
    for (const { click_id } of sent) this.reported.add(click_id)
  }

  private async newCampaign(): Promise<void> {
    const { random } = this
    const { id: advertiserId } = random.pick(this.accounts)
    const totalMicros = random.pick(CAPS_MICROS) || null
    const dailyMicros = random.pick(CAPS_MICROS) || null
    const placements = random.chance(0.5) ? [] : [random.pick(this.placements).id]
    const budget = { totalMicros, dailyMicros }
    const body = campaignBody(advertiserId, this.bid(), { budget, targeting: { placements } })
    const made = await this.must(201, 'POST', '/v1/campaigns', body)
    const ads = made.ads.map(({ id }: Json) => id)
    this.campaigns.push({ id: made.id, advertiserId, ads, totalMicrosMax: totalMicros })
  }

  private async edit(): Promise<void> {
    const { random } = this
    const campaign = random.pick(this.campaigns)
    const path = `/v1/campaigns/${campaign.id}`
    switch (random.below(5)) {
      case 0:
        await this.must(200, 'POST', `${path}/pause`)
        return
      case 1: {
        const totalMicros = random.pick(CAPS_MICROS) || null
        // Before it is answered: a cap may hold that nobody heard of.
        const most = campaign.totalMicrosMax
        campaign.totalMicrosMax = most === null || totalMicros === null ? null : Math.max(most, totalMicros)
        await this.must(200, 'PATCH', path, { budget: { totalMicros } })
        return
      }
      case 2:
        await this.must(200, 'PATCH', path, { bid: this.bid() })
        return
      case 3: {
        const [ad] = campaignBody('', this.bid()).ads
        campaign.ads.push((await this.must(201, 'POST', `${path}/ads`, ad)).id)
        return
      }
      default:
        await this.must(200, 'POST', `${path}/resume`)
    }
  }

  /** Sent again under its key until it is answered, and sometimes once more. */
  private async deposit(account: Account, amountMicros: number): Promise<void> {
    const key = crypto.randomUUID()
    account.deposits.set(key, amountMicros)
    await this.insist(`/v1/advertisers/${account.id}/deposits`, { amountMicros }, key, [201])
  }

  private async refund(): Promise<void> {
    const { farthing, random } = this
    const eventId = random.pick([...this.clicked, ...this.reported, ...this.rendered])
    if (eventId === undefined) return
    const charge = await answered(farthing.charge(eventId))
    if (charge?.state !== 'charged' && charge?.state !== 'refunded') return
    const amountMicros = Math.max(1, random.below(charge.amountMicros + 2))
    const key = crypto.randomUUID()
    const path = `/v1/charges/${encodeURIComponent(eventId)}/refund`
    const status = await this.insist(path, { reason: 'random', amountMicros }, key, [201, 422])
    if (status === 201) this.refunds.set(key, { eventId, amountMicros })
  }

  private async insist(path: string, body: Json, key: string, expected: readonly number[]): Promise<number> {
    const answers = new Set<string>()
    for (let left = this.random.chance(0.3) ? 2 : 1; left > 0; ) {
      await this.back
      const answer = await this.farthing
        .call('POST', path, body, { 'Idempotency-Key': key })
        .catch(() => null)
      if (answer === null || answer.status === 503) continue
      if (!expected.includes(answer.status)) throw new Error(`${path}: ${answer.status} ${answer.text}`)
      answers.add(`${answer.status} ${answer.text}`)
      left--
    }
    if (answers.size > 1) throw new Error(`${path}, again: ${[...answers].join(', not ')}`)
    return Number([...answers][0]!.slice(0, 3))
  }

  private bid(): { model: 'cpc' | 'cpm'; amountMicros: number } {
    const { random } = this
    return random.chance(0.5)
      ? { model: 'cpc', amountMicros: random.pick(CPC_MICROS) }
      : { model: 'cpm', amountMicros: random.pick(CPM_MICROS) }
  }

  private must(status: number, method: string, path: string, body?: unknown): Promise<Json> {
    return this.farthing.must(status, method, path, body).catch(error => {
      if (this.back !== null || /: 503, not/.test(String(error))) throw new Unanswered()
      throw error
    })
  }

  private browse(url: string, how: { method?: string; agent?: string; address?: string } = {}) {
    return answered(this.farthing.browse(url, { address: this.address(), ...how }))
  }

  private address(): string {
    return `81.2.${this.random.below(200)}.${this.random.below(250)}`
  }
}

/** The installation died, or was about to. */
class Unanswered extends Error {}

function answered<T>(answer: Promise<T>): Promise<T> {
  return answer.catch(() => {
    throw new Unanswered()
  })
}

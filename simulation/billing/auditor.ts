import { formatUuid } from '../../src/core/ids.ts'
import type { LogRecord } from '../../src/ports/event-log.ts'
import { HEADER_BYTES, RecordKind, readHeader } from '../../src/records/record.ts'
import { TOKEN_BODY_BYTES } from '../../src/records/token-body.ts'

const CHOICE_LIFE_MS = 600_000
const HOLD_MS = 60_000
const TOO_SOON_MS = 500
/** Deadlines are gone through once a second, and partitions tick once a second. */
const DEADLINE_SLACK_MS = 2500
const CRAWLER = 1
const ITEM_BYTES = 82
const DAY_MS = 86_400_000

export interface CampaignFacts {
  readonly number: number
  readonly ad: number
  readonly advertiser: number
  readonly home: number
  readonly model: 'cpc' | 'cpm'
  readonly price: number
  /** Without caps, its balance beyond reach: whatever is valid must be charged. */
  readonly rich: boolean
  totalCap: number | null
  readonly dailyCap: number | null
  readonly dailyMost: number | null
}

export interface TokenFacts {
  readonly event: string
  readonly campaign: CampaignFacts
  readonly chosenAt: number
  readonly expires: number
  readonly test: boolean
}

/** What a server reported. */
export interface ReportFacts {
  readonly type: 'click' | 'impression'
  readonly campaign: CampaignFacts
  readonly at: number
  readonly verdict: number
}

interface Copy {
  readonly kind: number
  readonly verdict: number
  readonly receivedAt: number
  readonly appendedAt: number
}

interface Tables {
  all<T>(sql: string, values: (string | number | null)[]): T[]
}

interface Entry {
  number: number
  kind: number
  event: string | null
  advertiser: number
  campaign: number
  amount: number
  publisher_amount: number
  fee_amount: number
  items: Uint8Array | null
}

export class AuditFailure extends Error {
  override name = 'AuditFailure'
}

/** Its own arithmetic over plain rows. It knows what was sent, and nothing of how it is decided. */
export class Auditor {
  readonly advertisers = new Map<number, { id: string; credit: number; deposited: number }>()
  readonly campaigns = new Map<number, CampaignFacts>()
  readonly tokens = new Map<string, TokenFacts>()
  readonly reports = new Map<string, ReportFacts>()
  private spentBefore = new Map<number, number>()
  private readonly timeBefore = new Map<number, number>()

  /** `keptMs`: for how long after its choice an impression must be known. */
  constructor(private readonly keptMs: number) {}

  /** After each commit: money that was spent since the last one was there. */
  step(store: Tables): void {
    const spent = new Map<number, number>()
    const byAdvertiser = new Map<number, { spent: number; rose: boolean }>()
    for (const row of store.all<{ campaign: number; spend: number }>(
      'SELECT campaign, sum(spend) AS spend FROM rollup GROUP BY campaign',
      [],
    )) {
      spent.set(row.campaign, row.spend)
      const campaign = this.campaigns.get(row.campaign)
      if (campaign === undefined) continue
      const rose = row.spend > (this.spentBefore.get(row.campaign) ?? 0)
      if (rose && campaign.totalCap !== null)
        check(
          row.spend <= campaign.totalCap,
          `campaign ${row.campaign} spent ${row.spend} of ${campaign.totalCap}`,
        )
      const sum = byAdvertiser.get(campaign.advertiser) ?? { spent: 0, rose: false }
      sum.spent += row.spend
      sum.rose ||= rose
      byAdvertiser.set(campaign.advertiser, sum)
    }
    for (const [number, sum] of byAdvertiser) {
      const { deposited, credit } = this.advertisers.get(number)!
      if (sum.rose) check(sum.spent <= deposited + credit, `advertiser ${number} spent ${sum.spent}`)
    }
    this.spentBefore = spent
  }

  /** After time has passed: no partition is ahead of its edges' time or went back, and what was due is done. */
  time(store: Tables, now: number): void {
    for (const row of store.all<{ partition: number; state: string }>(
      'SELECT partition, state FROM position',
      [],
    )) {
      const { time } = JSON.parse(row.state) as { time: number }
      const before = this.timeBefore.get(row.partition) ?? 0
      check(time >= before, `partition ${row.partition} went back from ${before} to ${time}`)
      check(time <= now, `partition ${row.partition} is ${time - now} ms ahead`)
      this.timeBefore.set(row.partition, time)
    }
    const [late] = store.all<{ n: number }>('SELECT count(*) AS n FROM held WHERE deadline < ?', [
      now - DEADLINE_SLACK_MS,
    ])
    check(late!.n === 0, `${late!.n} clicks are held beyond their deadline`)
  }

  final(store: Tables, now: number, log: readonly LogRecord[]): void {
    const copies = copiesOf(log)
    const charged = this.ledger(store)
    for (const token of this.tokens.values()) {
      this.event(token, copies.get(token.event) ?? [], charged, store, token.chosenAt >= now - this.keptMs)
    }
    const reported = contentsOf(log)
    for (const [event, facts] of this.reports) {
      this.report(event, facts, reported.get(event) ?? [], charged, store)
    }
    for (const table of ['held', 'open_block', 'outbox', 'outbox_events', 'dead_letter']) {
      const [row] = store.all<{ n: number }>(`SELECT count(*) AS n FROM ${table}`, [])
      check(row!.n === 0, `${row!.n} rows are left in ${table}`)
    }
    for (const row of store.all<{ number: number; state: string }>(
      "SELECT number, state FROM money WHERE kind = 'advertiser'",
      [],
    )) {
      const { state } = JSON.parse(row.state) as { state: { reserved: number } }
      check(state.reserved === 0, `advertiser ${row.number} has ${state.reserved} held for ever`)
    }
  }

  /** Recomputes each account and each sum from the entries; returns what each event was charged. */
  private ledger(store: Tables): Map<string, number> {
    const charged = new Map<string, number>()
    const refunded = new Map<string, number>()
    const spend = new Map<number, number>()
    const daily = new Map<string, number>()
    const cpm = new Map<number, { count: number; sum: number }>()
    const deposits = new Map<number, number>()
    const balance = new Map<string, number>()
    const post = (account: string, amount: number) => add(balance, account, amount)
    const owner = (number: number) => `advertiser:${this.advertisers.get(number)?.id}`
    const bill = (event: string, campaign: number, amount: number) => {
      check(!charged.has(event), `event ${event} is charged twice`)
      const token = this.tokens.get(event) ?? this.reports.get(event)
      check(token?.campaign.number === campaign, `event ${event} is charged to another campaign`)
      charged.set(event, amount)
      add(spend, campaign, amount)
      add(daily, `${campaign}|${Math.floor(('at' in token! ? token.at : token!.chosenAt) / DAY_MS)}`, amount)
    }
    for (const entry of store.all<Entry>('SELECT * FROM entry ORDER BY number', [])) {
      const { kind, amount } = entry
      if (kind === 4) {
        add(deposits, entry.advertiser, amount)
        post('cash', -amount)
        post(owner(entry.advertiser), amount)
        continue
      }
      check(
        entry.publisher_amount + entry.fee_amount === amount,
        `entry ${entry.number} does not sum to zero`,
      )
      const sign = kind === 3 ? -1 : 1
      post('publisher:unknown', sign * entry.publisher_amount)
      post('fee', sign * entry.fee_amount)
      if (kind !== 2) post(owner(entry.advertiser), -sign * amount)
      if (kind === 1) {
        const campaign = this.campaigns.get(entry.campaign)
        if (campaign?.model === 'cpm') {
          const known = cpm.get(entry.campaign) ?? { count: 0, sum: 0 }
          cpm.set(entry.campaign, { count: known.count + 1, sum: known.sum + amount })
        } else check(amount === campaign?.price, `event ${entry.event} has another price`)
        bill(entry.event!, entry.campaign, amount)
      } else if (kind === 3) {
        add(refunded, entry.event!, amount)
        add(spend, entry.campaign, -amount)
        const day = Math.floor(this.tokens.get(entry.event!)!.chosenAt / DAY_MS)
        add(daily, `${entry.campaign}|${day}`, -amount)
      } else {
        const items = entry.items!
        const view = new DataView(items.buffer, items.byteOffset, items.byteLength)
        const u48 = (at: number) => view.getUint16(at) * 2 ** 32 + view.getUint32(at + 2)
        let sum = 0
        for (let at = 0; at < items.length; at += ITEM_BYTES) {
          const campaign = u48(at + 24)
          const cost = u48(at + 54)
          sum += cost
          check(u48(at + 60) + u48(at + 66) === cost, `an item of block ${entry.number} does not sum to zero`)
          bill(formatUuid(items, at), campaign, cost)
          post(owner(u48(at + 36)), -cost)
          const known = cpm.get(campaign) ?? { count: 0, sum: 0 }
          cpm.set(campaign, { count: known.count + 1, sum: known.sum + cost })
        }
        check(sum === amount, `block ${entry.number} does not add up`)
      }
    }
    for (const [event, amount] of refunded)
      check(amount <= (charged.get(event) ?? 0), `event ${event} is refunded more than it was charged`)
    for (const [number, { count, sum }] of cpm) {
      const due = Math.floor((count * this.campaigns.get(number)!.price) / 1000)
      check(sum === due, `campaign ${number}: ${count} impressions cost ${sum}, not ${due}`)
    }
    for (const [key, amount] of daily) {
      const most = this.campaigns.get(Number(key.split('|')[0]))!.dailyMost
      if (most !== null) check(amount <= most, `campaign|day ${key} spent ${amount} of ${most}`)
    }
    for (const [number, { deposited }] of this.advertisers)
      check(
        (deposits.get(number) ?? 0) === deposited,
        `advertiser ${number}: deposits differ from what was sent`,
      )
    this.accounts(store, balance)
    for (const row of store.all<{ campaign: number; spend: number }>(
      'SELECT campaign, sum(spend) AS spend FROM rollup GROUP BY campaign',
      [],
    )) {
      const own = spend.get(row.campaign) ?? 0
      check(row.spend === own, `campaign ${row.campaign}: rollups say ${row.spend}, the ledger ${own}`)
    }
    for (const row of store.all<{ number: number; state: string }>(
      "SELECT number, state FROM money WHERE kind = 'advertiser'",
      [],
    )) {
      const { state } = JSON.parse(row.state) as { state: { balance: number } }
      const own = balance.get(owner(row.number)) ?? 0
      check(state.balance === own, `advertiser ${row.number}: balance ${state.balance}, the ledger ${own}`)
    }
    return charged
  }

  private accounts(store: Tables, balance: Map<string, number>): void {
    let sum = 0
    for (const row of store.all<{ account: string; balance: number }>(
      'SELECT account, sum(balance) AS balance FROM account GROUP BY account',
      [],
    )) {
      sum += row.balance
      const own = balance.get(row.account) ?? 0
      check(row.balance === own, `account ${row.account} has ${row.balance}, the entries ${own}`)
      balance.set(row.account, own)
    }
    check(sum === 0, `the accounts sum to ${sum}`)
  }

  /** What should have become of an event, from the copies in the log alone. */
  private event(
    token: TokenFacts,
    all: readonly Copy[],
    charged: ReadonlyMap<string, number>,
    store: Tables,
    isKept: boolean,
  ): void {
    const { campaign, event } = token
    // What comes later may be below the floor, which need not move at once.
    const copies = all.filter(({ appendedAt }) => token.chosenAt >= appendedAt - this.keptMs)
    const late = all.length - copies.length
    const cpm = campaign.model === 'cpm'
    const shown = firstOf(copies, 1)
    const clicked = firstOf(copies, 2)
    const shownWell =
      shown !== undefined &&
      !token.test &&
      shown.verdict === 0 &&
      shown.receivedAt <= token.chosenAt + CHOICE_LIFE_MS
    let due: boolean | null = shownWell
    if (!cpm) {
      due = shownWell && clicked !== undefined && clicked.verdict === 0 && clicked.receivedAt <= token.expires
      if (due) {
        const shownFirst = copies.indexOf(shown!) < copies.indexOf(clicked!)
        const waited = shown!.appendedAt - clicked!.appendedAt
        if (shownFirst) due = clicked!.receivedAt - shown!.receivedAt >= TOO_SOON_MS
        else if (waited >= HOLD_MS) due = waited < HOLD_MS + 2500 ? null : false
      }
    }
    const was = charged.has(event)
    const decided = cpm ? shown : clicked
    if (late > 0 && (decided === undefined || shown === undefined)) due = null
    if (due === false) check(!was, `event ${event} was charged, and is not valid`)
    if (due === true && campaign.rich) check(was, `event ${event} is valid and funded, and was not charged`)
    const kind = cpm ? 1 : 2
    const first = copies.findIndex(copy => copy.kind === kind && copy.verdict !== CRAWLER)
    const after = first < 0 ? 0 : copies.slice(first + 1).filter(copy => copy.kind === kind).length
    const repeats = store.all<{ count: number }>(
      'SELECT count FROM token_repeat WHERE event = ? AND kind = ?',
      [event, kind],
    )
    const counted = repeats[0]?.count ?? 0
    const most = after + late
    check(
      counted <= most && (counted >= after || !isKept),
      `event ${event}: ${counted} repeats counted of ${after} to ${most}`,
    )
    if (first < 0 || was) return
    const [rejected] = store.all<{ n: number }>(
      "SELECT count(*) AS n FROM transition WHERE event = ? AND kind = ? AND state = 'rejected' AND reason <> 1",
      [event, kind],
    )
    check(rejected!.n === 1, `event ${event} was not charged, and has ${rejected!.n} reasons`)
  }

  /** The first copy of a reported event counts, and what came behind it is a repeat or a conflict. */
  private report(
    event: string,
    { type, campaign, verdict }: ReportFacts,
    contents: readonly string[],
    charged: ReadonlyMap<string, number>,
    store: Tables,
  ): void {
    const kind = type === 'click' ? 2 : 1
    const billable = (campaign.model === 'cpc') === (type === 'click')
    const was = charged.has(event)
    if (!billable || verdict !== 0) check(!was, `event ${event} was charged, and is not billable`)
    else if (campaign.rich && contents.length > 0) check(was, `event ${event} is funded, and was not charged`)
    const same = contents.filter(content => content === contents[0]).length
    for (const [of, expected] of [
      [kind, Math.max(0, same - 1)],
      [kind + 10, contents.length - same],
    ] as const) {
      const [row] = store.all<{ count: number }>('SELECT count FROM repeat WHERE event = ? AND kind = ?', [
        event,
        of,
      ])
      check(
        (row?.count ?? 0) === expected,
        `event ${event}: ${row?.count ?? 0} of kind ${of}, not ${expected}`,
      )
    }
    const [rejected] = store.all<{ n: number }>(
      "SELECT count(*) AS n FROM transition WHERE event = ? AND state = 'rejected'",
      [event],
    )
    const refused = contents.length > 0 && !was && (billable || verdict !== 0) ? 1 : 0
    check(rejected!.n === refused, `event ${event} has ${rejected!.n} reasons, not ${refused}`)
  }

  /** The replay of the log gave the same tables. */
  same(a: Tables, b: Tables): void {
    for (const [table, columns, order] of [
      ['entry', '*, lower(hex(hash)) AS hash, lower(hex(charges_root)) AS charges_root', 'number'],
      ['account', '*', 'account, partition'],
      ['transition', '*', 'number'],
      ['rollup', '*', 'minute, ad, placement'],
      ['repeat', '*', 'event, kind'],
      ['token_repeat', '*', 'partition, event, kind'],
      ['bits', '*, lower(hex(bytes)) AS bytes', 'boot, partition, kind, page'],
      [
        '(SELECT * FROM ingested_pending ORDER BY partition, sequence) GROUP BY partition',
        "partition, group_concat(lower(hex(bytes)), '') AS bytes",
        'partition',
      ],
      ['money', "kind, number, json_extract(state, '$.state') AS state", 'kind, number'],
    ] as const) {
      const sql = `SELECT ${columns} FROM ${table} ORDER BY ${order}`
      const left = a.all<object>(sql, [])
      const right = b.all<object>(sql, [])
      for (let i = 0; i < Math.max(left.length, right.length); i++) {
        const [one, other] = [JSON.stringify(left[i]), JSON.stringify(right[i])]
        check(one === other, `replay: row ${i} of ${table}: ${one} became ${other}`)
      }
    }
  }
}

function copiesOf(log: readonly LogRecord[]): Map<string, Copy[]> {
  const copies = new Map<string, Copy[]>()
  for (const { bytes, appendedAt } of log) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const { kind, receivedAt } = readHeader(view, 0)
    if (kind !== RecordKind.impression && kind !== RecordKind.click) continue
    const payload = HEADER_BYTES
    const event = formatUuid(bytes, payload + 2)
    const verdict = bytes[payload + TOKEN_BODY_BYTES]!
    const list = copies.get(event) ?? []
    list.push({ kind: kind === RecordKind.click ? 2 : 1, verdict, receivedAt, appendedAt })
    copies.set(event, list)
  }
  return copies
}

/** The contents of reported events, in the order in which they came, by this module's own reading of the layout. */
function contentsOf(log: readonly LogRecord[]): Map<string, string[]> {
  const contents = new Map<string, string[]>()
  for (const { bytes } of log) {
    const record = Buffer.from(bytes)
    if (record[5] !== RecordKind.ingestedEvents) continue
    for (let at = HEADER_BYTES; at < record.length; at += record.readUInt16BE(at)) {
      const event = record.toString('utf8', at + 72, at + record.readUInt16BE(at))
      const list = contents.get(event) ?? []
      list.push(record.toString('hex', at + 24, at + 32))
      contents.set(event, list)
    }
  }
  return contents
}

function firstOf(copies: readonly Copy[], kind: number): Copy | undefined {
  return copies.find(copy => copy.kind === kind && copy.verdict !== CRAWLER)
}

function add<K>(sums: Map<K, number>, key: K, amount: number): void {
  sums.set(key, (sums.get(key) ?? 0) + amount)
}

function check(holds: boolean, message: string): void {
  if (!holds) throw new AuditFailure(message)
}

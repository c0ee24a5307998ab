import { expect } from 'bun:test'
import { eventually, type Installation, type Json } from './installation.ts'
import type { RandomLife } from './random-life.ts'

/** What the ledger says of one event, from its entries and blocks. */
interface Booked {
  readonly eventId: string
  readonly campaignId: string
  readonly amountMicros: number
  refundedMicros: number
}

interface Ledger {
  readonly charges: Map<string, Booked>
  readonly depositedMicros: Map<string, number>
  /** Sums of postings by account. */
  readonly balances: Map<string, number>
}

const SETTLED = ['charged', 'refunded', 'rejected']

/**
 * Holds an installation's answers to each other and to what was done to it: entries, charges, campaigns, accounts and
 * reports. From the API alone: it shares nothing with `src`.
 */
export async function audit(life: RandomLife): Promise<Ledger> {
  const { farthing } = life
  await settled(life)
  expect(await farthing.must(200, 'GET', '/v1/ledger/verify')).toMatchObject({ ok: true, sumMicros: 0 })
  const ledger = await readLedger(farthing)
  await auditCharges(life, ledger)
  await auditAccounts(life, ledger)
  await auditCampaigns(life, ledger)
  await auditReports(life, ledger)
  return ledger
}

/** Nothing waits and no block is open: the partitions have read all there is. */
async function settled({ farthing, rendered, clicked, reported }: RandomLife): Promise<void> {
  await together([...rendered, ...clicked, ...reported], async id => {
    const charge = await eventually(
      () => farthing.charge(id),
      ({ state }) => state === undefined || SETTLED.includes(state),
    )
    // Of a CPC campaign an impression, of a CPM one a click is no charge: 404. Of an impression that was shown and
    // clicked one of the two is.
    if (charge.state === undefined && !clicked.has(id)) return
    expect(SETTLED, `${id}: ${JSON.stringify(charge)}`).toContain(charge.state)
    if (charge.state === 'rejected') expect(charge.reason, id).toBeString()
  })
}

async function together<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const left = [...items]
  const lane = async () => {
    for (let item = left.pop(); item !== undefined; item = left.pop()) await work(item)
  }
  await Promise.all(Array.from({ length: 8 }, lane))
}

async function readLedger(farthing: Installation): Promise<Ledger> {
  const charges = new Map<string, Booked>()
  const depositedMicros = new Map<string, number>()
  const balances = new Map<string, number>()
  const book = ({ eventId, campaignId }: Json, amountMicros: number) => {
    expect(charges.has(eventId), `${eventId} is charged twice`).toBe(false)
    charges.set(eventId, { eventId, campaignId, amountMicros, refundedMicros: 0 })
  }
  const amountOf = (entry: Json, kind: string) =>
    entry.postings.find(({ account }: Json) => account.startsWith(kind))
  for await (const entry of pages(farthing, '/v1/ledger/entries')) {
    for (const { account, amountMicros } of entry.postings) {
      balances.set(account, (balances.get(account) ?? 0) + amountMicros)
    }
    if (entry.kind === 'deposit') {
      const { account, amountMicros } = amountOf(entry, 'advertiser:')
      depositedMicros.set(account, (depositedMicros.get(account) ?? 0) + amountMicros)
    } else if (entry.kind === 'charge') {
      book(entry, -amountOf(entry, 'advertiser:').amountMicros)
    } else if (entry.kind === 'refund') {
      const refunded = charges.get(entry.eventId)
      expect(refunded, `a refund of ${entry.eventId}`).toBeDefined()
      refunded!.refundedMicros += amountOf(entry, 'advertiser:').amountMicros
    } else {
      for (const item of (await farthing.must(200, 'GET', `/v1/ledger/entries/${entry.id}/charges`)).items) {
        book(item, item.amountMicros)
      }
    }
  }
  return { charges, depositedMicros, balances }
}

async function auditCharges({ farthing, refunds }: RandomLife, { charges }: Ledger): Promise<void> {
  await together([...charges.values()], async booked => {
    const { eventId, amountMicros, refundedMicros } = booked
    const shown = await farthing.charge(eventId)
    expect(shown, eventId).toMatchObject(booked)
    expect(shown.state, eventId).toBe(refundedMicros > 0 ? 'refunded' : 'charged')
    expect(refundedMicros, eventId).toBeLessThanOrEqual(amountMicros)
  })
  const refunded = new Map<string, number>()
  for (const { eventId, amountMicros } of refunds.values()) {
    refunded.set(eventId, (refunded.get(eventId) ?? 0) + amountMicros)
  }
  for (const [eventId, { refundedMicros }] of charges) {
    expect(refundedMicros, `refunds of ${eventId}`).toBe(refunded.get(eventId) ?? 0)
    refunded.delete(eventId)
  }
  expect([...refunded], 'refunds of what was not charged').toEqual([])
}

async function auditAccounts(life: RandomLife, ledger: Ledger): Promise<void> {
  const { farthing, accounts } = life
  const { items } = await farthing.must(200, 'GET', '/v1/ledger/balances')
  for (const { account, balanceMicros } of items) {
    expect(balanceMicros, account).toBe(ledger.balances.get(account) ?? 0)
  }
  for (const { id, deposits } of accounts) {
    const account = `advertiser:${id}`
    const paidIn = [...deposits.values()].reduce((sum, amount) => sum + amount, 0)
    expect(ledger.depositedMicros.get(account), account).toBe(paidIn)
    const { balanceMicros } = await farthing.must(200, 'GET', `/v1/advertisers/${id}`)
    expect(balanceMicros, account).toBe(ledger.balances.get(account)!)
    expect(balanceMicros, account).toBeGreaterThanOrEqual(0)
  }
}

async function auditCampaigns({ farthing, campaigns }: RandomLife, { charges }: Ledger): Promise<void> {
  const spent = sumsBy(charges, ({ campaignId }) => campaignId)
  for (const { id, totalMicrosMax } of campaigns) {
    const { spend } = await farthing.must(200, 'GET', `/v1/campaigns/${id}`)
    expect(spend.totalMicros, id).toBe(spent.get(id)?.spendMicros ?? 0)
    if (totalMicrosMax !== null) expect(spend.totalMicros, id).toBeLessThanOrEqual(totalMicrosMax)
  }
}

async function auditReports({ farthing, publisherOf }: RandomLife, { charges }: Ledger): Promise<void> {
  const day = 86_400_000
  const midnight = Math.floor(Date.now() / day) * day
  const span = `from=${new Date(midnight - 2 * day).toISOString()}&to=${new Date(midnight + day).toISOString()}`
  const reported = async (groupBy: string, granularity: string) => {
    const path = `/v1/reports?${span}&granularity=${granularity}&groupBy=${groupBy}`
    const sums = new Map<string, { charges: number; spendMicros: number }>()
    for (const row of (await farthing.must(200, 'GET', path)).rows) {
      const of = row[groupBy] ?? 'unknown'
      const sum = sums.get(of) ?? { charges: 0, spendMicros: 0 }
      sums.set(of, {
        charges: sum.charges + row.charges,
        spendMicros: sum.spendMicros + row.spendMicros,
      })
    }
    return new Map([...sums].filter(([, sum]) => sum.charges > 0))
  }
  const byCampaign = sumsBy(charges, ({ campaignId }) => campaignId)
  expect(await reported('campaign', 'hour')).toEqual(byCampaign)
  expect(await reported('campaign', 'total')).toEqual(byCampaign)
  const byPublisher = sumsBy(charges, ({ eventId }) => publisherOf.get(eventId)!)
  expect(await reported('publisher', 'day')).toEqual(byPublisher)
}

function sumsBy(charges: Ledger['charges'], keyOf: (booked: Booked) => string) {
  const sums = new Map<string, { charges: number; spendMicros: number }>()
  for (const booked of charges.values()) {
    const sum = sums.get(keyOf(booked)) ?? { charges: 0, spendMicros: 0 }
    sum.charges++
    sum.spendMicros += booked.amountMicros - booked.refundedMicros
    sums.set(keyOf(booked), sum)
  }
  return sums
}

async function* pages(farthing: Installation, path: string): AsyncGenerator<Json> {
  let cursor: string | null = null
  do {
    const more: string = cursor === null ? '' : `&cursor=${cursor}`
    const page: Json = await farthing.must(200, 'GET', `${path}?limit=200${more}`)
    yield* page.items
    cursor = page.nextCursor
  } while (cursor !== null)
}

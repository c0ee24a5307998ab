import { charge } from '../budgets/budget.ts'
import { hash32 } from '../core/bytes.ts'
import { cpmMicros, impressionCost, micros, shareOf } from '../core/money.ts'
import type { IngestedFacts } from '../records/ingested.ts'
import { Reason } from '../records/reasons.ts'
import type { RollupRow } from './changes.ts'
import { addCharge } from './ledger.ts'
import { budgetOf, dayFor } from './money-of.ts'
import type { Turn } from './partition.ts'
import { countRefused, rollup } from './rollup.ts'
import { takeBackLeases } from './take-back.ts'
import { addTransitionAt, EventKind } from './transition.ts'

interface Ingested extends IngestedFacts {
  readonly eventId: string
}

/** An event that a server reported, its id seen for the first time: counted, and charged by the campaign's model. */
export function decideIngested(turn: Turn, event: Ingested): void {
  const { partition, changes } = turn
  const row = rollup(turn, event, event.timestamp)
  const kind = event.type === 'click' ? EventKind.click : EventKind.impression
  const money = budgetOf(partition, event.campaign)
  if (money === null || event.verdict !== Reason.none) {
    refuse(turn, event, row, money === null ? Reason.unknownAd : event.verdict)
    return
  }
  const billable = (money.budget.model === 'cpc') === (kind === EventKind.click)
  if (billable) {
    const cost =
      money.budget.model === 'cpc'
        ? { cost: micros(money.budget.amount), remainder: money.budget.remainder }
        : impressionCost(cpmMicros(money.budget.amount), money.budget.remainder)
    const day = dayFor(turn, event.campaign, money, event.timestamp)
    const isPaid =
      day !== null &&
      (charge(money.budget, day, money.balance, cost.cost) ||
        (takeBackLeases(turn, money, day, cost.cost) && charge(money.budget, day, money.balance, cost.cost)))
    if (!isPaid) {
      refuse(turn, event, row, Reason.budgetExhausted)
      return
    }
    money.budget.remainder = cost.remainder
    changes.touchBudget(partition, event.campaign)
    changes.touchBalance(partition.number, money.advertiser)
    const publisherAmount = shareOf(cost.cost, event.sharePpm)
    const { eventId } = event
    addCharge(turn, {
      event: eventId,
      eventSecond: hash32(eventId),
      advertiser: money.advertiser,
      campaign: event.campaign,
      ad: event.ad,
      publisher: event.publisher,
      placement: event.placement,
      currency: money.currency,
      amount: cost.cost,
      publisherAmount,
      feeAmount: micros(cost.cost - publisherAmount),
      // Its own time, within the day that it was charged to: a refund gives the money back to that day.
      receivedAt: Math.max(day.start, Math.min(event.timestamp, day.end - 1)),
      country: event.country,
      device: event.device,
    })
    row.charges++
    row.spend += cost.cost
  }
  if (kind === EventKind.click) row.clicks++
  else row.impressions++
}

function refuse(turn: Turn, event: Ingested, row: RollupRow, reason: number): void {
  const kind = event.type === 'click' ? EventKind.click : EventKind.impression
  const { eventId, campaign, ad, receivedAt } = event
  const of = { campaign, ad, eventSecond: hash32(eventId) }
  addTransitionAt({ ...turn, receivedAt }, of, eventId, kind, 'rejected', reason)
  countRefused(turn, row, reason)
}

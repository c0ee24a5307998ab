import { chargeImpression } from '../budgets/budget.ts'
import { RENDER_LIFE_MS } from '../budgets/render-holds.ts'
import { formatUuid } from '../core/ids.ts'
import { type CpmMicros, cpmMicros, impressionCost, micros, shareOf } from '../core/money.ts'
import { MINUTE_MS } from '../core/time.ts'
import { Reason } from '../records/reasons.ts'
import type { TokenBody } from '../records/token-body.ts'
import { BitKind } from './bits.ts'
import { BlockItems } from './block.ts'
import { type BudgetOf, budgetOf, dayFor } from './money-of.ts'
import type { Turn } from './partition.ts'
import { countRefused, rollup } from './rollup.ts'
import { takeBackLeases } from './take-back.ts'
import { addTransition, EventKind } from './transition.ts'

/** A token from further ahead than clocks differ is refused: it would be accepted for as long. */
export const FUTURE_MS = 5 * MINUTE_MS
/** Clicks sooner than this after their impression are not a person's. */
export const TOO_SOON_MS = 500

/**
 * An impression was shown. It counts once. For a CPM campaign it is charged: at once against the budget, in the ledger
 * with the block of its second; for a CPC campaign it lets its click count.
 * Returns whether it was the one that counts, so that a click held for it is settled.
 */
export function decideImpression(
  turn: Turn,
  token: TokenBody,
  payload: DataView,
  at: number,
  verdict: number,
): boolean {
  const { partition, changes } = turn
  const { boot, serial, chosenAt } = token.impression
  if (chosenAt < partition.head.floor) {
    countRefused(turn, rollup(turn, token, turn.receivedAt), Reason.expired)
    return false
  }
  if (
    partition.bits.has(boot, BitKind.rendered, serial) ||
    partition.bits.has(boot, BitKind.impressionRefused, serial)
  ) {
    if (token.cpm) changes.repeatToken(partition.number, impressionText(payload, at), EventKind.impression)
    return false
  }
  if (verdict === Reason.crawler) {
    // A crawler uses no token up: the first other event starts afresh.
    if (token.cpm)
      addTransition(turn, token, impressionText(payload, at), EventKind.impression, 'rejected', verdict)
    countRefused(turn, rollup(turn, token, turn.receivedAt), verdict)
    return false
  }
  const reason = refusal(turn, token, verdict)
  if (reason !== Reason.none) return refuse(turn, token, payload, at, reason)

  const money = budgetOf(partition, token.campaign)
  if (money === null) return refuse(turn, token, payload, at, Reason.unknownAd)
  if (token.cpm && !chargeCpm(turn, token, payload, at, money)) {
    return refuse(turn, token, payload, at, Reason.budgetExhausted)
  }
  partition.bits.set(boot, BitKind.rendered, serial, chosenAt)
  partition.head.recent.push([boot, serial, turn.receivedAt])
  const row = rollup(turn, token, turn.receivedAt)
  row.impressions++
  row.observedImpressions++
  return true
}

function refusal(turn: Turn, token: TokenBody, verdict: number): number {
  if (token.test) return Reason.test
  if (turn.receivedAt > token.impression.chosenAt + RENDER_LIFE_MS) return Reason.expired
  if (turn.receivedAt < token.impression.chosenAt - FUTURE_MS) return Reason.future
  return verdict
}

function refuse(turn: Turn, token: TokenBody, payload: DataView, at: number, reason: number): false {
  turn.partition.bits.set(
    token.impression.boot,
    BitKind.impressionRefused,
    token.impression.serial,
    token.impression.chosenAt,
  )
  if (token.cpm)
    addTransition(turn, token, impressionText(payload, at), EventKind.impression, 'rejected', reason)
  countRefused(turn, rollup(turn, token, turn.receivedAt), reason)
  return false
}

function chargeCpm(turn: Turn, token: TokenBody, payload: DataView, at: number, money: BudgetOf): boolean {
  const { partition, changes } = turn
  const chosenAt = token.impression.chosenAt
  const day = dayFor(turn, token.campaign, money, chosenAt)
  if (day === null) return false
  const price: CpmMicros = cpmMicros(token.priceMicros)
  const times = { chosenAt, now: partition.head.time }
  let cost = chargeImpression(money.budget, day, money.balance, price, times)
  if (cost === null) {
    const missing = impressionCost(price, money.budget.remainder).cost
    if (!takeBackLeases(turn, money, day, missing)) return false
    cost = chargeImpression(money.budget, day, money.balance, price, times)
  }
  if (cost === null) return false
  changes.touchBudget(partition, token.campaign)
  changes.touchBalance(partition.number, money.advertiser)

  const publisherAmount = shareOf(cost, token.sharePpm)
  const second = Math.floor(partition.head.time / 1000)
  let block = partition.openBlocks.get(money.currency)
  if (block === undefined) {
    block = { second, items: new BlockItems() }
    partition.openBlocks.set(money.currency, block)
  }
  block.items.add({
    impressionId: new Uint8Array(payload.buffer, payload.byteOffset + at + 2, 16),
    at: partition.head.time,
    campaign: token.campaign,
    ad: token.ad,
    advertiser: money.advertiser,
    publisher: token.publisher,
    placement: token.placement,
    amount: cost,
    publisherAmount,
    feeAmount: micros(cost - publisherAmount),
    country: token.country,
    device: token.device,
  })
  changes.touchOpenBlock(partition.number, money.currency)
  const row = rollup(turn, token, turn.receivedAt)
  row.charges++
  row.spend += cost
  return true
}

export function impressionText(payload: DataView, at: number): string {
  return formatUuid(new Uint8Array(payload.buffer, payload.byteOffset, payload.byteLength), at + 2)
}

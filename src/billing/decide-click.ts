import { chargeClick } from '../budgets/budget.ts'
import { micros, shareOf } from '../core/money.ts'
import { Reason } from '../records/reasons.ts'
import type { TokenBody } from '../records/token-body.ts'
import { BitKind } from './bits.ts'
import { FUTURE_MS, impressionText, TOO_SOON_MS } from './decide-impression.ts'
import { addCharge } from './ledger.ts'
import { budgetOf, dayFor } from './money-of.ts'
import type { Turn } from './partition.ts'
import { countRefused, rollup } from './rollup.ts'
import { takeBackLeases } from './take-back.ts'
import { addTransition, EventKind } from './transition.ts'

/**
 * A click on an ad that was chosen by an auction.
 *
 *   below the floor    -> counted as expired, and no more is kept of it
 *   crawler            -> rejected, uses nothing up
 *   seen before        -> counted as a repeat
 *   not rendered yet   -> pending(awaitingImpression) -> decided again with the impression, or rejected(unrendered)
 *   refused            -> rejected(reason)
 *   cpm                -> counted
 *   cpc                -> charged, or rejected(budgetExhausted)
 */
export function decideClick(
  turn: Turn,
  token: TokenBody,
  record: Uint8Array,
  payload: DataView,
  at: number,
  verdict: number,
): void {
  const { partition, changes } = turn
  const { boot, serial, chosenAt } = token.impression
  if (chosenAt < partition.head.floor) {
    countRefused(turn, rollup(turn, token, turn.receivedAt), Reason.expired)
    return
  }
  if (partition.bits.has(boot, BitKind.click, serial)) {
    if (!token.cpm) changes.repeatToken(partition.number, impressionText(payload, at), EventKind.click)
    return
  }
  if (verdict === Reason.crawler) {
    if (!token.cpm)
      addTransition(turn, token, impressionText(payload, at), EventKind.click, 'rejected', verdict)
    countRefused(turn, rollup(turn, token, turn.receivedAt), verdict)
    return
  }
  partition.bits.set(boot, BitKind.click, serial, chosenAt)
  const reason = refusal(turn, token, verdict)
  if (reason !== Reason.none) {
    refuseClick(turn, token, payload, at, reason)
    return
  }
  if (!partition.bits.has(boot, BitKind.rendered, serial)) {
    if (partition.bits.has(boot, BitKind.impressionRefused, serial)) {
      refuseClick(turn, token, payload, at, Reason.unrendered)
      return
    }
    hold(turn, token, record, payload, at)
    return
  }
  const rendered = renderedAt(turn, boot, serial)
  if (rendered !== null && turn.receivedAt - rendered < TOO_SOON_MS) {
    refuseClick(turn, token, payload, at, Reason.tooSoon)
    return
  }
  settleClick(turn, token, payload, at)
}

/** The impression of a held click has come. */
export function settleClick(turn: Turn, token: TokenBody, payload: DataView, at: number): void {
  const { partition, changes } = turn
  if (token.cpm) {
    const row = rollup(turn, token, turn.receivedAt)
    row.clicks++
    row.observedClicks++
    return
  }
  const money = budgetOf(partition, token.campaign)
  const day = money === null ? null : dayFor(turn, token.campaign, money, token.impression.chosenAt)
  const amount = micros(token.priceMicros)
  const isPaid =
    money !== null &&
    day !== null &&
    (chargeClick(money.budget, day, money.balance, amount) ||
      (takeBackLeases(turn, money, day, amount) && chargeClick(money.budget, day, money.balance, amount)))
  if (!isPaid) {
    refuseClick(turn, token, payload, at, Reason.budgetExhausted)
    return
  }
  changes.touchBudget(partition, token.campaign)
  changes.touchBalance(partition.number, money.advertiser)
  const publisherAmount = shareOf(amount, token.sharePpm)
  addCharge(turn, {
    event: impressionText(payload, at),
    eventSecond: Math.floor(token.impression.chosenAt / 1000),
    advertiser: money.advertiser,
    campaign: token.campaign,
    ad: token.ad,
    publisher: token.publisher,
    placement: token.placement,
    currency: money.currency,
    amount,
    publisherAmount,
    feeAmount: micros(amount - publisherAmount),
    receivedAt: turn.receivedAt,
    country: token.country,
    device: token.device,
  })
  const row = rollup(turn, token, turn.receivedAt)
  row.clicks++
  row.charges++
  row.spend += amount
  row.observedClicks++
}

export function refuseClick(
  turn: Turn,
  token: TokenBody,
  payload: DataView,
  at: number,
  reason: number,
): void {
  if (!token.cpm) addTransition(turn, token, impressionText(payload, at), EventKind.click, 'rejected', reason)
  countRefused(turn, rollup(turn, token, turn.receivedAt), reason)
}

function refusal(turn: Turn, token: TokenBody, verdict: number): number {
  if (token.test) return Reason.test
  if (turn.receivedAt > token.clickExpiresAt) return Reason.expired
  if (turn.receivedAt < token.impression.chosenAt - FUTURE_MS) return Reason.future
  return verdict
}

function hold(turn: Turn, token: TokenBody, record: Uint8Array, payload: DataView, at: number): void {
  const { partition, changes } = turn
  const event = impressionText(payload, at)
  const held = { deadline: partition.head.time + partition.head.holdMs, record: record.slice() }
  partition.held.set(event, held)
  changes.heldPut.set(event, { partition: partition.number, ...held })
  changes.heldGone.delete(event)
  if (!token.cpm) addTransition(turn, token, event, EventKind.click, 'pending', Reason.awaitingImpression)
}

function renderedAt(turn: Turn, boot: number, serial: number): number | null {
  const recent = turn.partition.head.recent
  for (let i = recent.length - 1; i >= 0; i--) {
    if (recent[i]![1] === serial && recent[i]![0] === boot) return recent[i]![2]
  }
  return null
}

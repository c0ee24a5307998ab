import { newBalance } from '../budgets/balance.ts'
import { newBudget, rebalance, refund, stopReason } from '../budgets/budget.ts'
import { dayAt, releaseLeases } from '../budgets/shard.ts'
import { advertiserBody, campaignBody, plainBody } from '../campaigns/bodies.ts'
import type { Advertiser, Campaign } from '../campaigns/campaign.ts'
import { decideEdit, type Entity } from '../campaigns/edit.ts'
import { formatId } from '../core/ids.ts'
import { micros } from '../core/money.ts'
import { accepted, type FieldError, type Outcome, refused } from '../core/outcome.ts'
import { rfc3339 } from '../core/time.ts'
import type { CommandOutcome, EntityTable } from '../ports/control.ts'
import type { Command } from '../records/events.ts'
import { closeBlock } from './decide-block.ts'
import { addEntry } from './ledger.ts'
import { budgetOf } from './money-of.ts'
import { advertiserMoneyView, campaignMoneyView } from './money-view.ts'
import type { Turn } from './partition.ts'
import { rollup } from './rollup.ts'

/** What a refund needs to know of a charge; the shell reads it from the store, as the charge is committed state. */
export interface ChargeFacts {
  readonly eventId: string
  readonly eventSecond: number
  /** It is in a block that is open. */
  readonly isReserved: boolean
  readonly amountMicros: number
  readonly publisherMicros: number
  readonly refundedMicros: number
  readonly refundedPublisherMicros: number
  readonly chosenAt: number
  readonly campaign: number
  readonly ad: number
  readonly publisher: number
  readonly placement: number
  readonly country: number
  readonly device: number
}

/**
 * Of one campaign: a click and an impression that servers report under one id may be of two, and what another partition
 * has committed by now is another in a replay.
 */
export type FindCharge = (eventId: string, campaign: number) => ChargeFacts | null

/** Decides an edit or a movement of money, and gives the answer that the API will give. */
export function decideCommand(turn: Turn, command: Command, findCharge: FindCharge): CommandOutcome {
  const outcome =
    command.name === 'deposit'
      ? decideDeposit(turn, command)
      : command.name === 'refund'
        ? decideRefund(turn, command, findCharge)
        : decideEntityEdit(turn, command)
  return outcome.ok ? outcome.value : problem(outcome.status, outcome.detail, outcome.errors)
}

function decideEntityEdit(turn: Turn, command: Command): Outcome<CommandOutcome> {
  const { partition, changes } = turn
  const edit = decideEdit({ get: (kind, number) => partition.entities[kind].get(number) }, command, {
    now: command.at,
    nextNumber: kind => partition.nextNumber(kind),
  })
  if (!edit.ok) return edit
  const { kind, number, owner, entity, action, patch, status, version } = edit.value
  if (kind === 'advertiser') {
    const { creditLimitMicros } = entity as Advertiser
    const held = partition.balances.get(number)?.balance ?? 0
    if (!Number.isSafeInteger(held + creditLimitMicros)) return tooMuch('creditLimitMicros')
  }
  if (edit.value.changed) {
    partition.put(kind, number, entity as never)
    changes.entities.push({ kind, number, owner, doc: entity })
    changes.history.push({ kind, number, version, at: command.at, actor: command.actor.keyId, action, patch })
    applyEntity(turn, kind, number, entity)
  }
  return accepted({ status, body: status === 204 ? null : bodyOf(turn, kind, number) })
}

function applyEntity(turn: Turn, kind: EntityTable, number: number, entity: Entity): void {
  if (kind === 'campaign') applyCampaign(turn, number, entity as Campaign)
  else if (kind === 'advertiser') applyAdvertiser(turn, number, entity as Advertiser)
  else turn.changes.catalog.push({ kind, [kind]: entity } as never)
}

function applyAdvertiser(turn: Turn, number: number, advertiser: Advertiser): void {
  const { partition, changes } = turn
  const balance = partition.balances.get(number)
  if (balance === undefined) partition.balances.set(number, newBalance(advertiser.creditLimitMicros))
  else balance.credit = micros(advertiser.creditLimitMicros)
  changes.touchBalance(partition.number, number)
  changes.catalog.push({ kind: 'advertiser', advertiser })
  judgeAdvertiser(turn, number)
}

function applyCampaign(turn: Turn, number: number, campaign: Campaign): void {
  const { partition, changes } = turn
  const terms = {
    model: campaign.bid.model,
    amount: campaign.bid.amountMicros,
    totalCap: campaign.budget.totalMicros === null ? null : micros(campaign.budget.totalMicros),
    dailyCap: campaign.budget.dailyMicros === null ? null : micros(campaign.budget.dailyMicros),
    timeZone: campaign.schedule.timeZone,
  }
  let budget = partition.budgets.get(number)
  if (budget === undefined) {
    budget = newBudget(terms)
    partition.budgets.set(number, budget)
  } else Object.assign(budget, terms)
  if (campaign.paused || campaign.archived) releaseLease(turn, number)
  changes.touchBudget(partition, number)
  // Judged first: what serves is told with the edit whether it stops the campaign, and heeds it before the edit's answer.
  judgeCampaign(turn, number)
  changes.catalog.push({ kind: 'campaign', campaign, money: { stopped: budget.stopped } })
}

/** What nodes have leased and not chosen with is free again. */
export function releaseLease(turn: Turn, campaign: number): void {
  const { partition, changes } = turn
  const money = budgetOf(partition, campaign)
  if (money === null) return
  releaseLeases(money.budget, partition.head.time)
  rebalance(money.budget, money.balance, partition.head.time)
  changes.touchBudget(partition, campaign)
  changes.touchBalance(partition.number, money.advertiser)
  changes.leases.push({ kind: 'released', partition: partition.number, campaign, thousandths: null })
}

/** Sees whether the money stops or wakes a campaign, and says so to the ones that serve. */
export function judgeCampaign(turn: Turn, campaign: number): void {
  const { partition, changes } = turn
  const money = budgetOf(partition, campaign)
  if (money === null) return
  const stopped = stopReason(money.budget, money.balance, partition.head.time)
  if (stopped === 'exhaustedDaily') partition.wakeWithDay(campaign, money.budget)
  else partition.exhaustedDaily.delete(campaign)
  if (stopped === money.budget.stopped) return
  money.budget.stopped = stopped
  changes.touchBudget(partition, campaign)
  if (stopped !== null) releaseLease(turn, campaign)
  changes.catalog.push({ kind: 'money', campaignId: formatId('campaign', campaign), money: { stopped } })
}

export function judgeAdvertiser(turn: Turn, advertiser: number): void {
  for (const campaign of turn.partition.campaignsOf.get(advertiser) ?? []) judgeCampaign(turn, campaign)
}

/** Beyond 2^53 - 1 a number is not exact any more. */
function tooMuch(path: string): Outcome<CommandOutcome> {
  const message = 'balance and credit would exceed 2^53 - 1 micros'
  return refused(422, 'The sum would not fit.', [{ path, message }])
}

function decideDeposit(turn: Turn, command: Command): Outcome<CommandOutcome> {
  const { partition, changes } = turn
  const number = command.target ?? 0
  const advertiser = partition.entities.advertiser.get(number)
  const balance = partition.balances.get(number)
  if (advertiser === undefined || balance === undefined) return refused(404, 'There is no such advertiser.')
  const amount = (command.body as { amountMicros: number }).amountMicros
  if (!Number.isSafeInteger(balance.balance + balance.credit + amount)) {
    return tooMuch('amountMicros')
  }
  balance.balance = micros(balance.balance + amount)
  changes.touchBalance(partition.number, number)
  const entry = addEntry(turn, {
    kind: 4,
    event: null,
    eventSecond: null,
    advertiser: number,
    campaign: 0,
    ad: 0,
    publisher: 0,
    placement: 0,
    currency: advertiser.currency,
    amount: micros(amount),
    publisherAmount: micros(0),
    feeAmount: micros(0),
    receivedAt: turn.receivedAt,
    country: 0,
    device: 0,
    note: null,
  })
  judgeAdvertiser(turn, number)
  return accepted({
    status: 201,
    body: {
      id: formatId('deposit', entry.number),
      advertiserId: advertiser.id,
      amountMicros: amount,
      currency: advertiser.currency,
      entryId: formatId('entry', entry.number),
      createdAt: rfc3339(turn.receivedAt),
      ...balanceFields(balance),
    },
  })
}

/** Before all days: the money goes back to total and balance alone. */
const OF_NO_DAY = Number.NEGATIVE_INFINITY

function decideRefund(turn: Turn, command: Command, findCharge: FindCharge): Outcome<CommandOutcome> {
  const { partition, changes } = turn
  const body = command.body as { eventId: string; reason: string; amountMicros?: number }
  const charge = findCharge(body.eventId, command.target ?? 0)
  if (charge === null) return refused(404, 'There is no such charge.')
  const left = charge.amountMicros - charge.refundedMicros
  const amount = body.amountMicros ?? left
  if (amount > left || amount <= 0) {
    return refused(422, 'The refund is more than what is left of the charge.', [
      { path: 'amountMicros', message: `at most ${left} micros of this charge are not refunded yet` },
    ])
  }
  const money = budgetOf(partition, charge.campaign)
  if (money === null) return refused(404, 'There is no such campaign here.')
  if (!Number.isSafeInteger(money.balance.balance + money.balance.credit + amount)) {
    return tooMuch('amountMicros')
  }
  // In proportion, by totals, so that parts add up to exactly the publisher's share of the whole.
  const refundedAfter = charge.refundedMicros + amount
  const publisherAfter = shareOfPart(charge.publisherMicros, refundedAfter, charge.amountMicros)
  const publisherAmount = micros(publisherAfter - charge.refundedPublisherMicros)
  const day = dayAt(money.budget, charge.chosenAt)
  // A day that is over stays as it was spent: its clicks still come, and would be charged past its cap.
  const chargedAt = day !== null && turn.receivedAt < day.end ? charge.chosenAt : OF_NO_DAY
  refund(money.budget, money.balance, chargedAt, micros(amount))
  changes.touchBudget(partition, charge.campaign)
  changes.touchBalance(partition.number, money.advertiser)
  if (charge.isReserved) closeBlock(turn, money.currency)
  const entry = addEntry(turn, {
    kind: 3,
    event: charge.eventId,
    eventSecond: charge.eventSecond,
    advertiser: money.advertiser,
    campaign: charge.campaign,
    ad: charge.ad,
    publisher: charge.publisher,
    placement: charge.placement,
    currency: money.currency,
    amount: micros(amount),
    publisherAmount,
    feeAmount: micros(amount - publisherAmount),
    receivedAt: turn.receivedAt,
    country: charge.country,
    device: charge.device,
    note: body.reason,
  })
  rollup(turn, charge, turn.receivedAt).spend -= amount
  judgeAdvertiser(turn, money.advertiser)
  return accepted({
    status: 201,
    body: {
      id: formatId('refund', entry.number),
      eventId: charge.eventId,
      amountMicros: amount,
      refundedMicros: refundedAfter,
      reason: body.reason,
      entryId: formatId('entry', entry.number),
      createdAt: rfc3339(command.at),
    },
  })
}

/** floor(whole * part / total), exact beyond 2^53. */
function shareOfPart(whole: number, part: number, total: number): number {
  return part === total ? whole : Number((BigInt(whole) * BigInt(part)) / BigInt(total))
}

function balanceFields(balance: { balance: number; credit: number; reserved: number }) {
  return {
    balanceMicros: balance.balance,
    heldMicros: balance.reserved,
    availableMicros: balance.balance + balance.credit - balance.reserved,
  }
}

function bodyOf(turn: Turn, kind: EntityTable, number: number): unknown {
  const { entities, budgets, balances, head } = turn.partition
  switch (kind) {
    case 'campaign':
      return campaignBody(
        entities.campaign.get(number)!,
        campaignMoneyView(budgets.get(number)!, head.time),
        head.time,
      )
    case 'advertiser':
      return advertiserBody(
        entities.advertiser.get(number)!,
        advertiserMoneyView(balances.get(number)!),
        head.time,
      )
    default:
      return plainBody(entities[kind].get(number)!)
  }
}

export function problem(status: number, detail: string, errors: readonly FieldError[]): CommandOutcome {
  return { status, body: { detail, errors } }
}

import { CHAIN_STRIDE } from './entry.ts'
import type { Turn } from './partition.ts'

export const EventKind = { impression: 1, click: 2 } as const
export type EventKind = (typeof EventKind)[keyof typeof EventKind]

export interface EventOf {
  readonly campaign: number
  readonly ad: number
  readonly eventSecond: number
}

/** Keeps a state that a charge passed through. Never changed afterwards. */
export function addTransition(
  turn: Turn,
  of: { readonly campaign: number; readonly ad: number; readonly impression: { readonly chosenAt: number } },
  event: string,
  kind: EventKind,
  state: 'pending' | 'rejected',
  reason: number,
): void {
  addTransitionAt(
    turn,
    { campaign: of.campaign, ad: of.ad, eventSecond: Math.floor(of.impression.chosenAt / 1000) },
    event,
    kind,
    state,
    reason,
  )
}

export function addTransitionAt(
  turn: Turn,
  of: EventOf,
  event: string,
  kind: EventKind,
  state: 'pending' | 'rejected',
  reason: number,
): void {
  const { partition, changes } = turn
  partition.head.transitionSequence++
  changes.transitions.push({
    number: partition.number * CHAIN_STRIDE + partition.head.transitionSequence,
    event,
    eventSecond: of.eventSecond,
    kind,
    at: turn.receivedAt,
    state,
    reason,
    campaign: of.campaign,
    ad: of.ad,
    advertiser: partition.advertiserOf(of.campaign),
  })
}

import type { LeaseAsk } from '../ports/treasury-link.ts'

/** Weight of the newest second in the observed rate. */
const RATE_WEIGHT = 0.4
/** Impressions a second below which nothing is spent to speak of: a lease is for more than that in any case. */
const LEAST_IMPRESSION_RATE = 0.01
/** A lease of a cpc campaign is for so many impressions at least, at the highest click rate that is usual. */
const CHOICES_A_CLICK = 10

/** Campaigns whose nodes chose nothing for so long are given to others, again and again, later each time. */
export const REST_MS_MIN = 1000

/** A serving node, as a treasury knows it under one term. */
export interface LeaseNode {
  readonly number: number
  readonly term: number
  heardAt: number
  /** Of the newest ask that has no answer yet; null where all have one. */
  askSentAt: number | null
  /** Of the last message to it. */
  sequence: number
  /** By campaign. */
  readonly accounts: Map<number, NodeAccount>
  /** Whose grants it has not said to have heard. */
  readonly untold: NodeAccount[]
  /** They do not wait for its next ask. */
  push: boolean
}

/** What one node was granted, and what it says that it chose and gave back: totals of the epoch, thousandths of a micro. */
export interface NodeAccount {
  readonly shard: ShardAccount
  readonly node: LeaseNode
  /** The first message that told the grant as it is; 0 where the node has heard it. */
  untoldSince: number
  granted: number
  returned: number
  chosen: number
  impressions: number
  variance: number
  dropped: number
  /** Of `granted`, what is void: a campaign that stopped, or a day that is over; and what of that it may still have. */
  voided: number
  voidInHand: number
}

/** A treasury's book of one shard. */
export interface ShardAccount {
  readonly campaign: number
  readonly shard: number
  /** What decide has leased to this epoch, less what was given back. */
  leased: number
  /** The day that it was leased of; null once it is released, and before anything was. */
  dayStart: number | null
  dayEnd: number
  /** Sum over nodes of what they have taken: chosen money is in it. */
  taken: number
  chosen: number
  impressions: number
  variance: number
  /** What nodes had in hand of the epoch before, or of what was void, and dropped. */
  dropped: number
  /** Of `chosen`, what nodes had in hand that were not heard of again. */
  supposed: number
  /** Of the nodes that are known. */
  accounts: NodeAccount[]
  /** How many nodes may choose it, and which: see nodesFor. */
  spread: number
  turn: number
  /** Those nodes, as of the last look: by how many, at which turn, of which alive. */
  picked: readonly NodeAccount[]
  pickedSpread: number
  pickedTurn: number
  pickedOf: readonly number[]
  /** Chosen a second, observed: money, and impressions. */
  rate: number
  impressionRate: number
  ratedChosen: number
  ratedImpressions: number
  /** When it was chosen last, or leased more to try. */
  usedAt: number
  /** Nodes that choose nothing for so long are not the right ones. */
  restMs: number
  /** They gave back what they had: until others have their turn nothing is granted. */
  rests: boolean
  /** It waits for its turn to be given to others. */
  isTrying: boolean
  dueAt: number
  reportedChosen: number
  reportedVariance: number
  reportedDropped: number
  askedLease: boolean
  scarce: boolean
  isActive: boolean
  /** Whether it is in the treasury's list of those to be looked at. */
  isDue: boolean
  isHungry: boolean
  /** Stays in the list of hungry ones until that is gone through. */
  isListedHungry: boolean
  quietUntil: number
}

/**
 * The least that a node can do something with: a price. The last price of a cpc campaign is shared with what is held for
 * the clicks of earlier impressions, and each impression costs but a small part of it: what is free below a price is
 * enough, in steps. To the micro, what an even plan lets out would have grown again whenever it was leased: never handed
 * out, and leased 4 times a second.
 */
export function leastLease(
  view: { readonly model: 'cpc' | 'cpm'; readonly price: number },
  free: number,
): number {
  if (view.model === 'cpm' || free >= view.price) return view.price
  const step = view.price / CHOICES_A_CLICK
  return step * Math.max(1, Math.floor(free / step))
}

/**
 * Turns to the day that can be leased of. False while anything of the day before is leased and not chosen: until it is
 * released nothing is handed out, or a closed day's money would be chosen with as if it was of the day that has begun.
 */
export function turnToDay(
  shard: ShardAccount,
  day: { readonly dayStart: number; readonly dayEnd: number },
): boolean {
  if (shard.dayStart === day.dayStart) return true
  if (shard.dayStart !== null && shard.leased - shard.chosen >= 1) return false
  shard.dayStart = day.dayStart
  shard.dayEnd = day.dayEnd
  return true
}

/** It was chosen: its nodes are the right ones. */
export function noteUse(shard: ShardAccount, now: number): void {
  shard.usedAt = now
  shard.restMs = REST_MS_MIN
}

/** Lets a second of what was chosen into the observed rates. */
export function observe(shard: ShardAccount, seconds: number): void {
  const chosen = shard.chosen - shard.ratedChosen
  shard.rate += RATE_WEIGHT * (chosen / seconds - shard.rate)
  const impressions = shard.impressions - shard.ratedImpressions
  shard.impressionRate += RATE_WEIGHT * (impressions / seconds - shard.impressionRate)
  if (shard.impressionRate < LEAST_IMPRESSION_RATE) {
    shard.rate = 0
    shard.impressionRate = 0
  }
  shard.ratedChosen = shard.chosen
  shard.ratedImpressions = shard.impressions
}

export function unspentOf(node: NodeAccount): number {
  return node.granted - node.returned - node.chosen
}

/** What a node may have spent. */
export function takenBy(node: NodeAccount): number {
  return Math.max(node.granted - node.returned, node.chosen)
}

/** Takes in what a node says, by the maximum: of a repeat or an old ask nothing. Returns whether it gave more back. */
export function mergeSaid(node: NodeAccount, said: LeaseAsk['shards'][number]): boolean {
  const { shard } = node
  const before = takenBy(node)
  const chosen = Math.max(0, said.chosenThousandths - node.chosen)
  const returned = Math.max(0, said.returnedThousandths - node.returned)
  node.chosen += chosen
  shard.chosen += chosen
  node.returned += returned
  shard.impressions += Math.max(0, said.impressions - node.impressions)
  node.impressions = Math.max(node.impressions, said.impressions)
  shard.variance += Math.max(0, said.variance - node.variance)
  node.variance = Math.max(node.variance, said.variance)
  shard.dropped += Math.max(0, said.droppedThousandths - node.dropped)
  node.dropped = Math.max(node.dropped, said.droppedThousandths)
  node.voidInHand = Math.max(0, node.voidInHand - chosen)
  const dropped = Math.min(node.voidInHand, returned)
  node.voidInHand -= dropped
  shard.dropped += dropped
  shard.taken += takenBy(node) - before
  return returned > 0
}

export function accountOf(shard: ShardAccount, node: LeaseNode): NodeAccount {
  return node.accounts.get(shard.campaign) ?? openAccount(shard, node)
}

function openAccount(shard: ShardAccount, node: LeaseNode): NodeAccount {
  const account: NodeAccount = {
    shard,
    node,
    untoldSince: 0,
    granted: 0,
    returned: 0,
    chosen: 0,
    impressions: 0,
    variance: 0,
    dropped: 0,
    voided: 0,
    voidInHand: 0,
  }
  shard.accounts.push(account)
  node.accounts.set(shard.campaign, account)
  return account
}

/** Of a node that is not heard of any more: what it had in hand counts as chosen. */
export function closeAccount(
  account: NodeAccount,
  view: { readonly model: 'cpc' | 'cpm'; readonly price: number } | null,
): void {
  const { shard } = account
  const unspent = Math.max(0, unspentOf(account))
  shard.accounts = shard.accounts.filter(other => other !== account)
  shard.chosen += unspent
  shard.supposed += unspent
  // As if it was chosen impression by impression, whose clicks come by chance.
  if (view?.model === 'cpc') shard.variance += unspent * view.price
}

/** The node is to hear of its grant as it is from its next message on. */
export function tell(account: NodeAccount, atOnce: boolean): void {
  const { node } = account
  if (account.untoldSince === 0) node.untold.push(account)
  account.untoldSince = node.sequence + 1
  node.push ||= atOnce
}

/** The node has heard a message: what it told, and has not changed since, need not be told again. */
export function hear(node: LeaseNode, sequence: number): void {
  let kept = 0
  for (const account of node.untold) {
    if (account.untoldSince > sequence) node.untold[kept++] = account
    else account.untoldSince = 0
  }
  node.untold.length = kept
}

export function newShardAccount(campaign: number, shard: number): ShardAccount {
  return {
    campaign,
    shard,
    leased: 0,
    dayStart: null,
    dayEnd: 0,
    taken: 0,
    chosen: 0,
    impressions: 0,
    variance: 0,
    dropped: 0,
    supposed: 0,
    accounts: [],
    spread: 1,
    turn: 0,
    picked: [],
    pickedSpread: 0,
    pickedTurn: 0,
    pickedOf: [],
    rate: 0,
    impressionRate: 0,
    ratedChosen: 0,
    ratedImpressions: 0,
    usedAt: Number.NEGATIVE_INFINITY,
    restMs: REST_MS_MIN,
    rests: false,
    isTrying: false,
    dueAt: Number.POSITIVE_INFINITY,
    reportedChosen: 0,
    reportedVariance: 0,
    reportedDropped: 0,
    askedLease: false,
    scarce: false,
    isActive: false,
    isDue: false,
    isHungry: false,
    isListedHungry: false,
    quietUntil: Number.NEGATIVE_INFINITY,
  }
}

/** Returns what the node should have and could not be given. */
export function topUp(account: NodeAccount, wanted: number, enough: number, pushes: boolean): number {
  const { shard } = account
  const before = unspentOf(account)
  if (before >= Math.max(enough, wanted / 2)) return 0
  const more = Math.min(shard.leased - shard.taken, wanted - before)
  if (more > 0 && before + more >= enough) {
    const taken = takenBy(account)
    account.granted += more
    shard.taken += takenBy(account) - taken
    tell(account, pushes && before < enough)
  }
  return Math.max(0, wanted - unspentOf(account))
}

/** What is leased and with nobody goes back. Returns the micros, thousandths included. */
export function unlease(shard: ShardAccount): number {
  const back = Math.max(0, shard.leased - shard.taken)
  shard.leased -= back
  return back / 1000
}

import {
  hasUnsettled,
  observeSpend,
  reportOf,
  returnSurplus,
  TOMORROW_MS,
  wantedOf,
} from '../../src/budgets/far-parent.ts'
import { unspent } from '../../src/budgets/link.ts'
import type { Wanted } from '../../src/budgets/shard-messages.ts'
import { DueTimes } from '../../src/core/due-times.ts'
import { type Held, LOOK_MS, shortBy } from './held.ts'
import type { WorkerPlace } from './places.ts'
import type { Surroundings } from './surroundings.ts'
import { Unanswered } from './unanswered.ts'

const SECOND_MS = 1000
const DUE_SLOT_MS = 100
/** Holds of chosen impressions lapse by the minute. */
export const LAPSE_MS = 60_000
/** Looks at a campaign that nothing happens to, and asks that nothing is granted for, are so far apart at most. */
const QUIET_MS_MAX = 5 * 60_000
const DRAINED_QUIET_MS_MAX = 60 * 60_000
const ASK_MS_MAX = 60_000
const UNSETTLED_MS = 3000
/** News that others wait for goes out together. */
const SOON_MS = 10

/**
 * What a worker tells the campaigns' home, and when it looks whether there is something to tell: where something happened
 * to a campaign's money, where time is to change something, and else ever later. What has not changed and was answered is
 * not told again.
 */
export class HomeLink {
  private readonly due = new DueTimes<Held>(DUE_SLOT_MS)
  private readonly unanswered = new Unanswered<Held>()
  /** Of what the home has said unasked: not named to it yet. */
  private heard: number[] = []
  private readonly soon = new Set<Held>()

  constructor(
    private readonly world: Surroundings,
    private readonly worker: WorkerPlace & { readonly up: boolean },
    private readonly sweep: (held: Held) => void,
  ) {}

  /** A message of the home: what it answers, and its own number, if it wants to know that it was heard. */
  onMessage(answers: number, number: number): void {
    this.unanswered.answered(answers)
    if (number > 0) this.heard.push(number)
  }

  /** Looks at the campaigns that are due, and tells what is new of them. */
  turn(): void {
    const { now } = this.world.events
    for (const held of this.unanswered.takeLost(now)) {
      held.changed = true
      this.touch(held)
    }
    this.tell(this.due.take(now).filter(held => this.look(held, now)))
  }

  /** Something happened to the campaign's money: it is looked at within the second. */
  touch(held: Held): void {
    held.quietMs = LOOK_MS
    this.due.sooner(held, this.world.events.now)
  }

  lookBy(held: Held, at: number): void {
    this.due.sooner(held, at)
  }

  /** Not at the next second: a charge waits, or another shard does for what this one does not need. */
  tellSoon(held: Held): void {
    if (this.soon.size === 0) {
      this.world.events.after(SOON_MS, () => {
        const about = [...this.soon]
        this.soon.clear()
        for (const of of about) of.changed = true
        if (this.worker.up) this.tell(about)
        else for (const of of about) this.touch(of)
      })
    }
    this.soon.add(held)
  }

  /** Returns whether there is something to tell. */
  private look(held: Held, now: number): boolean {
    const { parent, shard } = held
    observeSpend(parent, held.spent, Math.round((now - held.lookedAt) / SECOND_MS))
    held.lookedAt = now
    if (held.spent > 0) held.askMs = LOOK_MS
    held.spent = 0
    this.sweep(held)
    if (returnSurplus(parent, shard, now)) held.changed = true
    const wants = this.wants(held, now)
    const asks = wants && (held.waiting.length > 0 || now >= held.asksAt)
    if (asks) {
      held.asksAt = now + held.askMs
      held.askMs = Math.min(ASK_MS_MAX, 2 * held.askMs)
    }
    const tells = held.changed || asks || hasUnsettled(parent)
    this.due.set(held, this.nextLook(held, wants, now))
    return tells
  }

  private wants(held: Held, now: number): boolean {
    const { shard } = held
    return this.wantedFor(held, now).some(({ start, micros: amount, shortMicros }) => {
      const day = shard.days.find(known => known.start === start)!
      return shortMicros > 0 || amount > unspent(day.link) * 1.1
    })
  }

  /** A restored home asks every worker. One that has no shard of the campaign says so, and is to be granted nothing. */
  private wantedFor(held: Held, now: number): Wanted[] {
    if (!this.world.serves(this.worker, held.facts)) return []
    return wantedOf(held.parent, held.shard, now, shortBy(held))
  }

  private nextLook(held: Held, wants: boolean, now: number): number {
    const { parent, shard } = held
    let next = Number.POSITIVE_INFINITY
    if (held.waiting.length > 0) next = now + LOOK_MS
    if (hasUnsettled(parent)) next = Math.min(next, now + UNSETTLED_MS)
    if (wants) next = Math.min(next, Math.max(held.asksAt, now + LOOK_MS))
    if (parent.quietUntil > now) next = Math.min(next, parent.quietUntil)
    let isQuiet = parent.rate === 0
    for (const { start, end, link, renders, clicks, draining } of shard.days) {
      if (renders.length > 0 || clicks !== undefined || draining !== undefined) isQuiet = false
      if (parent.scarce && unspent(link) > 0) isQuiet = false
      if (end > now) next = Math.min(next, end)
      if (start - TOMORROW_MS > now) next = Math.min(next, start - TOMORROW_MS)
    }
    if (isQuiet) return next
    next = Math.min(next, now + held.quietMs)
    const most = parent.scarce ? LAPSE_MS : this.world.isDraining ? DRAINED_QUIET_MS_MAX : QUIET_MS_MAX
    held.quietMs = Math.min(most, 2 * held.quietMs)
    return next
  }

  private tell(about: readonly Held[]): void {
    if (about.length === 0 && this.heard.length === 0) return
    const { now } = this.world.events
    const reports = about.map(held => {
      held.changed = false
      return reportOf(held.parent, held.shard, this.wantedFor(held, now))
    })
    const { heard } = this
    this.heard = []
    const number = about.length === 0 ? 0 : this.unanswered.add(about, now)
    this.world.toHome(this.worker, { number, reports, heard })
  }
}

import type { Random } from '../random.ts'
import type { Events } from './events.ts'
import type { FaultCounts } from './faults.ts'
import type { Place } from './places.ts'

export const HOME_REGION = 0
/** The region that scenarios cut off. */
export const CUT_REGION = 1

/** Messages are late by chance, and so come out of order; some are lost, some come twice, some cannot pass. */
export class Network {
  /** From and to the rest of the world, of the region that is cut off. */
  cutIn = false
  cutOut = false
  messages = 0
  /** By sender and receiver: the newest message that arrived. */
  private readonly newestFrom = new WeakMap<Place, WeakMap<Place, number>>()

  constructor(
    private readonly events: Events,
    private readonly random: Random,
    private readonly shares: { readonly lossShare: number; readonly duplicateShare: number },
    private readonly faults: FaultCounts,
  ) {}

  send(from: Place, to: Place, deliver: () => void): void {
    this.messages++
    if (this.random.chance(this.shares.lossShare)) {
      this.faults.messageLost++
      return
    }
    if (this.random.chance(this.shares.duplicateShare)) {
      this.faults.messageDuplicated++
      this.pass(from, to, deliver)
    }
    this.pass(from, to, deliver)
  }

  /** Whether a message could pass now: between regions a cut stops it, on its way too. */
  passes(from: Place, to: Place): boolean {
    if (from.region === to.region) return true
    if (this.cutOut && from.region === CUT_REGION) return false
    return !(this.cutIn && to.region === CUT_REGION)
  }

  private pass(from: Place, to: Place, deliver: () => void): void {
    const { random } = this
    const base = from.region === to.region ? 0.5 + random.next() : 20 + 40 * random.next()
    // One in twenty takes several times as long.
    const isLate = random.chance(0.05)
    if (isLate) this.faults.messageDelayed++
    const ms = isLate ? base * (2 + 8 * random.next()) : base
    const sent = this.messages
    this.events.after(ms, () => {
      if (!this.passes(from, to)) {
        if (this.cutIn && this.cutOut) this.faults.messageCutOff++
        else this.faults.messageCutOffOneWay++
        return
      }
      this.noteOrder(from, to, sent)
      deliver()
    })
  }

  private noteOrder(from: Place, to: Place, sent: number): void {
    let newest = this.newestFrom.get(from)
    if (newest === undefined) {
      newest = new WeakMap()
      this.newestFrom.set(from, newest)
    }
    const before = newest.get(to) ?? 0
    if (sent < before) this.faults.messageReordered++
    else newest.set(to, sent)
  }
}

/**
 * What is to be looked at when, in slots of time: a look costs what is due, not what there is. Each thing is due at one
 * time at most, which it carries itself: a set or a heap of 100,000 would be asked at each change.
 */
export interface Due {
  /** Infinity where it is not due. Written by `DueTimes` only. */
  dueAt: number
}

export class DueTimes<T extends Due> {
  /** By slot, in order of being set; of what was set to another time since, leftovers that count for nothing. */
  private readonly slots = new Map<number, T[]>()
  /** The earliest slot that may hold something. */
  private next = Number.POSITIVE_INFINITY
  private taken = Number.NEGATIVE_INFINITY

  constructor(private readonly slotMs: number) {}

  /** Due at `at`, and at no other time. It is taken no earlier than that, and by a slot later at most. */
  set(thing: T, at: number): void {
    if (thing.dueAt === at) return
    thing.dueAt = at
    if (at === Number.POSITIVE_INFINITY) return
    const slot = this.slotOf(at)
    const things = this.slots.get(slot)
    if (things === undefined) this.slots.set(slot, [thing])
    else things.push(thing)
    this.next = Math.min(this.next, slot)
  }

  /** Due at `at`, unless it is due before. */
  sooner(thing: T, at: number): void {
    if (at < thing.dueAt) this.set(thing, at)
  }

  /** Takes out what is due by `now`. It may be set anew while the list is gone through. */
  take(now: number): T[] {
    const last = Math.floor(now / this.slotMs)
    const due: T[] = []
    if (last - this.next < this.slots.size) {
      for (let slot = this.next; slot <= last; slot++) this.takeSlot(slot, due)
      this.next = this.slots.size === 0 ? Number.POSITIVE_INFINITY : Math.max(this.next, last + 1)
    } else if (last >= this.next) {
      // Little is due: the slots that there are are fewer than those that time has passed.
      this.next = Number.POSITIVE_INFINITY
      for (const slot of [...this.slots.keys()].sort((a, b) => a - b)) {
        if (slot <= last) this.takeSlot(slot, due)
        else this.next = Math.min(this.next, slot)
      }
    }
    this.taken = Math.max(this.taken, last)
    return due
  }

  private takeSlot(slot: number, due: T[]): void {
    const things = this.slots.get(slot)
    if (things === undefined) return
    this.slots.delete(slot)
    for (const thing of things) {
      if (this.slotOf(thing.dueAt) !== slot) continue
      thing.dueAt = Number.POSITIVE_INFINITY
      due.push(thing)
    }
  }

  private slotOf(at: number): number {
    return Math.max(Math.ceil(at / this.slotMs), this.taken + 1)
  }
}

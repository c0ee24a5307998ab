/** Virtual time: what is to happen, in order of time and then of being scheduled. A binary heap. */
export class Events {
  now: number
  private readonly at: number[] = []
  private readonly order: number[] = []
  private readonly what: (() => void)[] = []
  private scheduled = 0

  constructor(start: number) {
    this.now = start
  }

  /** In `ms` from now. */
  after(ms: number, run: () => void): void {
    this.push(this.now + Math.max(0, ms), run)
  }

  /** Lets time pass up to `end`; returns how many things happened. */
  runUntil(end: number): number {
    let count = 0
    while (this.at.length > 0 && this.at[0]! <= end) {
      this.now = this.at[0]!
      const run = this.what[0]!
      this.removeFirst()
      run()
      count++
    }
    this.now = end
    return count
  }

  private push(at: number, run: () => void): void {
    const { at: times, order, what } = this
    const mine = this.scheduled++
    let place = times.length
    times.push(at)
    order.push(mine)
    what.push(run)
    while (place > 0) {
      const parent = (place - 1) >> 1
      // The newest comes after all of the same time.
      if (times[parent]! <= at) break
      this.move(parent, place)
      place = parent
    }
    times[place] = at
    order[place] = mine
    what[place] = run
  }

  private removeFirst(): void {
    const { at, order, what } = this
    const lastAt = at.pop()!
    const lastOrder = order.pop()!
    const lastWhat = what.pop()!
    const size = at.length
    if (size === 0) return
    let place = 0
    for (;;) {
      let child = 2 * place + 1
      if (child >= size) break
      if (child + 1 < size && this.before(child + 1, child)) child++
      if (at[child]! > lastAt || (at[child]! === lastAt && order[child]! > lastOrder)) break
      this.move(child, place)
      place = child
    }
    at[place] = lastAt
    order[place] = lastOrder
    what[place] = lastWhat
  }

  private before(a: number, b: number): boolean {
    return this.at[a]! < this.at[b]! || (this.at[a]! === this.at[b]! && this.order[a]! < this.order[b]!)
  }

  private move(from: number, to: number): void {
    this.at[to] = this.at[from]!
    this.order[to] = this.order[from]!
    this.what[to] = this.what[from]!
  }
}

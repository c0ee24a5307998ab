import { assert } from '../core/assert.ts'
import { SERIAL_MAX, writeImpressionId } from '../core/ids.ts'

/** Gives out impression ids of one boot: serials are dense for each partition. */
export class ImpressionIds {
  private readonly serials: Float64Array
  private last = 0

  constructor(
    readonly boot: number,
    partitions: number,
  ) {
    this.serials = new Float64Array(partitions)
  }

  /** The time, which never goes back, whatever the clock says. */
  timeAt(now: number): number {
    this.last = Math.max(this.last, now)
    return this.last
  }

  /** Writes the next id of a partition at `at`, with the time of the choice. */
  write(view: DataView, at: number, partition: number, chosenAt: number): void {
    const serial = this.serials[partition]!
    assert(serial <= SERIAL_MAX, 'a boot has used its serials up')
    this.serials[partition] = serial + 1
    writeImpressionId(view, at, chosenAt, this.boot, partition, serial)
  }
}

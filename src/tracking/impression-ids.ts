import { assert } from '../core/assert.ts'
import { SERIAL_MAX, writeImpressionId } from '../core/ids.ts'

/** Gives out impression ids of one boot: serials are dense for each partition, times never go back. */
export class ImpressionIds {
  private readonly serials: Float64Array
  private last = 0

  constructor(
    readonly boot: number,
    partitions: number,
  ) {
    this.serials = new Float64Array(partitions)
  }

  /** Writes the next id of a partition at `at`; returns the time that it carries. */
  write(view: DataView, at: number, partition: number, now: number): number {
    this.last = Math.max(this.last, now)
    const serial = this.serials[partition]!
    assert(serial <= SERIAL_MAX, 'a boot has used its serials up')
    this.serials[partition] = serial + 1
    writeImpressionId(view, at, this.last, this.boot, partition, serial)
    return this.last
  }
}

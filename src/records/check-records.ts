import { BrokenRecord, RECORD_BYTES_MAX, readHeader } from './record.ts'

/**
 * How many records lie end to end in the bytes. Throws BrokenRecord unless each of them is whole, within the limit and
 * of one of the partitions: what a log took it must be able to give back.
 */
export function checkRecords(bytes: Uint8Array, partitions: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let count = 0
  for (let at = 0; at < bytes.byteLength; count++) {
    const { length, partition } = readHeader(view, at)
    if (length > RECORD_BYTES_MAX) throw new BrokenRecord(`record of ${length} bytes is over the limit`)
    if (partition >= partitions) {
      throw new BrokenRecord(`record is of partition ${partition}, the log has ${partitions}`)
    }
    at += length
  }
  return count
}

import { parseUuid, readImpressionKey } from '../core/ids.ts'

/** `7`, where a UUID's text names its version. */
const VERSION_AT = 14

/**
 * Tells which texts are ids of impressions that were chosen here, under one of these boot numbers. Of UUIDs of version 7
 * that others make up, one in millions is taken for one: boot and partition are 38 bits of it.
 */
export function ownImpressions(boots: readonly number[], partitions: number): (id: string) => boolean {
  const known = new Set(boots)
  return id => {
    if (id.length !== 36 || id[VERSION_AT] !== '7') return false
    const uuid = parseUuid(id.toLowerCase())
    if (uuid === null) return false
    const { boot, partition } = readImpressionKey(new DataView(uuid.buffer), 0)
    return partition < partitions && known.has(boot)
  }
}

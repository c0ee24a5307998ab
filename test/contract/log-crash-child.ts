/** Appends without end and says on stdout what was acknowledged, until it is killed. */
import { openLog } from '../../src/wiring/open-log.ts'
import { PARTITIONS, records } from './event-log.ts'

const log = await openLog({ path: process.argv[2]!, partitions: PARTITIONS })
let serial = 0

async function append(partition: number): Promise<void> {
  for (;;) {
    const text = `${serial++}`
    await log.append(records([partition, text], [partition, `${text}+`]))
    process.stdout.write(`${text}\n`)
  }
}

await Promise.all(Array.from({ length: 32 }, (_, i) => append(i % PARTITIONS)))

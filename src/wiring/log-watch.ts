import type { Clock } from '../core/time.ts'
import type { Counters } from '../http/edge/counters.ts'
import type { Status } from '../http/status.ts'
import { RecordKind } from '../records/record.ts'
import type { RecordBuffer } from '../records/record-buffer.ts'

/** Readiness fails with the first event that could not be kept, and is back once the log takes a record again. */
export class LogWatch {
  private lostBefore = 0

  constructor(
    private readonly of: {
      readonly log: { readonly buffer: RecordBuffer; flushed(): Promise<void> }
      readonly clock: Clock
      readonly counters: Counters
      readonly status: Status
      readonly decider: { readonly isStopped: boolean }
    },
  ) {}

  look(): void {
    const { log, clock, counters, status, decider } = this.of
    const { lost } = counters.values
    if (lost > this.lostBefore) {
      status.recording = false
      status.problem = 'The log does not take records: is the disk full?'
    }
    this.lostBefore = lost
    if (status.recording || decider.isStopped) return
    log.buffer.json(RecordKind.tick, 0, clock.now(), {})
    log.flushed().then(
      () => {
        // It may have stopped while this was on its way to the disk.
        if (decider.isStopped) return
        status.recording = true
        status.problem = null
      },
      () => {},
    )
  }
}

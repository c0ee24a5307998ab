import { type CommandOutcome, type Commands, CommandsUnavailable } from '../ports/control.ts'
import type { EventLog } from '../ports/event-log.ts'
import type { Command } from '../records/events.ts'
import { RecordKind } from '../records/record.ts'
import { RecordBuffer } from '../records/record-buffer.ts'

/** After this the API answers 503: the command may still be decided, its Idempotency-Key tells. */
const DECIDED_WITHIN_MS = 2000
const WAITING_MAX = 10_000

/** Sends commands into the log, and waits for the commit that decided them. */
export class CommandsClient implements Commands {
  private readonly waiting = new Map<string, { resolve: (outcome: CommandOutcome) => void; timer: Timer }>()
  private readonly buffer = new RecordBuffer()

  constructor(
    private readonly log: EventLog,
    private readonly now: () => number,
    /** A command is in the log. */
    private readonly onSent: () => void = () => {},
  ) {}

  get partitions(): number {
    return this.log.partitions
  }

  async submit(partition: number, command: Command): Promise<CommandOutcome> {
    if (this.waiting.size >= WAITING_MAX) throw new CommandsUnavailable('Too many edits are waiting.')
    this.buffer.json(RecordKind.command, partition, this.now(), command)
    const outcome = new Promise<CommandOutcome>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.waiting.delete(command.requestId)
        reject(new CommandsUnavailable('The edit was not decided in time.'))
      }, DECIDED_WITHIN_MS)
      this.waiting.set(command.requestId, { resolve, timer })
    })
    try {
      await this.log.append(this.buffer.take())
    } catch (cause) {
      this.settle(command.requestId, null)
      throw new CommandsUnavailable('The log does not take edits now.', { cause })
    }
    this.onSent()
    return outcome
  }

  settle(requestId: string, outcome: CommandOutcome | null): void {
    const waiter = this.waiting.get(requestId)
    if (waiter === undefined) return
    clearTimeout(waiter.timer)
    this.waiting.delete(requestId)
    if (outcome !== null) waiter.resolve(outcome)
  }
}

import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MemoryLog } from '../../src/adapters/memory/log.ts'
import { SqliteStore } from '../../src/adapters/sqlite/store.ts'
import type { Decided } from '../../src/billing/decided.ts'
import { Decider, type DecisionStore } from '../../src/billing/decider.ts'
import { SteadyTime } from '../../src/core/steady-time.ts'
import { LogUnavailable } from '../../src/ports/event-log.ts'
import type { Command } from '../../src/records/events.ts'
import { RecordKind } from '../../src/records/record.ts'
import { RecordBuffer } from '../../src/records/record-buffer.ts'
import type { Random } from '../random.ts'
import type { Auditor, CampaignFacts } from './auditor.ts'
import { Edge } from './edge.ts'

export const PARTITIONS = 2
const START = Date.parse('2026-11-24T12:00:00.000Z')
export const HOUR = 3_600_000
export const DAY = 24 * HOUR

/** What is broken on purpose, so that the auditor is seen to find it. */
export type Breakage = 'none' | 'bitsDropped' | 'idsDropped' | 'offsetNotMoved' | 'accountChanged'
type CrashPoint = 'beforeCommit' | 'afterCommit'

class Crash extends Error {
  override name = 'Crash'
}

/** A machine that crashes and whose clocks are set: the production Decider on a real store, over a log with faults. */
export class Machine {
  readonly edge = new Edge(PARTITIONS)
  /** What the edge asks for. */
  readonly campaigns: CampaignFacts[] = []
  private readonly folder = mkdtempSync(join(tmpdir(), 'farthing-simulation-'))
  /** What passed since the start, and by how much the wall clock is wrong. */
  private elapsed = 0
  private wallAhead = 0
  private time = new SteadyTime(this.reading())
  now = START
  private log = new MemoryLog(PARTITIONS, { now: () => this.now })
  store!: SqliteStore
  private decider!: Decider
  crashNext: CrashPoint | null = null
  private readonly told: Decided[] = []
  private requests = 0
  crashes = 0
  clockSteps = 0

  constructor(
    private readonly random: Random,
    private readonly auditor: Auditor,
    private readonly breakage: Breakage,
    private readonly keptMs: number,
  ) {}

  private decisionStore(store: SqliteStore): DecisionStore {
    return {
      takeOver: () => store.takeOver(),
      load: partition => store.load(partition),
      begin: () => store.begin(),
      rollback: () => store.rollback(),
      unsent: () => store.unsent(),
      lookups: (partitions, changes) => store.lookups(partitions, changes),
      commit: batch => {
        const crash = this.crashNext
        this.crashNext = null
        if (crash === 'beforeCommit') throw new Crash(crash)
        store.commit(batch)
        if (this.breakage === 'bitsDropped') store.db.run('DELETE FROM bits')
        if (this.breakage === 'idsDropped') store.db.run('DELETE FROM ingested_pending')
        if (crash === null) return
        if (this.breakage === 'offsetNotMoved') {
          for (const { from } of batch.moves) {
            store.db.run('UPDATE position SET next = ?, last_hash = ? WHERE partition = ?', [
              from.next,
              Buffer.from(from.lastHash, 'hex'),
              from.partition,
            ])
          }
        }
        throw new Crash(crash)
      },
    }
  }

  private deciderOn(store: DecisionStore, tell: (decided: Decided) => void): Decider {
    return new Decider({
      log: this.log,
      store,
      clock: { now: () => this.now },
      holdMs: 60_000,
      keptMs: this.keptMs,
      hashOf: bytes => createHash('sha256').update(bytes).digest('hex'),
      tell,
      warn: () => {},
    })
  }

  async open(): Promise<void> {
    this.store = new SqliteStore(join(this.folder, 'store.sqlite'), PARTITIONS)
    this.decider = this.deciderOn(this.decisionStore(this.store), decided => this.hear(decided))
    await this.decider.start()
  }

  async reopen(): Promise<void> {
    this.crashes++
    this.store.close()
    this.log = this.log.reopened()
    this.time = new SteadyTime(this.reading())
    this.time.notBefore(this.log.lastAppendedAt)
    this.now = Math.floor(this.time.advance(this.reading()))
    await this.open()
  }

  private hear(decided: Decided): void {
    this.told.push(decided)
    this.edge.hear(decided)
  }

  /** All that is in the log. */
  records() {
    return this.log.read(new Array(PARTITIONS).fill(0), Number.MAX_SAFE_INTEGER)
  }

  /** Decides all there is, through crashes, and has the auditor look after each commit. */
  async settle(): Promise<void> {
    for (;;) {
      try {
        if (this.decider.batch() === 0) return
      } catch (error) {
        if (!(error instanceof Crash)) throw error
        await this.reopen()
      }
      this.auditor.step(this.store)
    }
  }

  private reading() {
    return { wall: START + this.elapsed + this.wallAhead, elapsed: this.elapsed }
  }

  /** Somebody sets the wall clock, or sets it right again. Only a restart believes it. */
  stepWall(): void {
    const { random } = this
    const far = random.pick([2 * 60_000, HOUR, 3 * DAY]) + random.below(1000)
    this.wallAhead = random.chance(0.4) ? 0 : random.chance(0.5) ? far : -far
    this.clockSteps++
  }

  advance(ms: number): void {
    this.elapsed += ms
    this.now = Math.floor(this.time.advance(this.reading()))
  }

  async pass(ms: number): Promise<void> {
    this.advance(ms)
    this.edge.ask(this.decider, this.campaigns, this.now)
    if (this.random.chance(0.05)) this.log.failNext('keptTwice')
    await this.decider.turn()
    await this.settle()
    await this.decider.turn()
    await this.settle()
    this.auditor.time(this.store, this.now)
  }

  /** Time passes, and nobody asks for money. */
  async idle(ms: number): Promise<void> {
    this.advance(ms)
    await this.decider.turn()
    await this.settle()
  }

  async append(buffer: RecordBuffer): Promise<void> {
    const bytes = buffer.take()
    for (;;) {
      try {
        await this.log.append(bytes)
        return
      } catch (error) {
        if (!(error instanceof LogUnavailable)) throw error
      }
    }
  }

  fault(probability: number): void {
    if (this.random.chance(probability))
      this.log.failNext(this.random.pick(['lost', 'keptButFailed', 'keptTwice'] as const))
  }

  async command(
    name: string,
    target: number | null,
    body: unknown,
    home: number,
    claimed = false,
  ): Promise<unknown> {
    const requestId = `request-${++this.requests}`
    const claim = { key: requestId, bodyHash: requestId, partition: (home + 1) % PARTITIONS }
    const sent: Command = {
      requestId,
      actor: { keyId: 'key_test', role: 'admin', accountId: null },
      at: this.now,
      name,
      home,
      target,
      body,
      ...(claimed ? { claim } : {}),
    }
    const buffer = new RecordBuffer()
    buffer.json(RecordKind.command, claimed ? claim.partition : home, this.now, sent)
    if (claimed) this.fault(0.3)
    await this.append(buffer)
    await this.settle()
    if (claimed) {
      await this.pass(1100)
      await this.pass(1100)
    }
    return this.told.flatMap(({ outcomes }) => outcomes).find(found => found.requestId === requestId)?.outcome
      .body
  }

  /** Seconds of ticks, in each of which the floor may move. */
  async letFloorFollow(): Promise<void> {
    for (let second = 0; second < 36 * 24 * 6; second++) {
      this.advance(1000)
      const buffer = new RecordBuffer()
      for (let partition = 0; partition < PARTITIONS; partition++)
        buffer.json(RecordKind.tick, partition, this.now, {})
      await this.append(buffer)
    }
    await this.settle()
  }

  /** The whole log, into an empty store. */
  async replay(): Promise<void> {
    const store = new SqliteStore(join(this.folder, 'replayed.sqlite'), PARTITIONS)
    try {
      const decider = this.deciderOn(store, () => {})
      while (decider.batch() > 0) await Promise.resolve()
      this.auditor.same(this.store, store)
    } finally {
      store.close()
    }
  }

  close(): void {
    this.store.close()
    rmSync(this.folder, { recursive: true, force: true })
  }
}

import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MemoryLog } from '../src/adapters/memory/log.ts'
import { SqliteStore } from '../src/adapters/sqlite/store.ts'
import type { Decided } from '../src/billing/decided.ts'
import { Decider } from '../src/billing/decider.ts'
import type { Partition } from '../src/billing/partition.ts'
import { parseId } from '../src/core/ids.ts'
import type { CommandOutcome } from '../src/ports/control.ts'
import type { Command } from '../src/records/events.ts'
import { RecordKind } from '../src/records/record.ts'
import { RecordBuffer } from '../src/records/record-buffer.ts'

/** The body of an ad. */
export const AD = {
  name: 'Ad',
  landingUrl: 'https://example.com/a',
  creative: { kind: 'image', w: 300, h: 250, imageUrl: 'https://example.com/a.png' },
}

/** A decider over a log in memory and a store on disk, with a clock that the test moves. */
export class TestDecider {
  readonly partitions = 2
  now = Date.parse('2026-11-24T12:00:00.000Z')
  log = new MemoryLog(this.partitions, { now: () => this.now })
  store!: SqliteStore
  decider!: Decider
  readonly folder = mkdtempSync(join(tmpdir(), 'farthing-decider-'))
  readonly told: Decided[] = []
  private requests = 0
  /** Sees the partitions that a start reads. */
  onLoad: (partition: Partition) => void = () => {}

  /** `drainMs`: how long what edges had in hand before stays reserved. */
  async open(drainMs = 0): Promise<void> {
    this.store = new SqliteStore(join(this.folder, 'store.sqlite'), this.partitions)
    const { load } = this.store
    this.store.load = number => {
      const partition = load.call(this.store, number)
      this.onLoad(partition)
      return partition
    }
    await this.renew(drainMs)
  }

  /** Another decider on the same store, as where a batch could not be written. */
  async renew(drainMs = 0): Promise<void> {
    this.decider = new Decider({
      log: this.log,
      store: this.store,
      clock: { now: () => this.now },
      holdMs: 60_000,
      hashOf: bytes => createHash('sha256').update(bytes).digest('hex'),
      tell: decided => this.told.push(decided),
      warn: () => {},
    })
    await this.decider.start(drainMs)
  }

  /** A crash after the last commit, and a start on what is on disk. */
  async restart(): Promise<void> {
    this.store.close()
    this.log = this.log.reopened()
    await this.open()
  }

  /** The whole log again, into empty tables. */
  async replay(): Promise<void> {
    this.store.close()
    for (const end of ['', '-wal', '-shm']) rmSync(join(this.folder, `store.sqlite${end}`), { force: true })
    this.log = this.log.reopened()
    await this.open()
  }

  close(): void {
    this.store.close()
    rmSync(this.folder, { recursive: true, force: true })
  }

  async drain(): Promise<void> {
    while (this.decider.batch() > 0) await Promise.resolve()
  }

  async pass(ms: number): Promise<void> {
    this.now += ms
    await this.decider.turn()
    await this.drain()
  }

  async append(buffer: RecordBuffer): Promise<void> {
    await this.log.append(buffer.take())
  }

  /** The body of the outcome of a command that must be taken. */
  async command(name: string, target: number | null, body: unknown): Promise<unknown> {
    const outcome = await this.commanded(name, target, body)
    if (outcome.status >= 300) throw new Error(`${name} was refused`)
    return outcome.body
  }

  async commanded(
    name: string,
    target: number | null,
    body: unknown,
    partition = 0,
  ): Promise<CommandOutcome> {
    const buffer = new RecordBuffer()
    const requestId = this.writeCommand(buffer, { name, target, body, partition })
    await this.append(buffer)
    await this.drain()
    const outcome = this.outcomeOf(requestId)
    if (outcome === undefined) throw new Error(`no outcome of ${name}`)
    return outcome
  }

  /** Returns the id of the request. */
  writeCommand(
    buffer: RecordBuffer,
    command: Pick<Command, 'name' | 'target' | 'body'> & { readonly partition?: number },
  ): string {
    const requestId = `request-${++this.requests}`
    const actor: Command['actor'] = { keyId: 'key_test', role: 'admin', accountId: null }
    const { partition = 0, ...of } = command
    const sent: Command = { requestId, actor, at: this.now, home: partition, ...of }
    buffer.json(RecordKind.command, partition, this.now, sent)
    return requestId
  }

  outcomeOf(requestId: string): CommandOutcome | undefined {
    const outcomes = this.told.flatMap(({ outcomes }) => outcomes)
    return outcomes.find(outcome => outcome.requestId === requestId)?.outcome
  }

  /** An advertiser with money and a campaign; the numbers of campaign and ad. */
  async campaign(
    amountMicros: number,
    deposit = 10_000_000,
    model: 'cpc' | 'cpm' = 'cpc',
  ): Promise<{ campaign: number; ad: number }> {
    const { campaign, ad } = await this.newCampaign({ model, amountMicros }, {}, deposit)
    return { campaign: parseId('campaign', campaign)!, ad: parseId('ad', ad)! }
  }

  /** Made, and a second older, so that its shards have money. */
  protected async newCampaign(
    bid: { model: 'cpc' | 'cpm'; amountMicros: number },
    budget: object,
    deposit: number,
  ): Promise<{ advertiser: string; campaign: string; ad: string }> {
    const advertiser = (await this.command('createAdvertiser', null, { name: 'A' })) as { id: string }
    await this.command('deposit', parseId('advertiser', advertiser.id), { amountMicros: deposit })
    const body = { advertiserId: advertiser.id, name: 'C', bid, budget, ads: [AD] }
    const made = (await this.command('createCampaign', null, body)) as { id: string; ads: { id: string }[] }
    await this.pass(1100)
    return { advertiser: advertiser.id, campaign: made.id, ad: made.ads[0]!.id }
  }

  count(sql: string): number {
    return this.store.all<{ n: number }>(`SELECT count(*) AS n FROM ${sql}`, [])[0]!.n
  }
}

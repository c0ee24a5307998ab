import { NodeLeases } from '../src/budgets/node-leases.ts'
import { formatUuid, parseId, writeImpressionId } from '../src/core/ids.ts'
import { appendEvent } from '../src/records/events.ts'
import { Reason } from '../src/records/reasons.ts'
import { RecordKind } from '../src/records/record.ts'
import { RecordBuffer } from '../src/records/record-buffer.ts'
import { TOKEN_BODY_BYTES, writeTokenBody } from '../src/records/token-body.ts'
import { TestDecider } from './test-decider.ts'

export interface Served {
  readonly advertiser: string
  readonly campaign: string
  readonly ad: string
}

/** A decider, and what people do with the ads of its campaigns: tokens, impressions and clicks, the leases of an edge. */
export class DeciderScene extends TestDecider {
  private serial = 0

  /** An advertiser with money and a campaign of one ad, in partition 0. */
  served(
    bid: { model: 'cpc' | 'cpm'; amountMicros: number },
    budget = {},
    deposit = 10_000_000,
  ): Promise<Served> {
    return this.newCampaign(bid, budget, deposit)
  }

  token(
    of: Served,
    terms: { cpm?: boolean; price: number; test?: boolean },
  ): { bytes: Uint8Array; id: string } {
    const bytes = new Uint8Array(TOKEN_BODY_BYTES)
    const view = new DataView(bytes.buffer)
    writeTokenBody(view, 0, {
      keyNumber: 0,
      campaign: parseId('campaign', of.campaign)!,
      ad: parseId('ad', of.ad)!,
      placement: 0,
      publisher: 0,
      shard: 0,
      sharePpm: 800_000,
      priceMicros: terms.price,
      clickRatePpb: 1_000_000,
      epoch: 1,
      country: 0,
      device: 1,
      cpm: terms.cpm ?? false,
      test: terms.test ?? false,
      clickExpiresAt: this.now + 86_400_000,
    })
    writeImpressionId(view, 2, this.now, 1, 0, this.serial++)
    return { bytes, id: formatUuid(bytes, 2) }
  }

  shown(token: Uint8Array, verdict?: number): Promise<void> {
    return this.send(RecordKind.impression, token, verdict)
  }

  clicked(token: Uint8Array, verdict?: number): Promise<void> {
    return this.send(RecordKind.click, token, verdict)
  }

  /** An edge's leases; `talk` lets it ask, lets time pass, and tells it what it was granted. */
  edge() {
    const node = new NodeLeases(1, this.partitions)
    let heard = this.told.length
    const left = (campaign: number) => node.left(node.leaseOf(0, campaign, 0), this.now)
    const talk = async (ms: number) => {
      node.returnIdle(this.now)
      for (const ask of node.asks(this.now)) this.decider.onAsk(ask)
      await this.pass(ms)
      for (const { grants } of this.told.slice(heard))
        for (const grant of grants) node.onGrant(grant, this.now)
      heard = this.told.length
    }
    return { node, left, talk }
  }

  charges(): number {
    return this.count('entry WHERE kind = 1')
  }

  refusals(): number[] {
    return this.store
      .all<{ reason: number }>(`SELECT reason FROM transition WHERE state = 'rejected' ORDER BY number`, [])
      .map(({ reason }) => reason)
  }

  sumOfAccounts(): number {
    return this.store.all<{ sum: number }>('SELECT coalesce(sum(balance), 0) AS sum FROM account', [])[0]!.sum
  }

  private async send(kind: 1 | 2, token: Uint8Array, verdict: number = Reason.none): Promise<void> {
    const buffer = new RecordBuffer()
    appendEvent(buffer, { kind, partition: 0, receivedAt: this.now, token, verdict, fromServer: false })
    await this.append(buffer)
    await this.drain()
  }
}

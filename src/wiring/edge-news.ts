import type { Decided } from '../billing/decided.ts'
import type { AdTexts } from '../campaigns/ad-texts.ts'
import { stopBits } from '../campaigns/catalog.ts'
import type { CatalogReader } from '../campaigns/catalog-reader.ts'
import { parseId } from '../core/ids.ts'
import type { Clock } from '../core/time.ts'
import type { Directory } from '../http/directory.ts'
import type { Status } from '../http/status.ts'
import { reasonName } from '../records/reasons.ts'
import type { ClickRates } from '../serving/click-rate.ts'
import type { Leases } from '../serving/leases.ts'
import type { Serving } from '../serving/serve.ts'
import type { CommandsClient } from './commands-client.ts'

/** What the thread that serves does with what was decided, and what it tells of its choices. */
export class EdgeNews {
  constructor(
    private readonly edge: {
      readonly clock: Clock
      /** Ms that are never set: leases end by them. */
      readonly timer: () => number
      readonly catalog: CatalogReader
      readonly directory: Directory
      readonly adTexts: AdTexts
      readonly commands: CommandsClient
      readonly leases: Leases
      readonly serving: Serving
      readonly rates: ClickRates
      readonly status: Status
    },
  ) {}

  onDecided(decided: Decided): void {
    const { commands, leases, timer } = this.edge
    this.takeIn(decided.catalog)
    for (const { requestId, outcome } of decided.outcomes) commands.settle(requestId, outcome)
    if (decided.grants.length > 0) this.recordChosen()
    for (const grant of decided.grants) leases.onGrant(grant, timer())
    this.observe(decided.observed)
    if (decided.decided > 0) this.count(decided)
  }

  /** So that the allowances are what is left, before anything changes them. */
  recordChosen(): void {
    const { leases, serving, timer } = this.edge
    const now = timer()
    serving.drainChosen((_slot, campaign, impressions, thousandths, variance) =>
      // The variance comes in micros squared.
      leases.record(campaign, impressions, thousandths, variance * 1e6, now),
    )
  }

  private takeIn(changes: Decided['catalog']): void {
    const { adTexts, catalog, clock, directory } = this.edge
    for (const change of changes) {
      directory.apply(change)
      if (change.kind !== 'campaign') continue
      const { campaign, money } = change
      adTexts.add(campaign)
      const number = parseId('campaign', campaign.id) ?? 0
      if (catalog.slotOf(number) < 0) continue
      // Before the answer goes out: a paused campaign is chosen no more, whenever the builder comes to it.
      if (stopBits(campaign, money, clock.now()) !== 0) catalog.hold(number, campaign.version)
    }
  }

  private observe(observed: Decided['observed']): void {
    const { catalog, rates } = this.edge
    for (let i = 0; i < observed.length; i += 4) {
      const adSlot = catalog.adSlotOf(observed[i]!)
      if (adSlot < 0) continue
      rates.observe({
        adSlot,
        placement: observed[i + 1]!,
        impressions: observed[i + 2]!,
        clicks: observed[i + 3]!,
      })
    }
  }

  private count(decided: Decided): void {
    const { status } = this.edge
    status.lagMs = decided.lagMs
    status.decided += decided.decided
    status.charged += decided.charged
    status.repeated += decided.repeated
    for (let reason = 0; reason < decided.refused.length; reason++) {
      const name = reasonName(reason)
      const refused = decided.refused[reason]!
      if (name !== null && refused > 0) status.refused[name] = (status.refused[name] ?? 0) + refused
    }
  }
}

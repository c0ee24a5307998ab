import { entityNumber, parseId } from '../core/ids.ts'
import type { EntityTable } from '../ports/control.ts'
import type { Command } from '../records/events.ts'
import type { Campaign } from './campaign.ts'
import { type Directory, decideEdit, type Edit, type Entity } from './edit.ts'

/** For tests: one partition with an entity of each kind. */

export const NOW = Date.UTC(2026, 10, 1, 12)
export const PARTITION = 3
export const SECRET_HASH = 'ab'.repeat(32)

/** One partition, as the decider of the log keeps it. */
export class World implements Directory {
  readonly stored = new Map<string, Entity>()
  #sequence = 0
  given = 0

  get(kind: EntityTable, number: number): never | undefined {
    return this.stored.get(`${kind} ${number}`) as never | undefined
  }

  decide(name: string, target: string | null, body: unknown, at = NOW) {
    const kind = (['advertiser', 'campaign', 'publisher', 'placement', 'key'] as const).find(
      candidate => target !== null && parseId(candidate, target) !== null,
    )
    const command: Command = {
      requestId: 'request',
      actor: { keyId: 'key_1', role: 'admin', accountId: null },
      at,
      name,
      home: PARTITION,
      target: kind === undefined ? null : parseId(kind, target!),
      body,
    }
    const nextNumber = () => {
      this.given++
      return entityNumber(++this.#sequence, PARTITION)
    }
    return decideEdit(this, command, { now: at, nextNumber })
  }

  edit(name: string, target: string | null, body: unknown, at = NOW): Edit {
    const outcome = this.decide(name, target, body, at)
    if (!outcome.ok) throw new Error(`${name} was refused: ${JSON.stringify(outcome)}`)
    if (outcome.value.changed)
      this.stored.set(`${outcome.value.kind} ${outcome.value.number}`, outcome.value.entity)
    return outcome.value
  }

  make(name: string, body: unknown): string {
    return this.edit(name, null, body).entity.id
  }
}

export const IMAGE = { kind: 'image', w: 728, h: 90, imageUrl: 'https://cdn.example.com/a.png' }
export const AD = {
  name: 'Leaderboard',
  landingUrl: 'https://www.example.com/a?c=${CLICK_ID}',
  creative: IMAGE,
}

export function world() {
  const all = new World()
  const advertiser = all.make('createAdvertiser', { name: 'Acme', currency: 'EUR' })
  const publisher = all.make('createPublisher', { name: 'Daily' })
  const placement = all.make('createPlacement', {
    publisherId: publisher,
    name: 'Top',
    format: { w: 728, h: 90 },
  })
  const minimal = {
    advertiserId: advertiser,
    name: 'Autumn',
    bid: { model: 'cpc', amountMicros: 250_000 },
    ads: [AD],
  }
  const campaign = all.make('createCampaign', {
    ...minimal,
    budget: { totalMicros: 50_000_000, dailyMicros: 10_000_000 },
    frequencyCap: { impressions: 3, perSeconds: 86_400 },
    pacing: 'even',
  })
  const ad = (all.get('campaign', parseId('campaign', campaign)!) as unknown as Campaign).ads[0]!.id
  const key = all.make('createKey', { role: 'advertiser', accountId: advertiser, secretHash: SECRET_HASH })
  return { all, advertiser, publisher, placement, campaign, ad, key, minimal }
}

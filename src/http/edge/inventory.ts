import type { Placement, Publisher } from '../../campaigns/campaign.ts'
import { parseId } from '../../core/ids.ts'
import type { BidRequest, Imp } from '../../openrtb/types.ts'
import { hostOf } from '../../serving/read-request.ts'
import type { RequestView } from '../../serving/request-view.ts'
import type { EdgeDependencies } from './dependencies.ts'

/** Where nobody says which, as in OpenRTB. */
export const DEFAULT_CURRENCY = 'USD'
/** What a publisher that nobody knows is owed: the default share. */
const UNKNOWN_SHARE_PPM = 800_000

/** Where an ad will be shown, and whose place it is. */
export interface Inventory {
  readonly placement: Placement | null
  readonly publisher: Publisher | null
  /** 0: unknown, both. */
  readonly placementNumber: number
  readonly publisherNumber: number
}

/** Whose impression it is: the placement's publisher, else the one that the request or its domain names. */
export function inventoryOf(edge: EdgeDependencies, request: BidRequest, imp: Imp): Inventory {
  const number = imp.tagid === undefined ? null : parseId('placement', imp.tagid)
  const placement = number === null ? null : edge.placement(number)
  if (placement !== null) {
    const owner = parseId('publisher', placement.publisherId) ?? 0
    return { placement, placementNumber: number!, publisher: edge.publisher(owner), publisherNumber: owner }
  }
  const { site, app } = request
  const named = parseId('publisher', site?.publisher?.id ?? app?.publisher?.id ?? '')
  const publisher =
    (named === null ? null : edge.publisher(named)) ??
    edge.publisherByDomain(site === undefined ? (app?.domain ?? '') : site.domain || hostOf(site.page))
  const publisherNumber = publisher === null ? 0 : (parseId('publisher', publisher.id) ?? 0)
  return { placement: null, placementNumber: 0, publisher, publisherNumber }
}

/** Whether a bid in `currency` can be held against the placement's floor: amounts of two currencies are not compared. */
export function takesCurrency({ placement }: Inventory, currency: string): boolean {
  return placement === null || placement.floorCpmMicros === 0 || (placement.currency ?? currency) === currency
}

/** Of each charge, millionths. */
export function sharePpmOf(publisher: Publisher | null): number {
  return publisher === null ? UNKNOWN_SHARE_PPM : Math.round(publisher.revenueShare * 1_000_000)
}

/** Adds what the placement and its publisher ask of ads to what the request asks. */
export function applyInventory(view: RequestView, { placement, publisher }: Inventory): void {
  if (placement !== null) {
    if (placement.floorCpmMicros > view.floorCpmMicros) view.floorCpmMicros = placement.floorCpmMicros
    for (const category of placement.categories) view.addCategory(category)
    for (const domain of placement.badv) view.blockAdvertiserHere(domain)
    for (const category of placement.bcat) view.blockCategoryHere(category)
  }
  if (publisher === null) return
  for (const domain of publisher.badv) view.blockAdvertiserHere(domain)
  for (const category of publisher.bcat) view.blockCategoryHere(category)
}

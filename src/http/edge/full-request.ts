import type { BidRequest, Imp } from '../../openrtb/types.ts'
import { deviceAt } from '../../records/device.ts'
import type { FullRequest } from '../../serving/full-evaluation.ts'
import { hostOf } from '../../serving/read-request.ts'
import type { RequestView } from '../../serving/request-view.ts'
import type { Inventory } from './inventory.ts'
import type { Viewer } from './viewer.ts'

/** The request in words, as the full evaluation takes it. */
export function fullRequest(
  request: BidRequest,
  imp: Imp,
  known: {
    readonly view: RequestView
    readonly currency: string
    readonly viewer: Viewer
    readonly inventory: Inventory
    readonly cappedSlots: readonly number[]
  },
): FullRequest {
  const { view, viewer } = known
  const { placement, publisher } = known.inventory
  const { site, app, user } = request
  const banner = imp.banner
  const sizes = [...(banner?.format ?? []), ...(banner === undefined ? [] : [banner])]
  const categories = [site?.cat, site?.sectioncat, site?.pagecat, app?.cat, app?.sectioncat, app?.pagecat]
  return {
    now: view.now,
    random: view.random,
    currency: known.currency,
    country: viewer.alpha3,
    region: viewer.region,
    device: deviceAt(viewer.kind),
    placement: placement?.id ?? null,
    hosts: [site === undefined ? (app?.domain ?? '') : site.domain || hostOf(site.page)].filter(
      host => host !== '',
    ),
    bundle: app?.bundle ?? null,
    categories: [...categories.flatMap(list => list ?? []), ...(placement?.categories ?? [])],
    segments: (user?.data ?? []).flatMap(({ segment }) => (segment ?? []).map(({ id }) => id ?? '')),
    badv: [
      ...(request.badv ?? []),
      ...(request.bapp ?? []),
      ...(placement?.badv ?? []),
      ...(publisher?.badv ?? []),
    ],
    acat: request.acat ?? [],
    bcat: [...(request.bcat ?? []), ...(placement?.bcat ?? []), ...(publisher?.bcat ?? [])],
    battr: banner?.battr ?? [],
    sizes: sizes.flatMap(({ w, h }) => (w === undefined || h === undefined ? [] : [{ w, h }])),
    floorCpmMicros: view.floorCpmMicros,
    secure: imp.secure === 1,
    cappedSlots: known.cappedSlots,
  }
}

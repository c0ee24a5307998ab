import { cpmMicrosFromDecimal } from '../openrtb/price.ts'
import type { Banner, BidRequest, Imp } from '../openrtb/types.ts'
import type { RequestView } from './request-view.ts'

/**
 * Fills a view with what the request says itself. Where the viewer is, with what device and who (`setCountry`,
 * `setRegion`, `device`, `person`) is resolved by the caller, who knows the peer and the consent.
 */
export function readRequest(view: RequestView, request: BidRequest, now: number, random: number): void {
  view.begin(now, random)
  view.at = request.at ?? 2
  const { site, app, user, acat, badv, bapp, bcat } = request
  const host = site === undefined ? app?.domain : site.domain || hostOf(site.page)
  if (host) view.addDomain(host)
  if (app?.bundle) view.addBundle(app.bundle)
  addCategories(view, site?.cat)
  addCategories(view, site?.sectioncat)
  addCategories(view, site?.pagecat)
  addCategories(view, app?.cat)
  addCategories(view, app?.sectioncat)
  addCategories(view, app?.pagecat)
  if (user?.data !== undefined) {
    for (const provider of user.data) {
      if (provider.segment === undefined) continue
      for (const segment of provider.segment) if (segment.id !== undefined) view.addSegment(segment.id)
    }
  }
  if (badv !== undefined) for (const domain of badv) view.blockAdvertiser(domain)
  if (bapp !== undefined) for (const bundle of bapp) view.blockAdvertiser(bundle)
  if (bcat !== undefined) for (const category of bcat) view.blockCategory(category)
  if (acat !== undefined) for (const category of acat) view.allowCategory(category)
}

/** Fills in one impression. A view without a size has nothing that we could show. */
export function readImp(view: RequestView, imp: Imp, placement: number): void {
  view.beginImp(placement)
  view.secure = imp.secure === 1
  view.floorCpmMicros = imp.bidfloor === undefined ? 0 : cpmMicrosFromDecimal(imp.bidfloor)
  if (imp.banner !== undefined) addBanner(view, imp.banner)
}

function addBanner(view: RequestView, banner: Banner): void {
  if (banner.w !== undefined && banner.h !== undefined) view.addSize(banner.w, banner.h)
  if (banner.format !== undefined) {
    for (const { w, h } of banner.format) if (w !== undefined && h !== undefined) view.addSize(w, h)
  }
  if (banner.battr !== undefined) view.blockAttributes(banner.battr)
}

function addCategories(view: RequestView, categories: readonly string[] | undefined): void {
  if (categories !== undefined) for (const category of categories) view.addCategory(category)
}

/** The host of a URL, without its port; '' where there is none. Cheaper than URL, and all that we need. */
export function hostOf(url: string | undefined): string {
  if (url === undefined) return ''
  const start = url.indexOf('//')
  if (start < 0) return ''
  let end = start + 2
  let from = end
  for (; end < url.length; end++) {
    const unit = url.charCodeAt(end)
    if (unit === 0x2f || unit === 0x3f || unit === 0x23) break
    if (unit === 0x40) from = end + 1
  }
  const colon = url.indexOf(':', from)
  return url.slice(from, colon >= 0 && colon < end ? colon : end)
}

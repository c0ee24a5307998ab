import type { AdDetail } from '../../campaigns/catalog-layout.ts'
import { AdAnswers, type ShownAd } from './ad-answers.ts'
import type { EdgeDependencies } from './dependencies.ts'

/** Seconds within which a bid may be shown. */
const BID_LIFE_SECONDS = 600
/** OpenRTB 2.6 List: Markup Types. */
const BANNER_MARKUP = 1

/** The forms in which an ad goes out. */
export interface Answers {
  /** An OpenRTB bid from behind its `impid` and `price`, which differ from one impression to the next. */
  readonly bid: AdAnswers
  /** What the tag reads. */
  readonly tag: AdAnswers
  /** What a frame shows. */
  readonly page: AdAnswers
}

export function newAnswers(edge: EdgeDependencies): Answers {
  const publicUrl = () => edge.publicUrl
  return {
    bid: new AdAnswers(publicUrl, bidText),
    tag: new AdAnswers(publicUrl, tagText),
    page: new AdAnswers(publicUrl, pageText),
  }
}

function bidText(ad: AdDetail, { impressionId, impressionUrl, clickUrl, adm }: ShownAd): string {
  const { adId, campaignId, adomain, cat, attr } = ad
  const { w, h } = ad.creative
  const bid = {
    id: impressionId,
    adm,
    w,
    h,
    mtype: BANNER_MARKUP,
    burl: `${impressionUrl}&b=1`,
    crid: adId,
    cid: campaignId,
    adomain,
    cat: cat.length > 0 ? cat : undefined,
    attr: attr.length > 0 ? attr : undefined,
    exp: BID_LIFE_SECONDS,
    ext: { farthing: { impressionId, campaignId, adId, impressionUrl, clickUrl } },
  }
  return JSON.stringify(bid).slice(1)
}

function tagText(ad: AdDetail, { impressionId, impressionUrl, clickUrl, adm }: ShownAd): string {
  const { campaignId, adId } = ad
  const { w, h } = ad.creative
  return JSON.stringify({ impressionId, campaignId, adId, w, h, adm, impressionUrl, clickUrl })
}

function pageText(_ad: AdDetail, { adm }: ShownAd): string {
  return `<!doctype html><html><head><meta charset="utf-8"><style>body{margin:0}</style></head><body>${adm}</body></html>`
}

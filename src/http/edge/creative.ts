import type { Creative } from '../../campaigns/campaign.ts'
import { formatId, formatUuid } from '../../core/ids.ts'
import { TOKEN_IMPRESSION_AT } from '../../records/token-body.ts'

const ESCAPES: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, character => ESCAPES[character]!)
}

export interface AdMarkup {
  readonly creative: Creative
  readonly clickUrl: string
  readonly impressionUrl: string
  readonly cacheBuster: string
}

/**
 * The markup of an ad, its pixel included. HTML of an advertiser runs in a frame of its own, without the page's origin:
 * it can open its landing page and nothing else.
 */
export function adMarkup({ creative, clickUrl, impressionUrl, cacheBuster }: AdMarkup): string {
  const pixel = `<img src="${escapeHtml(impressionUrl)}" width="1" height="1" alt="" style="position:absolute;left:-9999px">`
  const size = `width="${creative.w}" height="${creative.h}"`
  if (creative.kind === 'image') {
    return (
      `<a href="${escapeHtml(clickUrl)}" target="_blank" rel="noopener">` +
      `<img src="${escapeHtml(creative.imageUrl)}" ${size} alt="" style="border:0"></a>${pixel}`
    )
  }
  const html = creative.html
    .replaceAll('${CLICK_URL_ENC}', encodeURIComponent(clickUrl))
    .replaceAll('${CLICK_URL}', clickUrl)
    .replaceAll('${CACHEBUSTER}', cacheBuster)
  return (
    `<iframe sandbox="allow-scripts allow-popups allow-popups-to-escape-sandbox" ${size} style="border:0" scrolling="no" ` +
    `srcdoc="${escapeHtml(html)}"></iframe>${pixel}`
  )
}

/** Whether the landing page of an ad asks for ids. */
export function hasMacros(landingUrl: string): boolean {
  return landingUrl.includes('${')
}

/**
 * A landing page with its macros filled in. Ids are of letters, digits, `-` and `_`: they need no escapes. Most pages ask
 * for one, and an id takes a tenth of a microsecond to write: only those that are asked for are written.
 */
export function landingPage(
  url: string,
  click: {
    /** Body of the link's token, whose impression id is the click's; null for a link without one. */
    readonly token: Uint8Array | null
    readonly campaign: number
    readonly ad: number
  },
): string {
  if (!hasMacros(url)) return url
  const { token, campaign, ad } = click
  let page = url
  if (url.includes(CLICK_ID)) {
    page = page.replaceAll(CLICK_ID, token === null ? '' : formatUuid(token, TOKEN_IMPRESSION_AT))
  }
  if (url.includes(CAMPAIGN_ID)) page = page.replaceAll(CAMPAIGN_ID, formatId('campaign', campaign))
  if (url.includes(AD_ID)) page = page.replaceAll(AD_ID, formatId('ad', ad))
  return page
}

const CLICK_ID = '${CLICK_ID}'
const CAMPAIGN_ID = '${CAMPAIGN_ID}'
const AD_ID = '${AD_ID}'

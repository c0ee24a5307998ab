import type { Creative } from '../../campaigns/campaign.ts'

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

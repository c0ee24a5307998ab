import { isPublicAddress } from '../screening/address.ts'

export const URL_LENGTH_MAX = 2048

/** Printable ASCII but for quotes, angle brackets and the backslash, which parsers take for a slash. */
const URL_TEXT = /^https?:\/\/[!#-;=?-[\]-~]+$/i

/**
 * What is wrong with a URL that a browser will be sent to, or null. Only http and https: `javascript:` would run on the
 * publisher's page. No user name: `https://shop.example@evil.example` reads as another site.
 */
export function webUrlFault(text: string): string | null {
  if (text.length > URL_LENGTH_MAX) return `must have at most ${URL_LENGTH_MAX} characters`
  if (!URL_TEXT.test(text)) return 'must be an http or https URL in ASCII, percent-encoded'
  const url = parsed(text)
  if (url === null) return 'must be a well-formed URL'
  if (url.username !== '' || url.password !== '') return 'must not hold a user name or password'
  // Parsers let `${CLICK_ID}` pass as a host: the domain that a page leads to must not come with the click.
  if (!/^([a-z0-9_-]+(\.[a-z0-9_-]+)*\.?|\[[0-9a-f:.]+\])$/.test(url.hostname)) return 'must name a host'
  return null
}

/** Whether a well-formed URL leads into a private network: ours must not be a way to reach one. */
export function leadsToPrivateHost(text: string): boolean {
  const host = parsed(text)?.hostname.replace(/\.$/, '')
  if (host === undefined) return false
  if (host === 'localhost' || /\.(localhost|local|internal|home\.arpa)$/.test(host)) return true
  if (host.startsWith('[')) return !isPublicAddress(host.slice(1, -1))
  // The parser has turned 0x7f.1 and 2130706433 into dotted form already.
  return /^\d+\.\d+\.\d+\.\d+$/.test(host) && !isPublicAddress(host)
}

/** The default of `adomain`: the landing page's host without `www.`; null where it is an address. */
export function landingDomain(text: string): string | null {
  const host = parsed(text)?.hostname
  if (host === undefined || host.startsWith('[') || /^[\d.]+$/.test(host)) return null
  return host.replace(/^www\./, '')
}

/** The app that a page of an app store offers, as `bapp` names it: a package's name, or the number of an iOS app. */
export function storeApp(text: string): string | null {
  if (!/\b(?:play\.google|apps\.apple|itunes\.apple)\.com\//i.test(text)) return null
  const url = parsed(text)
  switch (url?.hostname) {
    case 'play.google.com':
      return url.searchParams.get('id')?.toLowerCase() || null
    case 'apps.apple.com':
    case 'itunes.apple.com':
      return /\/id(\d+)$/.exec(url.pathname)?.[1] ?? null
    default:
      return null
  }
}

function parsed(text: string): URL | null {
  try {
    return new URL(text)
  } catch {
    return null
  }
}

import { hash32 } from '../core/bytes.ts'
import type { Ad, Creative, Targeting } from './campaign.ts'
import { storeApp } from './landing-url.ts'

/**
 * How targeting is compared. Texts become 53-bit hashes, which a double holds exactly: with 100,000 texts targeted and
 * a million seen, the odds that any two of them meet are one in 100,000.
 */
const SEED_ONE = 0xdeadbeef
const SEED_TWO = 0x41c6ce57

/** cyrb53 over the UTF-16 units of `text` from `from` on. 0 is never the answer: it stands for "no value". */
export function hash53(text: string, from = 0): number {
  let one = SEED_ONE
  let two = SEED_TWO
  for (let i = from; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    one = Math.imul(one ^ unit, 0x9e3779b1)
    two = Math.imul(two ^ unit, 0x5f356495)
  }
  return mixed53(one, two)
}

/** As `hash53` of the text in lower case. ASCII is lowered as it is read: block lists are a quarter of a request. */
export function hash53Lowered(text: string): number {
  let one = SEED_ONE
  let two = SEED_TWO
  for (let i = 0; i < text.length; i++) {
    let unit = text.charCodeAt(i)
    if (unit > 127) return hash53(text.toLowerCase())
    if (unit >= UPPER_A && unit <= UPPER_Z) unit += 32
    one = Math.imul(one ^ unit, 0x9e3779b1)
    two = Math.imul(two ^ unit, 0x5f356495)
  }
  return mixed53(one, two)
}

const UPPER_A = 65
const UPPER_Z = 90

function mixed53(first: number, second: number): number {
  const one = Math.imul(first ^ (first >>> 16), 0x85ebca6b) ^ Math.imul(second ^ (second >>> 13), 0xc2b2ae35)
  const two = Math.imul(second ^ (second >>> 16), 0x85ebca6b) ^ Math.imul(one ^ (one >>> 13), 0xc2b2ae35)
  return 4_294_967_296 * (two & 0x1fffff) + (one >>> 0) || 1
}

/** The longest side of an ad, pixels. */
export const SIDE_MAX = 65_535

/**
 * What keeps currencies apart: bids of two currencies are never compared. Mixed into an offer's size, so that a campaign
 * stands in lists of its own currency only. (An ad's own size, AdWord.size, is as it is.)
 */
export function currencyKey(currency: string): number {
  return currency === 'USD' ? 0 : hash32(currency) | 0
}

/** A banner size as one number; sides are at most SIDE_MAX. */
export function sizeKey(w: number, h: number): number {
  return ((w & 0xffff) << 16) | (h & 0xffff)
}

/** The domain and its parents: `a.b.com`, `b.com`, `com`. */
export function domainSuffixes(domain: string): string[] {
  const labels = domain.toLowerCase().split('.')
  return labels.map((_, i) => labels.slice(i).join('.'))
}

/** A category and its parent: `IAB1-2` is in `IAB1` as well. */
export function categoryAndParent(category: string): string[] {
  const dash = category.indexOf('-')
  return dash > 0 ? [category, category.slice(0, dash)] : [category]
}

/** Dimensions that key a list, narrowest first. A campaign is listed under the values of the first that it targets. */
export const Dimension = {
  placement: 1,
  domain: 2,
  segment: 3,
  region: 4,
  category: 5,
  country: 6,
  any: 7,
} as const
export type Dimension = (typeof Dimension)[keyof typeof Dimension]

export function narrowestDimension(targeting: Targeting): Dimension {
  if (targeting.placements.length > 0) return Dimension.placement
  if (targeting.domains.length > 0) return Dimension.domain
  if (targeting.segments.length > 0) return Dimension.segment
  if (targeting.regions.length > 0) return Dimension.region
  if (targeting.categories.length > 0) return Dimension.category
  if (targeting.countries.length > 0) return Dimension.country
  return Dimension.any
}

/** Key of a list. Two lists that meet in a key become one: a candidate is checked in full whatever list it is in. */
export function listKey(size: number, dimension: Dimension, value: number): number {
  let hash = Math.imul(size ^ 0x9e3779b9, 0x85ebca6b) ^ dimension
  hash = Math.imul(hash ^ (hash >>> 15) ^ (value >>> 0), 0xc2b2ae35)
  hash = Math.imul(hash ^ (hash >>> 13) ^ Math.floor(value / 4_294_967_296), 0x27d4eb2f)
  return hash ^ (hash >>> 16)
}

/** Creative attributes as bits. The standard's are 1 to 17; what lies above 31 shares bit 0, so one blocks all. */
export function attributeMask(attributes: readonly number[]): number {
  let mask = 0
  for (const attribute of attributes) mask |= attribute >= 1 && attribute <= 31 ? 1 << attribute : 1
  return mask
}

const INSECURE_ASSET =
  /\b(?:src|srcset|poster|background|data)\s*=\s*["']?\s*http:\/\/|url\(\s*["']?\s*http:\/\/|<link\b[^>]*\bhref\s*=\s*["']?\s*http:\/\//i

/** Whether the creative loads nothing over plain HTTP. Links may lead anywhere. */
export function loadsSecurely(creative: Creative): boolean {
  switch (creative.kind) {
    case 'image':
      return creative.imageUrl.toLowerCase().startsWith('https://')
    case 'html':
      return !INSECURE_ASSET.test(creative.html)
  }
}

/** Values that a block list may name to block the ad: its advertiser's domains, then their parents, then its app. */
export function advertiserDomains(ad: Ad): string[] {
  const app = storeApp(ad.landingUrl)
  return [
    ...new Set([
      ...ad.adomain.map(domain => domain.toLowerCase()),
      ...ad.adomain.flatMap(domainSuffixes),
      ...(app === null ? [] : [app]),
    ]),
  ]
}

export function adCategories(ad: Ad): string[] {
  return [...new Set(ad.cat.flatMap(categoryAndParent))]
}

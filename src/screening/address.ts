import { AddressRanges } from './address-ranges.ts'
import { ADDRESS_WORDS, formatAddress, isVersion4, readAddress } from './parse-address.ts'

/** Not reachable from everywhere, by IANA's IPv4 Special-Purpose Address Registry, and multicast. */
const SPECIAL_VERSION4 = AddressRanges.of(
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/3',
)
/** All that is given out of IPv6 lies in here; NAT64, unique local, link-local and multicast addresses do not. */
const GLOBAL_VERSION6 = AddressRanges.of('2000::/3')
/** Protocol assignments (Teredo too), documentation, and 6to4, which holds an IPv4 address of the writer's choice. */
const SPECIAL_VERSION6 = AddressRanges.of('2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20')

const scratch = new Uint32Array(ADDRESS_WORDS)

/** The one text of an address, so that equal addresses are equal texts; null for what is none. */
export function normalAddress(text: string): string | null {
  if (!readAddress(text, scratch)) return null
  // A dotted one has no second text: no zeros in front, no zone.
  return text.includes(':') ? formatAddress(scratch) : text
}

/**
 * Whether anyone on the internet could reach it: false for private, loopback, link-local and reserved addresses, the
 * same written as IPv6, and for what is no address. Takes the host that `new URL` has normalised, without brackets.
 */
export function isPublicAddress(text: string): boolean {
  if (!readAddress(text, scratch)) return false
  if (isVersion4(scratch)) return !SPECIAL_VERSION4.containsWords(scratch)
  return GLOBAL_VERSION6.containsWords(scratch) && !SPECIAL_VERSION6.containsWords(scratch)
}

/**
 * Who sent a request: the rightmost address of X-Forwarded-For that is not a trusted proxy, where the peer is one; each
 * proxy appends whom it heard, so what stands further left may be invented. A hop that is no address (`unknown`) ends
 * the walk at the proxy that wrote it.
 */
export function clientAddress(request: {
  readonly peer: string
  readonly forwardedFor: string | null
  readonly trusted: AddressRanges
}): string {
  const { forwardedFor, trusted } = request
  const { peer } = request
  if (peer !== lastPeer || trusted !== lastTrusted) {
    lastPeer = peer
    lastTrusted = trusted
    lastAddress = normalAddress(peer)
    lastIsTrusted = lastAddress !== null && trusted.contains(lastAddress)
  }
  if (lastAddress === null) return peer
  if (forwardedFor === null || !lastIsTrusted) return lastAddress
  let address = lastAddress
  let end = forwardedFor.length
  while (end >= 0) {
    const comma = end === 0 ? -1 : forwardedFor.lastIndexOf(',', end - 1)
    const hop = normalAddress(withoutPort(forwardedFor.slice(comma + 1, end).trim()))
    if (hop === null) return address
    address = hop
    if (comma < 0 || !trusted.contains(hop)) return address
    end = comma
  }
  return address
}

/** Behind a proxy one peer sends most requests: it is read once, not for each. */
let lastPeer = ''
let lastTrusted: AddressRanges | null = null
let lastAddress: string | null = null
let lastIsTrusted = false

/** Some proxies add the port: `192.0.2.1:4711`, `[2001:db8::1]:4711`. */
function withoutPort(hop: string): string {
  if (hop.startsWith('[')) return hop.slice(1, Math.max(1, hop.indexOf(']')))
  const colon = hop.indexOf(':')
  return colon >= 0 && colon === hop.lastIndexOf(':') ? hop.slice(0, colon) : hop
}

import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Reader, type Response } from 'maxmind'
import { alpha3Of } from '../../core/country.ts'
import { RecentMap } from '../../core/recent-map.ts'
import { normalAddress } from '../../screening/address.ts'

const SHIPPED = '@ip-location-db/geo-whois-asn-country-mmdb/geo-whois-asn-country.mmdb'
/** In each of two generations; about 2 MB when full. */
const ADDRESSES_KEPT_MAX = 8192
/** Stands for null in the cache. */
const NOWHERE = ''

export interface CountryTable {
  /** ISO 3166-1 alpha-3; null where the table does not say, and for what is no address. */
  countryOf(address: string): string | null
}

export class CountryTableError extends Error {
  override name = 'CountryTableError'
  readonly code: 'unreadable' | 'malformed'

  constructor(code: 'unreadable' | 'malformed', path: string, cause: unknown) {
    super(`The country table ${path} is ${code}: --geo takes a MaxMind DB file (.mmdb).`, { cause })
    this.code = code
  }
}

/** The shipped table, or the operator's: any MMDB with `country_code`, or with `country.iso_code` as MaxMind has it. */
export function openCountryTable(path?: string): CountryTable {
  const reader = open(path ?? fileURLToPath(import.meta.resolve(SHIPPED)))
  const cache = new RecentMap<string, string>(ADDRESSES_KEPT_MAX)
  return {
    countryOf(address) {
      let country = cache.get(address)
      if (country === undefined) {
        // The table knows IPv4 addresses by their own text only, not by their mapped one.
        const normal = normalAddress(address)
        if (normal === null) return null
        country = alpha3Of(countryCode(reader.get(normal))) ?? NOWHERE
        cache.set(address, country)
      }
      return country === NOWHERE ? null : country
    },
  }
}

function open(path: string): Reader<Response> {
  let bytes: Buffer
  try {
    bytes = readFileSync(path)
  } catch (cause) {
    throw new CountryTableError('unreadable', path, cause)
  }
  try {
    return new Reader(bytes)
  } catch (cause) {
    throw new CountryTableError('malformed', path, cause)
  }
}

/** '' where the record names no country. */
function countryCode(record: unknown): string {
  const own = text(record, 'country_code')
  return own === '' ? text(field(record, 'country'), 'iso_code') : own
}

function text(record: unknown, name: string): string {
  const value = field(record, name)
  return typeof value === 'string' ? value : ''
}

function field(record: unknown, name: string): unknown {
  return typeof record === 'object' && record !== null && name in record
    ? (record as Record<string, unknown>)[name]
    : undefined
}

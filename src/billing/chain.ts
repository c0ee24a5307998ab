import { hash } from 'node:crypto'
import { assert } from '../core/assert.ts'

/** What the ledger signs for: no fractions, so that the JCS form of a number is its decimal digits. */
export type CanonicalValue =
  | string
  | number
  | boolean
  | null
  | readonly CanonicalValue[]
  | { readonly [key: string]: CanonicalValue }

export interface ChainedPosting {
  readonly account: string
  readonly amountMicros: number
}

/** A ledger entry as outsiders hash it: the entry of `GET /v1/ledger/entries` without `hash`. */
export interface ChainedEntry {
  readonly id: string
  readonly chain: string
  readonly sequence: number
  /** RFC 3339, UTC. */
  readonly at: string
  readonly kind: string
  readonly eventId?: string
  readonly campaignId?: string
  readonly currency: string
  readonly postings: readonly ChainedPosting[]
  /** Merkle root of a block of charged impressions, 64 lowercase hex digits. */
  readonly chargesRoot?: string
  /** 64 lowercase hex digits; ZERO_HASH in the first entry of a chain. */
  readonly prevHash: string
}

export const ZERO_HASH = '0'.repeat(64)

const HASH_HEX = /^[0-9a-f]{64}$/

/** RFC 8785 (JCS). Throws on what has no canonical form here: fractions, `undefined`, lone surrogates, class instances. */
export function canonicalJson(value: CanonicalValue): string {
  if (value === null || typeof value === 'boolean') return String(value)
  if (typeof value === 'string') return quoted(value)
  if (typeof value === 'number') return integer(value)
  assert(typeof value === 'object', `no canonical JSON of a ${typeof value}`)
  // Array.from, not map: map skips the holes of a sparse array, which must be refused.
  if (isList(value)) return `[${Array.from(value, item => canonicalJson(item)).join(',')}]`
  const prototype = Object.getPrototypeOf(value)
  assert(prototype === Object.prototype || prototype === null, 'no canonical JSON of a class instance')
  // Section 3.2.3: by UTF-16 code units, which is what sort() compares.
  const members = Object.keys(value)
    .sort()
    .map(key => `${quoted(key)}:${canonicalJson(value[key]!)}`)
  return `{${members.join(',')}}`
}

/** canonicalJson of an entry, by its fixed shape: no sorting, no walk over keys. */
export function entryJcs(entry: ChainedEntry): string {
  let jcs = `{"at":${quoted(entry.at)}`
  if (entry.campaignId !== undefined) jcs += `,"campaignId":${quoted(entry.campaignId)}`
  jcs += `,"chain":${quoted(entry.chain)}`
  if (entry.chargesRoot !== undefined) jcs += `,"chargesRoot":${quoted(entry.chargesRoot)}`
  jcs += `,"currency":${quoted(entry.currency)}`
  if (entry.eventId !== undefined) jcs += `,"eventId":${quoted(entry.eventId)}`
  jcs += `,"id":${quoted(entry.id)},"kind":${quoted(entry.kind)},"postings":[${postingsJcs(entry.postings)}]`
  return `${jcs},"prevHash":${quoted(entry.prevHash)},"sequence":${integer(entry.sequence)}}`
}

/** The items of an entry's list of postings. */
export function postingsJcs(postings: readonly ChainedPosting[]): string {
  let jcs = ''
  for (const posting of postings) {
    if (jcs !== '') jcs += ','
    jcs += `{"account":${quoted(posting.account)},"amountMicros":${integer(posting.amountMicros)}}`
  }
  return jcs
}

const HASH_BYTES = 32
/** What is hashed, laid end to end. An entry has 700 bytes; a block of many accounts may be larger. */
let hashed = Buffer.alloc(4096)

/**
 * SHA-256(prevHash as 32 bytes || UTF-8 of the entry's JCS), lowercase hex. In one call on one buffer: 840 ns on an
 * entry of 660 bytes, against 1,830 for a hash object that is updated twice.
 */
export function entryHash(prevHash: string, jcs: string): string {
  assert(HASH_HEX.test(prevHash), 'a hash is 64 lowercase hex digits')
  const bytesMax = HASH_BYTES + jcs.length * 3
  if (hashed.length < bytesMax) hashed = Buffer.alloc(bytesMax)
  hashed.write(prevHash, 'hex')
  const length = HASH_BYTES + hashed.write(jcs, HASH_BYTES, 'utf8')
  return hash('sha256', hashed.subarray(0, length), 'hex')
}

/** Printable ASCII without `"` and `\\`: its JSON is itself. All ids and times are such. */
const PLAIN = /^[ !#-[\]-~]*$/

/** JSON.stringify escapes as section 3.2.2.2 asks; a lone surrogate has no UTF-8, so nobody could hash it alike. */
export function quoted(text: string): string {
  if (PLAIN.test(text)) return `"${text}"`
  assert(text.isWellFormed(), 'no canonical JSON of a lone surrogate')
  return JSON.stringify(text)
}

function integer(value: number): string {
  assert(Number.isSafeInteger(value), 'no canonical JSON of the number', value)
  return String(value)
}

function isList(value: object): value is readonly CanonicalValue[] {
  return Array.isArray(value)
}

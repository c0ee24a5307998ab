import { readUint48, writeUint48 } from '../core/bytes.ts'
import { type ImpressionKey, readImpressionKey } from '../core/ids.ts'

/**
 * What an edge promised when it chose an ad: the body of a tracking token, and, byte for byte, the start of the
 * payload of the impression and click records that come of it. 72 bytes, big-endian:
 *
 *   0  u8   layout version (1)
 *   1  u8   number of the signing key
 *   2  16 B impression id (UUIDv7: its time is the time of the choice)
 *  18  u48  campaign      24  u48  ad      30  u48  placement (0: unknown)   36  u48  publisher (0: unknown)
 *  42  u16  shard of the campaign
 *  44  u32  publisher's share, millionths
 *  48  u48  price, micros: of a click (cpc) or of a thousand impressions (cpm), as it will be charged
 *  54  u32  predicted click rate, billionths
 *  58  u32  epoch of the lease that it was chosen with
 *  62  u16  country (core/country.ts, 0: unknown)
 *  64  u8   device type (records/device.ts)
 *  65  u8   flags: 1 cpm, 2 test
 *  66  u32  expiry of the click, seconds since 1970
 *  70  u16  reserved, zero
 */
export const TOKEN_BODY_BYTES = 72
export const TOKEN_IMPRESSION_AT = 2
export const TOKEN_BODY_VERSION = 1
export const FLAG_CPM = 1
export const FLAG_TEST = 2

export interface TokenBody {
  readonly keyNumber: number
  readonly impression: ImpressionKey
  readonly campaign: number
  readonly ad: number
  readonly placement: number
  readonly publisher: number
  readonly shard: number
  readonly sharePpm: number
  readonly priceMicros: number
  readonly clickRatePpb: number
  readonly epoch: number
  readonly country: number
  readonly device: number
  readonly cpm: boolean
  readonly test: boolean
  readonly clickExpiresAt: number
}

export function readTokenBody(view: DataView, at: number): TokenBody {
  const flags = view.getUint8(at + 65)
  return {
    keyNumber: view.getUint8(at + 1),
    impression: readImpressionKey(view, at + TOKEN_IMPRESSION_AT),
    campaign: readUint48(view, at + 18),
    ad: readUint48(view, at + 24),
    placement: readUint48(view, at + 30),
    publisher: readUint48(view, at + 36),
    shard: view.getUint16(at + 42),
    sharePpm: view.getUint32(at + 44),
    priceMicros: readUint48(view, at + 48),
    clickRatePpb: view.getUint32(at + 54),
    epoch: view.getUint32(at + 58),
    country: view.getUint16(at + 62),
    device: view.getUint8(at + 64),
    cpm: (flags & FLAG_CPM) !== 0,
    test: (flags & FLAG_TEST) !== 0,
    clickExpiresAt: view.getUint32(at + 66) * 1000,
  }
}

/** One field each, from the body's bytes: what a click needs before it is decided, without an object for the others. */
export function readTokenChosenAt(body: Uint8Array): number {
  return uint48(body, TOKEN_IMPRESSION_AT)
}

export function readTokenCampaign(body: Uint8Array): number {
  return uint48(body, 18)
}

export function readTokenAd(body: Uint8Array): number {
  return uint48(body, 24)
}

/** The partition in the impression id: eight bits, across two bytes (core/ids.ts). */
export function readTokenPartition(body: Uint8Array): number {
  return ((body[12]! & 0x0f) << 4) | (body[13]! >>> 4)
}

function uint48(bytes: Uint8Array, at: number): number {
  const high = (bytes[at]! << 8) | bytes[at + 1]!
  const middle = (bytes[at + 2]! << 8) | bytes[at + 3]!
  const low = (bytes[at + 4]! << 8) | bytes[at + 5]!
  return high * 2 ** 32 + middle * 2 ** 16 + low
}

/** Writes all but the impression id, which `writeImpressionId` puts at `at + TOKEN_IMPRESSION_AT`. */
export function writeTokenBody(view: DataView, at: number, body: Omit<TokenBody, 'impression'>): void {
  view.setUint8(at, TOKEN_BODY_VERSION)
  view.setUint8(at + 1, body.keyNumber)
  writeUint48(view, at + 18, body.campaign)
  writeUint48(view, at + 24, body.ad)
  writeUint48(view, at + 30, body.placement)
  writeUint48(view, at + 36, body.publisher)
  view.setUint16(at + 42, body.shard)
  view.setUint32(at + 44, body.sharePpm)
  writeUint48(view, at + 48, body.priceMicros)
  view.setUint32(at + 54, body.clickRatePpb)
  view.setUint32(at + 58, body.epoch)
  view.setUint16(at + 62, body.country)
  view.setUint8(at + 64, body.device)
  view.setUint8(at + 65, (body.cpm ? FLAG_CPM : 0) | (body.test ? FLAG_TEST : 0))
  view.setUint32(at + 66, Math.floor(body.clickExpiresAt / 1000))
  view.setUint16(at + 70, 0)
}

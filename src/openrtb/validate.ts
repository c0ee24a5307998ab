import type { FieldError } from '../core/outcome.ts'
import { addFault, checkObject, type Faults, isObject } from './check.ts'
import { jsonDepthWithin } from './depth.ts'
import { bidRequestShape, nativeRequestShape } from './fields.ts'
import { JSON_DEPTH_MAX } from './limits.ts'
import { objectReader } from './object-reader.ts'
import type { BidRequest, NativeRequest } from './types.ts'
import { wantedOfBidRequest } from './wanted.ts'

export { jsonDepthWithin } from './depth.ts'

export type Validation<Name extends string, Value> =
  | ({ readonly ok: true } & { readonly [name in Name]: Value })
  | { readonly ok: false; readonly errors: readonly FieldError[] }

const NOT_JSON = `must be a string of JSON, nested at most ${JSON_DEPTH_MAX} deep`
const bidRequest = bidRequestShape(checkNativeText)

const read = objectReader(bidRequest, wantedOfBidRequest)

/**
 * A bid request from its text, with the fields that an auction looks at and maybe others; null for what is not JSON, or
 * too deep. Read in one go where it is plainly sound, which takes 2 us less than to parse all of it and check that.
 */
export function parseBidRequest(text: string): Validation<'request', BidRequest> | null {
  const request = read(text)
  if (isRead(request)) return { ok: true, request }
  if (!jsonDepthWithin(text)) return null
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return null
  }
  return validateBidRequest(value)
}

/** Checked by its text. */
function isRead(read: unknown): read is BidRequest {
  return read !== null
}

/**
 * Whether parsed JSON is a bid request by OpenRTB 2.6, with at most FIELD_ERRORS_MAX reasons why not. The value is
 * returned as it came, unknown fields and all. An error of the whole has the path ''.
 */
export function validateBidRequest(value: unknown): Validation<'request', BidRequest> {
  const faults: Faults = []
  if (isBidRequest(value, faults)) return { ok: true, request: value }
  return { ok: false, errors: faults }
}

/** The same for the string in `imp.native.request`, bare or wrapped in `{ "native": ... }`; paths leave the wrap out. */
export function validateNativeRequest(json: string): Validation<'native', NativeRequest> {
  const faults: Faults = []
  const value = parseNative(json)
  if (isNativeRequest(value, faults)) return { ok: true, native: value }
  return { ok: false, errors: faults }
}

function isBidRequest(value: unknown, faults: Faults): value is BidRequest {
  checkObject(bidRequest, value, faults)
  return faults.length === 0
}

function isNativeRequest(value: unknown, faults: Faults): value is NativeRequest {
  if (value === undefined) addFault(faults, '', NOT_JSON)
  else checkObject(nativeRequestShape, value, faults)
  return faults.length === 0
}

function checkNativeText(json: string, faults: Faults): void {
  const value = parseNative(json)
  if (value === undefined) addFault(faults, '', NOT_JSON)
  else checkObject(nativeRequestShape, value, faults)
}

/** Undefined where the text is not JSON, or nests too deep. */
function parseNative(json: string): unknown {
  if (!jsonDepthWithin(json)) return undefined
  try {
    return unwrapNative(JSON.parse(json))
  } catch {
    return undefined
  }
}

function unwrapNative(value: unknown): unknown {
  if (!isObject(value)) return value
  const { assets, native } = value
  return assets === undefined && isObject(native) ? native : value
}

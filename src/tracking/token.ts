import { createHmac, timingSafeEqual } from 'node:crypto'
import { TOKEN_BODY_BYTES, TOKEN_BODY_VERSION } from '../records/token-body.ts'

/** Half of HMAC-SHA256 (RFC 2104 section 5 allows it): 128 bits are out of reach of a forger. */
const MAC_BYTES = 16
export const TOKEN_BYTES = TOKEN_BODY_BYTES + MAC_BYTES
/** Base64url without padding. */
export const TOKEN_CHARACTERS = Math.ceil((TOKEN_BYTES * 4) / 3)

export interface SigningKey {
  /** 0 to 255, written into each token. */
  readonly number: number
  readonly secret: Uint8Array
}

/**
 * Signs the tokens of pixels and clicks with the newest key, and checks them with any that is still kept. A token's text
 * is base64url of its body (records/token-body.ts) and of the MAC over it.
 */
export class TokenSigner {
  private readonly keys = new Map<number, Uint8Array>()
  readonly newest: number

  constructor(keys: readonly SigningKey[]) {
    const newest = keys.at(-1)
    if (newest === undefined) throw new Error('There is no signing key.')
    for (const key of keys) this.keys.set(key.number, key.secret)
    this.newest = newest.number
  }

  /** `body` carries the number of the newest key. */
  sign(body: Uint8Array): string {
    const token = Buffer.allocUnsafe(TOKEN_BYTES)
    token.set(body)
    token.set(this.mac(this.newest, body)!.subarray(0, MAC_BYTES), TOKEN_BODY_BYTES)
    return token.toString('base64url')
  }

  /** The body of a token that this installation signed, or null for a forged, cut or mangled one. */
  open(token: string): Uint8Array | null {
    if (token.length !== TOKEN_CHARACTERS) return null
    const bytes = Buffer.from(token, 'base64url')
    // Buffer skips what is no base64: only the one text that encodes these bytes is a token.
    if (bytes.length !== TOKEN_BYTES || bytes.toString('base64url') !== token) return null
    if (bytes[0] !== TOKEN_BODY_VERSION) return null
    const body = bytes.subarray(0, TOKEN_BODY_BYTES)
    const mac = this.mac(bytes[1]!, body)
    if (mac === null || !timingSafeEqual(mac.subarray(0, MAC_BYTES), bytes.subarray(TOKEN_BODY_BYTES)))
      return null
    return body
  }

  private mac(number: number, body: Uint8Array): Buffer | null {
    const secret = this.keys.get(number)
    return secret === undefined ? null : createHmac('sha256', secret).update(body).digest()
  }
}

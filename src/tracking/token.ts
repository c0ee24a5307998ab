import { createHmac } from 'node:crypto'
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

/** HMAC-SHA256 under one key. What it returns may be a buffer that the next call overwrites. */
export type Mac = (message: Uint8Array) => Uint8Array

/** Runs anywhere, at 490 ns a token; adapters/signing-mac.ts has one that takes 230 ns. */
export function portableMac(secret: Uint8Array): Mac {
  return message => createHmac('sha256', secret).update(message).digest()
}

/**
 * Signs the tokens of pixels and clicks with the newest key, and checks them with any that is still kept. A token's text
 * is base64url of its body (records/token-body.ts) and of the MAC over it.
 */
export class TokenSigner {
  private readonly macs: (Mac | undefined)[] = []
  readonly newest: number
  private readonly token = Buffer.alloc(TOKEN_BYTES)
  private readonly tokenBody = this.token.subarray(0, TOKEN_BODY_BYTES)
  private readonly opened = new Uint8Array(TOKEN_BYTES)
  private readonly openedBody = this.opened.subarray(0, TOKEN_BODY_BYTES)

  /** The last of `keys` is the newest. */
  constructor(keys: readonly SigningKey[], macOf: (secret: Uint8Array) => Mac = portableMac) {
    const newest = keys.at(-1)
    if (newest === undefined) throw new Error('There is no signing key.')
    for (const key of keys) this.macs[key.number] = macOf(key.secret)
    this.newest = newest.number
  }

  /** `body` carries the number of the newest key. */
  sign(body: Uint8Array): string {
    this.tokenBody.set(body)
    const mac = this.macs[this.newest]!(this.tokenBody)
    for (let i = 0; i < MAC_BYTES; i++) this.token[TOKEN_BODY_BYTES + i] = mac[i]!
    return this.token.toString('base64url')
  }

  /**
   * The body of a token that this installation signed, or null for a forged, cut or mangled one. It lies in a buffer
   * that the next call overwrites: read it, or copy it, before the first `await`.
   */
  open(token: string): Uint8Array | null {
    if (token.length !== TOKEN_CHARACTERS || !decode(token, this.opened)) return null
    if (this.opened[0] !== TOKEN_BODY_VERSION) return null
    const macOf = this.macs[this.opened[1]!]
    if (macOf === undefined) return null
    const mac = macOf(this.openedBody)
    // All bytes are looked at, whichever differ: the time taken says nothing of how near a forgery came.
    let difference = 0
    for (let i = 0; i < MAC_BYTES; i++) difference |= mac[i]! ^ this.opened[TOKEN_BODY_BYTES + i]!
    return difference === 0 ? this.openedBody : null
  }
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
/** By character: its six bits, or -1. */
const SIX_BITS = new Int8Array(128).fill(-1)
for (let i = 0; i < ALPHABET.length; i++) SIX_BITS[ALPHABET.charCodeAt(i)] = i

/**
 * Fills `bytes` from the one text that stands for them: RFC 4648 section 5, no padding, unused bits zero. Buffer skips
 * what is no base64url and lets the last bits vary, so that one token would have many texts; checking that by encoding
 * again took 240 ns, this takes 100.
 */
function decode(text: string, bytes: Uint8Array): boolean {
  let seen = 0
  let at = 0
  let i = 0
  for (; i + 4 <= text.length; i += 4) {
    const group =
      (sixBits(text, i) << 18) |
      (sixBits(text, i + 1) << 12) |
      (sixBits(text, i + 2) << 6) |
      sixBits(text, i + 3)
    seen |= group
    bytes[at++] = group >>> 16
    bytes[at++] = group >>> 8
    bytes[at++] = group
  }
  // 88 bytes are 29 groups of three and one byte more.
  const last = (sixBits(text, i) << 6) | sixBits(text, i + 1)
  bytes[at] = last >>> 4
  return (seen | last) >= 0 && (last & 15) === 0
}

/** Negative for what is not in the alphabet, and so is every group that it is shifted into. */
function sixBits(text: string, at: number): number {
  const unit = text.charCodeAt(at)
  return unit < 128 ? SIX_BITS[unit]! : -1
}

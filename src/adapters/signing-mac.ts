import type { Mac } from '../tracking/token.ts'

/** SHA-256 gives 32 bytes; Bun takes no smaller buffer than this to write them into. */
const DIGEST_BYTES_MIN = 64

/**
 * Bun's HMAC-SHA256, with the key's two blocks hashed once: each token starts from a copy. Measured on the bytes of a
 * token: 230 ns, against 490 for node:crypto's createHmac, 350 for a new CryptoHasher and 1,080 for JavaScript.
 */
export function nativeMac(secret: Uint8Array): Mac {
  const keyed = new Bun.CryptoHasher('sha256', secret)
  const digest = new Uint8Array(DIGEST_BYTES_MIN)
  return message => {
    keyed.copy().update(message).digest(digest)
    return digest
  }
}

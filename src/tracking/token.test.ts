import { expect, test } from 'bun:test'
import { randomFrom } from '../../test/random-campaigns.ts'
import { nativeMac } from '../adapters/signing-mac.ts'
import {
  readTokenAd,
  readTokenBody,
  readTokenCampaign,
  readTokenPartition,
  TOKEN_BODY_BYTES,
  TOKEN_BODY_VERSION,
} from '../records/token-body.ts'
import { portableMac, type SigningKey, TOKEN_CHARACTERS, TokenSigner } from './token.ts'

const SEED = Number(process.env['SEED'] ?? 20261124)
console.log(`token tests: SEED=${SEED}`)
const random = randomFrom(SEED)
const byte = () => Math.floor(random() * 256)

function key(number: number): SigningKey {
  return { number, secret: Uint8Array.from({ length: 32 }, byte) }
}

function bodyOf(keyNumber: number): Uint8Array {
  const body = Uint8Array.from({ length: TOKEN_BODY_BYTES }, byte)
  body[0] = TOKEN_BODY_VERSION
  body[1] = keyNumber
  return body
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

test('a field that is read alone is what reading the whole body gives', () => {
  for (let i = 0; i < 1000; i++) {
    const body = bodyOf(7)
    const { ad, campaign, impression } = readTokenBody(new DataView(body.buffer), 0)
    expect(readTokenAd(body)).toBe(ad)
    expect(readTokenCampaign(body)).toBe(campaign)
    expect(readTokenPartition(body)).toBe(impression.partition)
  }
})

for (const [name, macOf] of [
  ['portable', portableMac],
  ['native', nativeMac],
] as const) {
  test(`${name}: what was signed opens to the same body`, () => {
    const signer = new TokenSigner([key(7)], macOf)
    for (let i = 0; i < 1000; i++) {
      const body = bodyOf(7)
      const token = signer.sign(body)
      expect(token).toMatch(/^[A-Za-z0-9_-]+$/)
      expect(token).toHaveLength(TOKEN_CHARACTERS)
      expect(signer.open(token)).toEqual(body)
    }
  })

  test(`${name}: a token with any one bit flipped does not open`, () => {
    const signer = new TokenSigner([key(0), key(1)], macOf)
    const token = signer.sign(bodyOf(1))
    const bytes = Buffer.from(token, 'base64url')
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const forged = Buffer.from(bytes)
      forged[bit >> 3]! ^= 1 << (bit & 7)
      expect(signer.open(forged.toString('base64url'))).toBeNull()
    }
    expect(signer.open(token)).not.toBeNull()
  })

  test(`${name}: a token of another key, or of a number that is not kept, does not open`, () => {
    const own = new TokenSigner([key(1)], macOf)
    for (const other of [key(1), key(2)]) {
      expect(own.open(new TokenSigner([other], macOf).sign(bodyOf(other.number)))).toBeNull()
    }
  })

  test(`${name}: after a rotation the new key signs and the old one still verifies`, () => {
    const [old, next] = [key(255), key(0)]
    const before = new TokenSigner([old], macOf)
    const token = before.sign(bodyOf(255))
    const after = new TokenSigner([old, next], macOf)
    expect(after.newest).toBe(0)
    expect(after.open(token)).not.toBeNull()
    expect(before.open(after.sign(bodyOf(0)))).toBeNull()
  })
}

test('both MACs are HMAC-SHA256 (RFC 4231, test case 2)', () => {
  const secret = Buffer.from('Jefe')
  const message = Buffer.from('what do ya want for nothing?')
  const expected = '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843'
  for (const macOf of [portableMac, nativeMac]) {
    const mac = macOf(secret)
    mac(Buffer.from('another message'))
    expect(Buffer.from(mac(message).subarray(0, 32)).toString('hex')).toBe(expected)
  }
})

test('a token has one text: each other spelling, cut or longer, does not open', () => {
  const signer = new TokenSigner([key(3)])
  const token = signer.sign(bodyOf(3))
  for (let length = 0; length < token.length; length++) expect(signer.open(token.slice(0, length))).toBeNull()
  for (const longer of [`${token}A`, `${token}=`, `${token}==`, ` ${token}`, `${token}\n`]) {
    expect(signer.open(longer)).toBeNull()
  }
  for (let at = 0; at < token.length; at++) {
    for (const character of [...ALPHABET, '+', '/', '=', ' ', '%', '\n', '\u0000', 'é', '\u0141', '\ud83d']) {
      if (character === token[at]) continue
      expect(signer.open(token.slice(0, at) + character + token.slice(at + 1))).toBeNull()
    }
  }
})

test('10,000 garbage tokens do not open, and none throws', () => {
  const signer = new TokenSigner([key(0), key(1)], nativeMac)
  for (let i = 0; i < 10_000; i++) {
    const length = i % 2 === 0 ? TOKEN_CHARACTERS : Math.floor(random() * 300)
    const canonical = i % 4 === 0
    const garbage = Array.from({ length }, () =>
      canonical ? ALPHABET[Math.floor(random() * 64)]! : String.fromCharCode(Math.floor(random() * 65_536)),
    ).join('')
    expect(signer.open(garbage)).toBeNull()
  }
})

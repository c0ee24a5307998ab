/** Clicks on ads of a real installation, signed with its own key: as many as a benchmark needs, in a microsecond each. */
import { openKeys } from '../src/adapters/signing-keys.ts'
import { nativeMac } from '../src/adapters/signing-mac.ts'
import { parseId, partitionOf, writeImpressionId } from '../src/core/ids.ts'
import { DAY_MS } from '../src/core/time.ts'
import { TOKEN_BODY_BYTES, writeTokenBody } from '../src/records/token-body.ts'
import { TOKEN_CHARACTERS, TokenSigner } from '../src/tracking/token.ts'

/** As real ones are: with the id of the click. */
export const LANDING_URL = 'https://example.com/landing?click=${CLICK_ID}'
const AGENT =
  'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36'
/** Far from those that an installation gives out. */
const BOOT = 1000

export interface ClickableCampaign {
  readonly id: string
  readonly ads: readonly { readonly id: string }[]
}

/** Texts of tokens, end to end: each for another impression, spread over all ads. */
export function signClicks(
  folder: string,
  campaigns: readonly ClickableCampaign[],
  priceMicros: number,
  count: number,
): Buffer {
  const signer = new TokenSigner(openKeys(folder).signing, nativeMac)
  const body = new Uint8Array(TOKEN_BODY_BYTES)
  const view = new DataView(body.buffer)
  const serials = new Map<number, number>()
  const texts = Buffer.alloc(count * TOKEN_CHARACTERS)
  const now = Date.now()
  for (let i = 0; i < count; i++) {
    const { id, ads } = campaigns[i % campaigns.length]!
    const campaign = parseId('campaign', id)!
    const serial = serials.get(partitionOf(campaign)) ?? 0
    serials.set(partitionOf(campaign), serial + 1)
    writeTokenBody(view, 0, {
      keyNumber: signer.newest,
      campaign,
      ad: parseId('ad', ads[Math.floor(i / campaigns.length) % ads.length]!.id)!,
      placement: 0,
      publisher: 0,
      shard: 0,
      sharePpm: 800_000,
      priceMicros,
      clickRatePpb: 1_000_000,
      epoch: 0,
      country: 1,
      device: 1,
      cpm: false,
      test: false,
      clickExpiresAt: now + DAY_MS,
    })
    writeImpressionId(view, 2, now, BOOT, partitionOf(campaign), serial)
    texts.write(signer.sign(body), i * TOKEN_CHARACTERS, 'latin1')
  }
  return texts
}

/** Requests for a path with each of the tokens, every one from another address. One buffer, written anew for each. */
export function requestsFor(path: '/i' | '/click', tokens: Buffer): (index: number) => Uint8Array {
  const start = `GET ${path}?t=`
  const beforeAddress = ` HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: ${AGENT}\r\nX-Forwarded-For: 84`
  const message = Buffer.from(`${start}${'-'.repeat(TOKEN_CHARACTERS)}${beforeAddress}.100.100.100\r\n\r\n`)
  const addressAt = start.length + TOKEN_CHARACTERS + beforeAddress.length + 1
  return index => {
    const from = index * TOKEN_CHARACTERS
    tokens.copy(message, start.length, from, from + TOKEN_CHARACTERS)
    let rest = index
    for (let at = addressAt + 8; at >= addressAt; at -= 4) {
      // Octets of three digits: 100 to 199.
      message[at + 1] = 48 + Math.floor((rest % 100) / 10)
      message[at + 2] = 48 + (rest % 10)
      rest = Math.floor(rest / 100)
    }
    return message
  }
}

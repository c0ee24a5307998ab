import { randomBytes, randomUUID } from 'node:crypto'
import { AD_WORDS, type AdDetail, AdWord } from '../../campaigns/catalog-layout.ts'
import { adDetailAt } from '../../campaigns/catalog-reader.ts'
import { assert } from '../../core/assert.ts'
import type { Choice } from '../../serving/serve.ts'
import { TOKEN_BYTES } from '../../tracking/token.ts'
import { adMarkup } from './creative.ts'
import type { Offer } from './offer.ts'

/** What an answer says of one impression: `adm` is the ad's markup. */
export interface ShownAd {
  readonly impressionId: string
  readonly impressionUrl: string
  readonly clickUrl: string
  readonly adm: string
}

export type WriteAnswer = (ad: AdDetail, shown: ShownAd) => string

/** Bytes kept in each of two generations: some 10,000 ads. */
const BYTES_MAX = 16 << 20

/**
 * Where an impression's id and token go while an answer is written for no impression in particular. They are as long as
 * what takes their place, and of the same letters, digits, `-` and `_`, so that HTML, URLs and JSON escape neither; and
 * no advertiser can put into an ad what is drawn at each start.
 */
const ID_MARK = randomUUID()
const TOKEN_MARK = randomBytes(TOKEN_BYTES).toString('base64url')

/**
 * The answers of ads in one form (a bid, a page, JSON). From one impression of an ad to the next only id and token
 * differ: the rest is decoded and escaped once for each version of the campaign, and then copied. A bid took 5.5 us to
 * write anew, and takes 0.3 us so.
 */
export class AdAnswers {
  // By ad slot. What was not used for longest goes with the older generation.
  private young = new Map<number, AnswerText>()
  private old = new Map<number, AnswerText>()
  private youngBytes = 0

  constructor(
    /** A function, as the address of an installation may be known only once its port is open. */
    private readonly publicUrl: () => string,
    private readonly write: WriteAnswer,
    private readonly bytesMax = BYTES_MAX,
  ) {}

  /**
   * The answer, with what goes before and behind it: all is joined at once, as each copy of two kilobytes takes half a
   * microsecond.
   */
  of(choice: Choice, { impressionId, token }: Offer, before = '', behind = ''): string {
    const { snapshot, adRow, adSlot } = choice
    const campaignRow = snapshot!.adWords[adRow * AD_WORDS + AdWord.campaignRow]!
    const version = snapshot!.campaignVersions[campaignRow]!
    let text = this.young.get(adSlot)
    if (text === undefined || text.version !== version) {
      text = this.old.get(adSlot)
      if (text === undefined || text.version !== version) {
        text = new AnswerText(version, this.template(adDetailAt(snapshot!, adRow)))
      }
      this.keep(adSlot, text)
    }
    return text.fill(before, impressionId, token, behind)
  }

  private template(ad: AdDetail): string {
    const publicUrl = this.publicUrl()
    const impressionUrl = `${publicUrl}/i?t=${TOKEN_MARK}`
    const clickUrl = `${publicUrl}/click?t=${TOKEN_MARK}`
    const adm = adMarkup({ creative: ad.creative, clickUrl, impressionUrl, cacheBuster: ID_MARK })
    return this.write(ad, { impressionId: ID_MARK, impressionUrl, clickUrl, adm })
  }

  private keep(adSlot: number, text: AnswerText): void {
    if (this.youngBytes + text.template.length > this.bytesMax) {
      this.old = this.young
      this.young = new Map()
      this.youngBytes = 0
    }
    this.youngBytes += text.template.length
    this.young.set(adSlot, text)
  }
}

/** Where answers are put together: one at a time, as none waits while it is. Grows to the longest. */
let filled = Buffer.allocUnsafe(64 << 10)

/**
 * An answer with marks in it, as bytes in one piece. Joining some fifteen texts of an ad that is in no cache took three
 * times as long as copying this one.
 */
class AnswerText {
  readonly template: Buffer
  private readonly ids: readonly number[]
  private readonly tokens: readonly number[]

  constructor(
    readonly version: number,
    template: string,
  ) {
    this.template = Buffer.from(template)
    this.ids = placesOf(this.template, ID_MARK)
    this.tokens = placesOf(this.template, TOKEN_MARK)
  }

  fill(before: string, impressionId: string, token: string, behind: string): string {
    assert(impressionId.length === ID_MARK.length, 'an impression id of another length', impressionId.length)
    assert(token.length === TOKEN_MARK.length, 'a token of another length', token.length)
    const { template, ids, tokens } = this
    const lengthMax = UTF8_BYTES_MAX * (before.length + behind.length) + template.length
    if (lengthMax > filled.length) filled = Buffer.allocUnsafe(lengthMax)
    const from = filled.write(before)
    filled.set(template, from)
    for (let i = 0; i < ids.length; i++) filled.write(impressionId, from + ids[i]!, 'latin1')
    for (let i = 0; i < tokens.length; i++) filled.write(token, from + tokens[i]!, 'latin1')
    const end = from + template.length
    return filled.toString('utf8', 0, end + filled.write(behind, end))
  }
}

/** Of a UTF-16 unit. */
const UTF8_BYTES_MAX = 3

function placesOf(bytes: Buffer, mark: string): number[] {
  const places: number[] = []
  for (let at = bytes.indexOf(mark); at >= 0; at = bytes.indexOf(mark, at + mark.length)) places.push(at)
  return places
}

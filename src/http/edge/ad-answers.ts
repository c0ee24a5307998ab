import { randomUUID } from 'node:crypto'
import { AD_WORDS, type AdDetail, AdWord } from '../../campaigns/catalog-layout.ts'
import { adDetailAt } from '../../campaigns/catalog-reader.ts'
import type { Choice } from '../../serving/serve.ts'
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

/** Characters kept in each of two generations: some 10,000 ads. */
const CHARACTERS_MAX = 16 << 20

/**
 * Where an impression's id and token go while an answer is written for no impression in particular. Both consist of
 * letters, digits, `-` and `_`, as ids and tokens do, so that HTML, URLs and JSON escape neither; and no advertiser can
 * put into an ad what is drawn at each start.
 */
const ID_MARK = randomUUID()
const TOKEN_MARK = randomUUID()

/**
 * The answers of ads in one form (a bid, a page, JSON). From one impression of an ad to the next only id and token
 * differ: the rest is decoded and escaped once for each version of the campaign, and then joined. A bid took 5.5 us to
 * write anew, and takes 0.5 us so.
 */
export class AdAnswers {
  // By ad slot. What was not used for longest goes with the older generation.
  private young = new Map<number, AnswerText>()
  private old = new Map<number, AnswerText>()
  private youngCharacters = 0

  constructor(
    /** A function, as the address of an installation may be known only once its port is open. */
    private readonly publicUrl: () => string,
    private readonly write: WriteAnswer,
    private readonly charactersMax = CHARACTERS_MAX,
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
    if (this.youngCharacters + text.characters > this.charactersMax) {
      this.old = this.young
      this.young = new Map()
      this.youngCharacters = 0
    }
    this.youngCharacters += text.characters
    this.young.set(adSlot, text)
  }
}

/** An answer with gaps. Its parts are filled in place: one array for all answers, as none waits while it is filled. */
class AnswerText {
  readonly characters: number
  private readonly parts: string[] = ['']
  private readonly ids: number[] = []
  private readonly tokens: number[] = []

  constructor(
    readonly version: number,
    template: string,
  ) {
    this.characters = template.length
    template.split(ID_MARK).forEach((piece, i) => {
      if (i > 0) this.ids.push(this.parts.push('') - 1)
      piece.split(TOKEN_MARK).forEach((part, j) => {
        if (j > 0) this.tokens.push(this.parts.push('') - 1)
        this.parts.push(part)
      })
    })
    this.parts.push('')
  }

  fill(before: string, impressionId: string, token: string, behind: string): string {
    const { parts, ids, tokens } = this
    parts[0] = before
    parts[parts.length - 1] = behind
    for (let i = 0; i < ids.length; i++) parts[ids[i]!] = impressionId
    for (let i = 0; i < tokens.length; i++) parts[tokens[i]!] = token
    return parts.join('')
  }
}

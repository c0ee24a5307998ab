import { formatId } from '../core/ids.ts'
import { rfc3339 } from '../core/time.ts'
import { type ChainedPosting, postingsJcs, quoted } from './chain.ts'
import { CHAIN_STRIDE, EntryKind, postingsOf } from './entry.ts'

/** What the postings of a charge follow from, and what else in its entry does not differ from charge to charge. */
interface ChargeTerms {
  readonly advertiser: number
  readonly campaign: number
  readonly publisher: number
  readonly currency: string
  readonly amount: number
  readonly publisherAmount: number
  readonly feeAmount: number
}

/** What charges of the same terms share. */
export interface ChargeForm extends ChargeTerms {
  readonly chain: number
  readonly postings: readonly ChainedPosting[]
  /** Canonical JSON: between the time and the event, and between the entry's id and the hash before it. */
  readonly beforeEvent: string
  readonly afterId: string
}

/** Some 12 MB where all places are taken. A place holds the latest of the terms that fall on it. */
const PLACES = 8192
const forms: (ChargeForm | undefined)[] = new Array<ChargeForm | undefined>(PLACES).fill(undefined)

/**
 * A campaign's charges differ in time, event, number and the hash before; the rest is made once for those that pay the
 * same to the same publisher. Naming accounts and writing out all postings anew took 2 us of a click's 8.
 */
export function chargeForm(chain: number, terms: ChargeTerms): ChargeForm {
  const place = (terms.campaign + terms.publisher * 3 + terms.amount * 5) % PLACES
  const kept = forms[place]
  if (kept !== undefined && kept.chain === chain && hasTerms(kept, terms)) return kept
  const form = newForm(chain, terms)
  forms[place] = form
  return form
}

/** The fee is what is left of the amount. */
function hasTerms(form: ChargeForm, terms: ChargeTerms): boolean {
  return (
    form.campaign === terms.campaign &&
    form.publisher === terms.publisher &&
    form.amount === terms.amount &&
    form.publisherAmount === terms.publisherAmount &&
    form.advertiser === terms.advertiser &&
    form.currency === terms.currency
  )
}

function newForm(chain: number, terms: ChargeTerms): ChargeForm {
  const { advertiser, campaign, publisher, currency, amount, publisherAmount, feeAmount } = terms
  const postings = postingsOf({ ...terms, kind: EntryKind.charge })
  const campaignId = campaign === 0 ? '' : `,"campaignId":"${formatId('campaign', campaign)}"`
  const beforeEvent = `${campaignId},"chain":"${chain}","currency":${quoted(currency)},"eventId":`
  const afterId = `,"kind":"charge","postings":[${postingsJcs(postings)}],"prevHash":"`
  const kept = { chain, advertiser, campaign, publisher, currency, amount, publisherAmount, feeAmount }
  return { ...kept, postings, beforeEvent, afterId }
}

/** entryJcsOf (entry.ts) of a charge of that form, to the byte. */
export function chargeJcs(
  form: ChargeForm,
  charge: { readonly at: number; readonly event: string; readonly number: number },
  prevHash: string,
): string {
  const id = formatId('entry', charge.number)
  const sequence = charge.number - form.chain * CHAIN_STRIDE
  return `{"at":"${timeText(charge.at)}"${form.beforeEvent}${quoted(charge.event)},"id":"${id}"${form.afterId}${prevHash}","sequence":${sequence}}`
}

let lastTime = 0
let lastText = rfc3339(lastTime)

/** Records that were committed together have one time. */
function timeText(time: number): string {
  if (time !== lastTime) {
    lastTime = time
    lastText = rfc3339(time)
  }
  return lastText
}

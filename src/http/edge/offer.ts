import { CLICK_LIFE_MS } from '../../budgets/click-delay.ts'
import { timeOfChoice } from '../../budgets/node-leases.ts'
import { formatUuid } from '../../core/ids.ts'
import { TOKEN_BODY_BYTES, writeTokenBody } from '../../records/token-body.ts'
import type { Choice } from '../../serving/serve.ts'
import type { ImpressionIds } from '../../tracking/impression-ids.ts'
import type { EdgeDependencies } from './dependencies.ts'

/** What makes an ad that goes out this impression: its id, and the signed token of its links. */
export interface Offer {
  readonly impressionId: string
  readonly token: string
}

export interface OfferTerms {
  readonly placement: number
  readonly publisher: number
  readonly sharePpm: number
  readonly country: number
  readonly device: number
  readonly test: boolean
}

const body = new Uint8Array(TOKEN_BODY_BYTES)
const view = new DataView(body.buffer)

/** Signs the choice into a token. From here on the choice is a promise: whoever shows it will be paid. */
export function offerAd(
  deps: EdgeDependencies,
  ids: ImpressionIds,
  choice: Choice,
  terms: OfferTerms,
): Offer {
  const chosenAt = timeOfChoice(choice, ids.timeAt(deps.clock.now()))
  ids.write(view, 2, choice.campaign % 256, chosenAt)
  writeTokenBody(view, 0, {
    keyNumber: deps.signer.newest,
    campaign: choice.campaign,
    ad: choice.ad,
    placement: terms.placement,
    publisher: terms.publisher,
    shard: 0,
    sharePpm: terms.sharePpm,
    priceMicros: choice.chargeMicros,
    clickRatePpb: choice.clickRatePpb,
    epoch: 0,
    country: terms.country,
    device: terms.device,
    cpm: !choice.cpc,
    test: terms.test,
    clickExpiresAt: chosenAt + CLICK_LIFE_MS,
  })
  return { impressionId: formatUuid(body, 2), token: deps.signer.sign(body) }
}

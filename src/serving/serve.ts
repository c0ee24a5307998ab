import { CAMPAIGN_SLOTS_MAX, type EdgeColumns, type SharedColumns } from '../campaigns/catalog-columns.ts'
import {
  AD_AMOUNT,
  AD_DOUBLES,
  AD_WORDS,
  AdWord,
  type CatalogSnapshot,
  OFFER_CPC,
  OFFER_WORDS,
  Offer,
} from '../campaigns/catalog-layout.ts'
import type { CatalogReader } from '../campaigns/catalog-reader.ts'
import { type CpmMicros, cpmMicros } from '../core/money.ts'
import { clearingPrice } from '../exchange/auction.ts'
import { Candidates, type FrequencyRules } from './candidates.ts'
import type { ClickRates } from './click-rate.ts'
import type { RequestView } from './request-view.ts'

const BILLION = 1_000_000_000

/** What was chosen for one impression. Made once and filled again. */
export class Choice {
  /** Where the ad's text is read from: landingUrlAt, adDetailAt (campaigns/catalog-reader.ts). */
  snapshot: CatalogSnapshot | null = null
  adRow = -1
  campaignSlot = -1
  adSlot = -1
  /** Entity numbers. */
  campaign = 0
  advertiser = 0
  ad = 0
  w = 0
  h = 0
  cpc = false
  clickRatePpb = 0
  /** What it bid: CPM micros. */
  score: CpmMicros = cpmMicros(0)
  /** The best bid of another campaign; 0 where there is none. */
  runnerUp: CpmMicros = cpmMicros(0)
  /** What the answer says: CPM micros, after the auction. */
  price: CpmMicros = cpmMicros(0)
  /** What the token says and the ledger charges: micros of a thousand impressions (cpm) or of a click (cpc). */
  chargeMicros = 0
  capImpressions = 0
  /** The day whose money it was chosen with: it counts for that day (budgets/node-leases.ts, timeOfChoice). */
  dayStart = Number.NEGATIVE_INFINITY
  dayEnd = Number.POSITIVE_INFINITY
}

/** Sums of what one campaign was chosen for, as LeaseAsk (ports/treasury-link.ts) reports them. */
export type VisitChosen = (
  campaignSlot: number,
  campaign: number,
  impressions: number,
  thousandths: number,
  variance: number,
) => void

/** Chooses ads on one edge, and keeps count of the money that the choices may cost. */
export class Serving {
  readonly candidates: Candidates
  private readonly chosenImpressions = new Uint32Array(CAMPAIGN_SLOTS_MAX)
  private readonly chosenThousandths = new Float64Array(CAMPAIGN_SLOTS_MAX)
  private readonly chosenVariance = new Float64Array(CAMPAIGN_SLOTS_MAX)
  private readonly chosenSlots = new Int32Array(CAMPAIGN_SLOTS_MAX)
  private chosenCount = 0

  constructor(
    catalog: CatalogReader,
    private readonly shared: SharedColumns,
    private readonly edge: EdgeColumns,
    rates: ClickRates,
    private readonly frequency: FrequencyRules,
  ) {
    this.candidates = new Candidates(catalog, shared, edge, rates, frequency)
  }

  /** Chooses for the view's current impression, and counts the choice. False where no campaign bids. */
  chooseForImp(view: RequestView, choice: Choice): boolean {
    if (!this.findForImp(view, choice)) return false
    this.take(view, choice)
    return true
  }

  /** The first half of a choice, where other bidders are to be heard before it counts. Changes nothing. */
  findForImp(view: RequestView, choice: Choice): boolean {
    const found = this.candidates
    if (!found.find(view)) return false
    const snapshot = found.winner!
    const offer = found.winnerOffer * OFFER_WORDS
    const ad = found.winnerAd * AD_WORDS
    const { offerWords, adWords } = snapshot
    choice.snapshot = snapshot
    choice.adRow = found.winnerAd
    choice.campaignSlot = found.winnerSlot
    choice.adSlot = adWords[ad + AdWord.adSlot]!
    choice.campaign = this.shared.campaignNumbers[found.winnerSlot]!
    choice.advertiser = snapshot.advertiserNumbers[offerWords[offer + Offer.campaignRow]!]!
    choice.ad = snapshot.adNumbers[found.winnerAd]!
    choice.w = adWords[ad + AdWord.size]! >>> 16
    choice.h = adWords[ad + AdWord.size]! & 0xffff
    choice.cpc = (offerWords[offer + Offer.flags]! & OFFER_CPC) !== 0
    choice.clickRatePpb = found.winnerRatePpb
    choice.score = cpmMicros(found.winnerScore)
    choice.capImpressions = offerWords[offer + Offer.capImpressions]!
    const amount = snapshot.adAmounts[found.winnerAd * AD_DOUBLES + AD_AMOUNT]!
    this.settle(view, choice, cpmMicros(found.runnerUpScore), amount)
    return true
  }

  /** Sets the prices again with a better runner-up from outside, below the choice's own score. */
  priceAgainst(view: RequestView, choice: Choice, runnerUp: CpmMicros): void {
    if (runnerUp > choice.runnerUp) this.settle(view, choice, runnerUp, choice.chargeMicros)
  }

  private settle(view: RequestView, choice: Choice, runnerUp: CpmMicros, clickMicros: number): void {
    choice.runnerUp = runnerUp
    choice.price = clearingPrice({
      at: view.at,
      bid: choice.score,
      runnerUp,
      floor: cpmMicros(view.floorCpmMicros),
    })
    choice.chargeMicros = choice.cpc ? clickMicros : choice.price
  }

  /** The second half: the choice counts from here on, against allowance, frequency and this request's other impressions. */
  take(view: RequestView, choice: Choice): void {
    const slot = choice.campaignSlot
    // A price of P for a thousand impressions is P thousandths of a micro for one; a click price is worth its score.
    const thousandths = choice.cpc ? choice.score : choice.price
    this.edge.allowanceThousandths[slot]! -= thousandths
    this.edge.turns[slot]! += 1
    choice.dayStart = this.edge.dayStart[slot]!
    choice.dayEnd = this.edge.dayEnd[slot]! || Number.POSITIVE_INFINITY
    if (this.chosenImpressions[slot] === 0) this.chosenSlots[this.chosenCount++] = slot
    this.chosenImpressions[slot]! += 1
    this.chosenThousandths[slot]! += thousandths
    if (choice.cpc) this.chosenVariance[slot]! += choice.chargeMicros ** 2 * (choice.clickRatePpb / BILLION)
    if (choice.capImpressions !== 0) this.frequency.record(view.person, slot, view.now)
    const { adWords, hashes } = choice.snapshot!
    const ad = choice.adRow * AD_WORDS
    view.take(slot, hashes, adWords[ad + AdWord.hashes]!, adWords[ad + AdWord.ownDomains]!)
  }

  /** Visits what was chosen since the last call, and starts from nothing. */
  drainChosen(visit: VisitChosen): void {
    for (let i = 0; i < this.chosenCount; i++) {
      const slot = this.chosenSlots[i]!
      const impressions = this.chosenImpressions[slot]!
      const thousandths = this.chosenThousandths[slot]!
      const variance = this.chosenVariance[slot]!
      this.chosenImpressions[slot] = 0
      this.chosenThousandths[slot] = 0
      this.chosenVariance[slot] = 0
      visit(slot, this.shared.campaignNumbers[slot]!, impressions, thousandths, variance)
    }
    this.chosenCount = 0
  }
}

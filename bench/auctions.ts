/** What a decision takes in the process: from a body's text to the answer's, on the captured requests. */

import type { AuctionDependencies } from '../src/http/edge/auction-handler.ts'
import { bid } from '../src/http/edge/auction-handler.ts'
import { parseBidRequest } from '../src/openrtb/validate.ts'
import { marketRequests, openMarket } from './market.ts'

export const MARKET_SIZES = [100, 10_000, 100_000] as const

export interface DecisionFigures {
  readonly campaigns: number
  readonly cpuMicros: number
  readonly servedShare: number
  readonly p50Micros: number
  readonly p99Micros: number
  readonly p999Micros: number
  readonly budgetCheckNs: number
}

/** Rounds that are not counted: the compiler is at work for the first 30,000 requests or so. */
const WARM_UP_ROUNDS = 4

export async function benchDecisions(short: boolean): Promise<DecisionFigures[]> {
  const requests = marketRequests(10_000)
  const texts = requests.map(request => JSON.stringify(request))
  const figures: DecisionFigures[] = []
  for (const campaigns of MARKET_SIZES) {
    const market = await openMarket(campaigns, requests)
    const waits = new Float64Array(texts.length)
    let answers = 0
    const round = () => {
      for (let i = 0; i < texts.length; i++) {
        const start = Bun.nanoseconds()
        const answer = auction(market.deps, texts[i]!)
        waits[i] = Bun.nanoseconds() - start
        if (answer !== null) answers++
      }
    }
    for (let i = 0; i < WARM_UP_ROUNDS; i++) {
      round()
      // What came of it goes to the treasury and back.
      await Bun.sleep(100)
    }
    answers = 0
    const rounds = short ? 4 : 16
    const all: number[] = []
    let cpu = 0
    for (let i = 0; i < rounds; i++) {
      const before = process.cpuUsage()
      round()
      const { user, system } = process.cpuUsage(before)
      cpu += user + system
      all.push(...waits)
      await Bun.sleep(100)
    }
    all.sort((a, b) => a - b)
    const at = (share: number) => all[Math.floor((all.length - 1) * share)]! / 1000
    figures.push({
      campaigns,
      cpuMicros: cpu / all.length,
      servedShare: answers / all.length,
      p50Micros: at(0.5),
      p99Micros: at(0.99),
      p999Micros: at(0.999),
      budgetCheckNs: budgetCheckNs(market.columns.allowanceThousandths, campaigns),
    })
    market.close()
  }
  return figures
}

/** All that the handler does between the body's text and the answer's. */
function auction(deps: AuctionDependencies, text: string): string | null {
  const checked = parseBidRequest(text)
  if (checked === null || !checked.ok) throw new Error('a captured request is not valid')
  return bid(deps, checked.request)
}

/** The compare of serving/candidates.ts, at slots in no order. */
function budgetCheckNs(allowance: Float64Array, campaigns: number): number {
  const checks = 5_000_000
  let passed = 0
  let slot = 1
  const start = Bun.nanoseconds()
  for (let i = 0; i < checks; i++) {
    slot = (Math.imul(slot, 1_664_525) + 1_013_904_223) >>> 0
    if (allowance[slot % campaigns]! >= 1000) passed++
  }
  const ns = (Bun.nanoseconds() - start) / checks
  if (passed !== checks) throw new Error('a campaign had no allowance')
  return ns
}

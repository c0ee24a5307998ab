import { Reason } from '../records/reasons.ts'
import type { AgentClassifier } from './agent.ts'
import type { DataCentres } from './data-centre.ts'
import type { ClickRate } from './rate.ts'

/** What the edge finds, as the event's record carries it: 0 ok, 1 crawler, 2 rate, 3 dataCentre. */
export const Verdict = {
  ok: Reason.none,
  crawler: Reason.crawler,
  rate: Reason.rate,
  dataCentre: Reason.dataCentre,
} as const
export type Verdict = (typeof Verdict)[keyof typeof Verdict]

/** An impression or click as it reaches the edge. */
export interface ScreenedEvent {
  readonly kind: 'impression' | 'click'
  /** A HEAD or a prefetch: nobody has seen anything yet. */
  readonly speculative: boolean
  /** `burl`: the exchange's server reports it, so its agent and address say nothing about the person. */
  readonly fromServer: boolean
  /** null only where a server reports an event and does not say. An absent header is ''. */
  readonly userAgent: string | null
  readonly address: string | null
  /** Of receipt; of an ingested event its own time. */
  readonly at: number
}

export interface Screens {
  readonly agents: Pick<AgentClassifier, 'classify'>
  readonly dataCentres: Pick<DataCentres, 'contains'>
  readonly clickRate: Pick<ClickRate, 'countAndCheck'>
}

/** The first rule that an event breaks. Only clicks of what may be a person count towards the rate. */
export function screen(event: ScreenedEvent, screens: Screens): Verdict {
  if (event.speculative) return Verdict.crawler
  if (event.fromServer) return Verdict.ok
  const { userAgent, address } = event
  const agent = userAgent === null ? null : screens.agents.classify(userAgent)
  if (agent?.robot) return Verdict.crawler
  if (address === null) return Verdict.ok
  if (screens.dataCentres.contains(address)) return Verdict.dataCentre
  if (event.kind === 'click' && screens.clickRate.countAndCheck(address, agent?.number ?? 0, event.at))
    return Verdict.rate
  return Verdict.ok
}

/** `Sec-Purpose` may go on: `prefetch;prerender`. `preview` is what browsers sent for pictures of frequent pages. */
const PURPOSE_HEADERS = ['sec-purpose', 'purpose', 'x-purpose', 'x-moz']
const SPECULATIVE = /^\s*"?(?:prefetch|prerender|preview)\b/i

export function isSpeculative(
  method: string,
  headers: { get(name: string): string | null | undefined },
): boolean {
  if (method === 'HEAD') return true
  for (const name of PURPOSE_HEADERS) {
    const purpose = headers.get(name)
    if (purpose && SPECULATIVE.test(purpose)) return true
  }
  return false
}

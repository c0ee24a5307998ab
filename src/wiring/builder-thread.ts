/** The builder's thread: holds the campaigns as objects, lays out what edges search, and explains what they chose. */

import { FollowingClock, type SharedTime } from '../adapters/clock.ts'
import { CatalogBuilder } from '../campaigns/catalog.ts'
import { PRIOR_PPB } from '../campaigns/catalog-bound.ts'
import type { EdgeColumns, SharedColumns } from '../campaigns/catalog-columns.ts'
import type { CatalogSnapshot } from '../campaigns/catalog-layout.ts'
import { campaignStatus } from '../campaigns/schedule.ts'
import type { FullCampaign, FullRequest } from '../serving/full-evaluation.ts'
import type { ToBuilder } from './decider-messages.ts'
import { Explainer, summaryOf, WINDOW_SECONDS } from './explainer.ts'

export type ForBuilder =
  | {
      readonly kind: 'open'
      readonly columns: SharedColumns
      readonly edge: EdgeColumns
      readonly time: SharedTime
      readonly decider: MessagePort
    }
  /** A request of the sample. */
  | { readonly kind: 'sample'; readonly request: FullRequest }
  | { readonly kind: 'explain'; readonly id: number; readonly campaign: number }

export interface Explanation {
  readonly status: string
  readonly summary: string
  readonly reasons: readonly { readonly code: string; readonly count: number; readonly text: string }[]
  readonly windowSeconds: number
}

export type FromBuilder =
  | { readonly kind: 'snapshot'; readonly snapshot: CatalogSnapshot }
  | { readonly kind: 'explained'; readonly id: number; readonly explanation: Explanation | null }

declare const self: {
  onmessage: (event: MessageEvent<ForBuilder>) => void
  postMessage(message: FromBuilder): void
}

/** Changes that come within this time are laid out together. */
const BUILD_MS = 50
const REFRESH_MS = 1000

const explainer = new Explainer()
let builder: CatalogBuilder | null = null
let columns: SharedColumns | null = null
let edge: EdgeColumns | null = null
let now = () => 0

self.onmessage = ({ data }) => {
  switch (data.kind) {
    case 'open':
      open(data)
      return
    case 'sample':
      explainer.observe(data.request, () => campaignsInFull(data.request.cappedSlots ?? []))
      return
    case 'explain':
      self.postMessage({ kind: 'explained', id: data.id, explanation: explain(data.campaign) })
  }
}

function open(data: Extract<ForBuilder, { kind: 'open' }>): void {
  const opened = new CatalogBuilder(data.columns)
  builder = opened
  columns = data.columns
  edge = data.edge
  const clock = new FollowingClock(data.time)
  now = () => clock.now()
  data.decider.onmessage = ({ data: message }: MessageEvent<ToBuilder>) => {
    if (message.kind === 'changes') opened.apply(message.changes, now())
    else startBuilding(opened)
  }
}

/** Not before all is told: the first snapshot is waited for, and links of ads that it lacks would lead nowhere. */
function startBuilding(of: CatalogBuilder): void {
  const build = () => {
    of.turn(now())
    const snapshot = of.build(now())
    if (snapshot !== null) self.postMessage({ kind: 'snapshot', snapshot })
  }
  build()
  setInterval(build, BUILD_MS)
  setInterval(() => of.refresh(now()), REFRESH_MS)
}

function* campaignsInFull(cappedSlots: readonly number[]): Generator<FullCampaign> {
  for (const { number, slot, campaign, money, adSlots } of builder!.all()) {
    yield {
      campaign,
      number,
      slot,
      money,
      allowanceThousandths: edge!.allowanceThousandths[slot]!,
      pacing: edge!.pacing[slot]!,
      allowedByFrequency: !cappedSlots.includes(slot),
      clickRatePpb: ad => columns!.clickRatePpb[adSlots[campaign.ads.indexOf(ad)]!] || PRIOR_PPB,
    }
  }
}

function explain(number: number): Explanation | null {
  const known = builder?.of(number) ?? null
  if (known === null) return null
  const status = campaignStatus(known.campaign, known.money, now())
  const reasons = explainer.reasons(known.slot)
  const summary = summaryOf(status, reasons)
  return { status, summary, reasons, windowSeconds: WINDOW_SECONDS }
}

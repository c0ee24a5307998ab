import type { AdvertiserMoneyView, CampaignMoneyView } from '../../campaigns/bodies.ts'
import { advertiserBody, campaignBody, plainBody } from '../../campaigns/bodies.ts'
import type { Advertiser, Campaign } from '../../campaigns/campaign.ts'
import { rfc3339 } from '../../core/time.ts'
import type { EntityPage, EntityTable } from '../../ports/control.ts'
import type { ReadStore } from './read-store.ts'

interface EntityRow {
  readonly kind: EntityTable
  readonly number: number
  readonly doc: string
  readonly state: string | null
}

const SELECT = `SELECT entity.kind, entity.number, entity.doc, money.state FROM entity
  LEFT JOIN money ON money.kind = entity.kind AND money.number = entity.number`

export function entity(store: ReadStore, table: EntityTable, number: number, now: number): unknown {
  const row = store.one<EntityRow>(`${SELECT} WHERE entity.kind = ? AND entity.number = ?`, table, number)
  return row === null ? null : bodyOf(row, now)
}

/** In the order of their numbers; the cursor is the last number seen. */
export function list(
  store: ReadStore,
  table: EntityTable,
  page: {
    readonly owner: number | null
    readonly limit: number
    readonly after: number
    readonly now: number
  },
): EntityPage {
  const owned = page.owner === null ? '' : 'AND entity.owner = ?'
  const rows = store.each<EntityRow>(
    `${SELECT} WHERE entity.kind = ? AND entity.number > ? ${owned} ORDER BY entity.number LIMIT ?`,
    table,
    page.after,
    ...(page.owner === null ? [] : [page.owner]),
    page.limit + 1,
  )
  const { items, isLast } = pageOf(rows, page.limit, row => row.doc.length)
  return {
    items: items.map(row => bodyOf(row, page.now)),
    nextCursor: isLast ? null : String(items.at(-1)!.number),
  }
}

/** Characters of JSON: 200 campaigns with as many ads as they may have would be 150 MB. */
const PAGE_LENGTH_MAX = 4 << 20

/** The first rows, at most `limit`, and fewer where they are long; one at least. */
function pageOf<Row>(rows: Iterable<Row>, limit: number, lengthOf: (row: Row) => number) {
  const items: Row[] = []
  let length = 0
  for (const row of rows) {
    length += lengthOf(row)
    if (items.length === limit || (items.length > 0 && length > PAGE_LENGTH_MAX))
      return { items, isLast: false }
    items.push(row)
  }
  return { items, isLast: true }
}

/** Newest first; the cursor is the last version seen. */
export function history(
  store: ReadStore,
  table: EntityTable,
  number: number,
  page: { readonly limit: number; readonly before: number },
): EntityPage {
  const rows = store.each<{ version: number; at: number; actor: string; action: string; patch: string }>(
    `SELECT version, at, actor, action, patch FROM history
     WHERE kind = ? AND number = ? AND version < ? ORDER BY version DESC LIMIT ?`,
    table,
    number,
    page.before,
    page.limit + 1,
  )
  const { items, isLast } = pageOf(rows, page.limit, row => row.patch.length)
  return {
    items: items.map(row => ({
      version: row.version,
      at: rfc3339(row.at),
      actor: row.actor,
      action: row.action,
      patch: JSON.parse(row.patch),
    })),
    nextCursor: isLast ? null : String(items.at(-1)!.version),
  }
}

function bodyOf(row: EntityRow, now: number): unknown {
  const doc = JSON.parse(row.doc)
  const money = row.state === null ? null : JSON.parse(row.state)
  switch (row.kind) {
    case 'campaign':
      return campaignBody(doc as Campaign, (money as CampaignMoneyView | null) ?? NO_SPEND, now)
    case 'advertiser':
      return advertiserBody(doc as Advertiser, (money as AdvertiserMoneyView | null) ?? NO_MONEY, now)
    default:
      return plainBody(doc)
  }
}

const NO_SPEND: CampaignMoneyView = { spentTotalMicros: 0, day: null, heldMicros: 0, stopped: null }
const NO_MONEY: AdvertiserMoneyView = { balanceMicros: 0, heldMicros: 0 }

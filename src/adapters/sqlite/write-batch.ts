import type { Changes } from '../../billing/changes.ts'
import { advertiserMoneyView, campaignMoneyView } from '../../billing/money-view.ts'
import type { Partition } from '../../billing/partition.ts'
import { uuidTextFrom } from '../../core/ids.ts'
import type { Statements } from './statements.ts'

/** What is written whole: budgets, balances, open blocks, pages of bits. */
export function writeState(statements: Statements, partition: Partition, changes: Changes): void {
  const money =
    'INSERT INTO money (kind, number, state) VALUES (?, ?, ?) ON CONFLICT (kind, number) DO UPDATE SET state = excluded.state'
  for (const campaign of changes.budgets.get(partition.number) ?? []) {
    const budget = partition.budgets.get(campaign)
    if (budget === undefined) continue
    statements.run(money, [
      'campaign',
      campaign,
      JSON.stringify({ ...campaignMoneyView(budget, partition.head.time), state: budget }),
    ])
  }
  for (const advertiser of changes.balances.get(partition.number) ?? []) {
    const balance = partition.balances.get(advertiser)
    if (balance === undefined) continue
    statements.run(money, [
      'advertiser',
      advertiser,
      JSON.stringify({ ...advertiserMoneyView(balance), state: balance }),
    ])
  }
  for (const currency of changes.openBlocks.get(partition.number) ?? []) {
    const block = partition.openBlocks.get(currency)
    if (block === undefined)
      statements.run('DELETE FROM open_block WHERE partition = ? AND currency = ?', [
        partition.number,
        currency,
      ])
    else {
      statements.run(
        `INSERT INTO open_block (partition, currency, second, items) VALUES (?, ?, ?, ?)
         ON CONFLICT (partition, currency) DO UPDATE SET second = excluded.second, items = excluded.items`,
        [partition.number, currency, block.second, block.items.view()],
      )
    }
  }
  for (const page of partition.bits.dirty) {
    statements.run(
      `INSERT INTO bits (boot, partition, kind, page, bytes, issued_until) VALUES (?, ?, ?, ?, ?, ?)
       ON CONFLICT (boot, partition, kind, page) DO UPDATE SET bytes = excluded.bytes, issued_until = excluded.issued_until`,
      [page.boot, partition.number, page.kind, page.page, page.bytes, page.issuedUntil],
    )
  }
}

/** What told repeats of impressions apart that are below the partition's floor. After the rows of the batch. */
export function deleteForgotten(statements: Statements, { number, bits }: Partition): void {
  const floor = bits.forgottenBefore
  if (floor === null) return
  statements.run('DELETE FROM bits WHERE partition = ? AND issued_until < ?', [number, floor])
  statements.run('DELETE FROM token_repeat WHERE partition = ? AND event < ?', [number, uuidTextFrom(floor)])
}

/** What was decided, row by row: most tables are only added to. */
export function writeRows(statements: Statements, changes: Changes): void {
  writeEntities(statements, changes)
  writeEntries(statements, changes)
  writeTransitions(statements, changes)
  writeHeld(statements, changes)
  writeRepeats(statements, changes)
  writeSums(statements, changes)
  writeOutbox(statements, changes)
  writeClaims(statements, changes)
  writeDeadLetters(statements, changes)
}

function writeEntities(statements: Statements, changes: Changes): void {
  for (const row of changes.entities) {
    statements.run(
      `INSERT INTO entity (kind, number, owner, doc) VALUES (?, ?, ?, ?)
       ON CONFLICT (kind, number) DO UPDATE SET owner = excluded.owner, doc = excluded.doc`,
      [row.kind, row.number, row.owner, JSON.stringify(row.doc)],
    )
  }
  for (const row of changes.history) {
    statements.run(
      'INSERT INTO history (kind, number, version, at, actor, action, patch) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING',
      [row.kind, row.number, row.version, row.at, row.actor, row.action, JSON.stringify(row.patch ?? null)],
    )
  }
}

/** Of the row that is being written. */
const hashBytes = Buffer.alloc(32)

function writeEntries(statements: Statements, changes: Changes): void {
  for (const row of changes.entries) {
    hashBytes.write(row.hash, 'hex')
    statements.run(
      `INSERT INTO entry (number, at, kind, event, event_second, advertiser, campaign, ad, publisher, placement, currency,
         amount, publisher_amount, fee_amount, received_at, country, device, note, charges_root, hash)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      [
        row.number,
        row.at,
        row.kind,
        row.event,
        row.eventSecond,
        row.advertiser,
        row.campaign,
        row.ad,
        row.publisher,
        row.placement,
        row.currency,
        row.amount,
        row.publisherAmount,
        row.feeAmount,
        row.receivedAt,
        row.country,
        row.device,
        row.note,
        row.chargesRoot === null ? null : Buffer.from(row.chargesRoot, 'hex'),
        hashBytes,
      ],
    )
    // Apart, as most entries have none: two more values to bind cost a click 3 %.
    if (row.items !== null) {
      statements.run('UPDATE entry SET postings = ?, items = ? WHERE number = ?', [
        JSON.stringify(row.postings),
        row.items,
        row.number,
      ])
    }
  }
}

function writeTransitions(statements: Statements, changes: Changes): void {
  for (const row of changes.transitions) {
    statements.run(
      `INSERT INTO transition (number, event, event_second, kind, at, state, reason, campaign, ad, advertiser)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      [
        row.number,
        row.event,
        row.eventSecond,
        row.kind,
        row.at,
        row.state,
        row.reason,
        row.campaign,
        row.ad,
        row.advertiser,
      ],
    )
  }
}

function writeHeld(statements: Statements, changes: Changes): void {
  for (const event of changes.heldGone) statements.run('DELETE FROM held WHERE event = ?', [event])
  for (const [event, row] of changes.heldPut) {
    statements.run('INSERT OR REPLACE INTO held (event, partition, deadline, record) VALUES (?, ?, ?, ?)', [
      event,
      row.partition,
      row.deadline,
      row.record,
    ])
  }
}

function writeRepeats(statements: Statements, changes: Changes): void {
  for (const [key, count] of changes.repeats) {
    const split = key.lastIndexOf('\n')
    statements.run(
      'INSERT INTO repeat (event, kind, count) VALUES (?, ?, ?) ON CONFLICT (event, kind) DO UPDATE SET count = count + excluded.count',
      [key.slice(0, split), Number(key.slice(split + 1)), count],
    )
  }
  for (const { partition, event, kind, times } of changes.tokenRepeats.values()) {
    statements.run(
      'INSERT INTO token_repeat (partition, event, kind, count) VALUES (?, ?, ?, ?) ON CONFLICT (partition, event, kind) DO UPDATE SET count = count + excluded.count',
      [partition, event, kind, times],
    )
  }
}

function writeSums(statements: Statements, changes: Changes): void {
  for (const [partition, currencies] of changes.accounts) {
    for (const [currency, accounts] of currencies) {
      for (const [account, amount] of accounts) {
        if (amount === 0) continue
        statements.run(
          `INSERT INTO account (account, currency, partition, balance) VALUES (?, ?, ?, ?)
           ON CONFLICT (account, currency, partition) DO UPDATE SET balance = balance + excluded.balance`,
          [account, currency, partition, amount],
        )
      }
    }
  }
  for (const row of changes.rollups.values()) {
    statements.run(
      `INSERT INTO rollup (minute, ad, placement, country, device, campaign, advertiser, publisher,
         impressions, clicks, charges, spend, rejected)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (minute, ad, placement, publisher, country, device) DO UPDATE SET
         impressions = impressions + excluded.impressions, clicks = clicks + excluded.clicks,
         charges = charges + excluded.charges, spend = spend + excluded.spend, rejected = rejected + excluded.rejected`,
      [
        row.minute,
        row.ad,
        row.placement,
        row.country,
        row.device,
        row.campaign,
        row.advertiser,
        row.publisher,
        row.impressions,
        row.clicks,
        row.charges,
        row.spend,
        row.rejected,
      ],
    )
  }
  for (const { row, requests } of changes.requests.values()) {
    statements.run(
      `INSERT INTO requests (minute, placement, publisher, country, device, requests) VALUES (?, ?, ?, ?, ?, ?)
       ON CONFLICT (minute, placement, publisher, country, device) DO UPDATE SET requests = requests + excluded.requests`,
      [...row, requests],
    )
  }
}

function writeOutbox(statements: Statements, changes: Changes): void {
  for (const row of changes.outbox) {
    const { source, target, sequence } = row
    if ('events' in row) {
      const { events } = row
      statements.run(
        'INSERT INTO outbox_events (source, target, sequence, last, events) VALUES (?, ?, ?, ?, ?)',
        [source, target, sequence, sequence + events.count - 1, events.written()],
      )
    } else {
      statements.run('INSERT INTO outbox (source, target, sequence, effect) VALUES (?, ?, ?, ?)', [
        source,
        target,
        sequence,
        JSON.stringify(row.effect),
      ])
    }
  }
  for (const { source, target, sequence } of changes.applied.values()) {
    const line = [source, target, sequence]
    statements.run('DELETE FROM outbox WHERE source = ? AND target = ? AND sequence <= ?', line)
    statements.run('DELETE FROM outbox_events WHERE source = ? AND target = ? AND last <= ?', line)
  }
}

function writeClaims(statements: Statements, changes: Changes): void {
  for (const row of changes.claims) {
    statements.run(
      `INSERT INTO claim (name, body_hash, outcome) VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE SET outcome = excluded.outcome`,
      [row.name, row.bodyHash, row.outcome === null ? null : JSON.stringify(row.outcome)],
    )
  }
}

function writeDeadLetters(statements: Statements, changes: Changes): void {
  for (const row of changes.deadLetters) {
    statements.run(
      'INSERT OR IGNORE INTO dead_letter (partition, "offset", reason, bytes) VALUES (?, ?, ?, ?)',
      [row.partition, row.offset, row.reason, row.bytes],
    )
  }
}

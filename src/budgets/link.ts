import { assert } from '../core/assert.ts'
import { type Micros, micros } from '../core/money.ts'

/**
 * Money between a parent and a child, as totals that only grow, each with one writer: `granted` is the parent's,
 * the others the child's. Messages carry totals and merging takes the maximum, so that lost, repeated, late and
 * reordered messages do no harm: stale totals only make a side poorer.
 *
 * Where parent and child share a partition they share one link, and a message is a call. Across partitions each side has
 * a copy: its own totals are exact, the other's are what it has heard.
 */
export interface Link {
  granted: Micros
  returned: Micros
  charged: Micros
  refunded: Micros
}

export function newLink(): Link {
  return { granted: micros(0), returned: micros(0), charged: micros(0), refunded: micros(0) }
}

/** What the child has of the parent's money, spent or not. The parent keeps the sum of these within its cap. */
export function outWith(link: Link): Micros {
  return micros(link.granted - link.returned)
}

/** Charges less refunds. */
export function netCharged(link: Link): Micros {
  return micros(link.charged - link.refunded)
}

/** What the child may still spend or keep reserved. */
export function unspent(link: Link): Micros {
  return micros(link.granted - link.returned - link.charged + link.refunded)
}

/** Takes in what the other side says of its totals. Each total only grows, so the greater is the newer. */
export function mergeTotals(link: Link, said: Link): void {
  if (said.granted > link.granted) link.granted = said.granted
  if (said.returned > link.returned) link.returned = said.returned
  if (said.charged > link.charged) link.charged = said.charged
  if (said.refunded > link.refunded) link.refunded = said.refunded
}

export function assertLink(link: Link): void {
  assert(link.granted >= link.returned, 'a link returned more than it was granted')
  assert(link.charged >= link.refunded, 'a link refunded more than it charged')
  assert(unspent(link) >= 0, 'a link charged more than it was granted')
}

import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { chargeForm, chargeJcs } from './charge-form.ts'
import { CHAIN_STRIDE, EntryKind, entryJcsOf, postingsOf } from './entry.ts'

/** Few of each, so that places in the table of forms are shared, taken and taken again. */
const few = fc.constantFrom(256, 8192 + 256)
const charge = fc.record({
  chain: fc.constantFrom(3, 255),
  sequence: fc.integer({ min: 1, max: 2 ** 40 - 1 }),
  at: fc.integer({ min: 0, max: Date.parse('9999-12-31') }),
  event: fc.string({ unit: 'binary' }).filter(text => text.isWellFormed()),
  advertiser: few,
  campaign: few,
  publisher: few,
  currency: fc.constantFrom('USD', 'EUR'),
  amount: fc.constantFrom(1, 8193),
  fee: fc.constantFrom(1, 8193),
})
const hash = fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: 64, maxLength: 64 })

test('a charge is hashed and posted as any entry is, whatever charges came before it', () => {
  fc.assert(
    fc.property(fc.array(charge, { maxLength: 20 }), hash, (charges, prevHash) => {
      for (const { chain, sequence, at, event, fee, ...rest } of charges) {
        const feeAmount = Math.min(fee, rest.amount)
        const terms = { ...rest, feeAmount, publisherAmount: rest.amount - feeAmount }
        const form = chargeForm(chain, terms)
        const number = chain * CHAIN_STRIDE + sequence
        const postings = postingsOf({ ...terms, kind: EntryKind.charge })
        const row = { ...terms, number, at, kind: EntryKind.charge, event, postings }
        const stored = { eventSecond: 0, ad: 0, placement: 0, receivedAt: 0, country: 0, device: 0 }
        const entry = { ...row, ...stored, note: null, chargesRoot: null }
        expect(form.postings).toEqual(postings)
        expect(chargeJcs(form, { at, event, number }, prevHash)).toBe(entryJcsOf(entry, prevHash))
      }
    }),
    { numRuns: 500 },
  )
})

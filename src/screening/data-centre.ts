import { accepted, type FieldError, type Outcome, refused } from '../core/outcome.ts'
import { AddressRanges, type Cidr, parseCidr } from './address-ranges.ts'

const FAULTS_NAMED_MAX = 20

/** Addresses from which people do not browse, as the operator lists them. */
export class DataCentres {
  static readonly none = new DataCentres(new AddressRanges([]))

  readonly #ranges: AddressRanges

  private constructor(ranges: AddressRanges) {
    this.#ranges = ranges
  }

  /** A block or address a line, blank lines and `# comments` apart. A fault's path is `line 3`. */
  static parse(text: string): Outcome<DataCentres> {
    const blocks: Cidr[] = []
    const faults: FieldError[] = []
    for (const [i, line] of text.split('\n').entries()) {
      const entry = line.replace(/#.*/, '').trim()
      if (entry === '') continue
      const block = parseCidr(entry)
      if (block !== null) blocks.push(block)
      else if (faults.length < FAULTS_NAMED_MAX) {
        faults.push({ path: `line ${i + 1}`, message: `not a block of addresses: ${entry.slice(0, 64)}` })
      }
    }
    if (faults.length > 0)
      return refused(422, 'The list of data centres has lines that are no blocks', faults)
    return accepted(new DataCentres(new AddressRanges(blocks)))
  }

  contains(address: string): boolean {
    return this.#ranges.contains(address)
  }
}

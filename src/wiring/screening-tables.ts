import { readFileSync } from 'node:fs'
import { AddressRanges, parseCidr } from '../screening/address-ranges.ts'
import { DataCentres } from '../screening/data-centre.ts'

/** Of `--data-centres`. Throws for a file that cannot be read. */
export function readDataCentres(path: string | null): DataCentres {
  if (path === null) return DataCentres.none
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (cause) {
    throw new Error(`--data-centres: ${path} cannot be read. It takes a file with a CIDR a line.`, { cause })
  }
  const parsed = DataCentres.parse(text)
  if (parsed.ok) return parsed.value
  throw new Error(`${path}: ${parsed.errors.map(error => `${error.path} ${error.message}`).join('; ')}`)
}

/** Of `--trusted-proxies`, one block a line. */
export function readRanges(text: string): AddressRanges {
  const blocks = text.split('\n').map(line => {
    const block = parseCidr(line.trim())
    if (block === null)
      throw new Error(`--trusted-proxies: ${line} is no block of addresses, such as 10.0.0.0/8.`)
    return block
  })
  return new AddressRanges(blocks)
}

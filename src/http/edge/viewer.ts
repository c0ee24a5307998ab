import { alpha2Of, countryIndex } from '../../core/country.ts'
import type { Device } from '../../openrtb/types.ts'
import { deviceNumber } from '../../records/device.ts'
import type { EdgeDependencies } from './dependencies.ts'

/** Who asks, as far as a request or its address tells. */
export interface Viewer {
  readonly alpha3: string | null
  /** ISO 3166-2 */
  readonly region: string | null
  /** core/country.ts */
  readonly country: number
  /** records/device.ts */
  readonly kind: number
}

/** `byAgent` is the device that the user agent names. */
export function viewerOf(
  edge: EdgeDependencies,
  device: Device | undefined,
  address: string,
  byAgent: number,
): Viewer {
  const alpha3 = device?.geo?.country?.toUpperCase() || edge.countryOf(address)
  return {
    alpha3,
    region: regionOf(alpha3, device?.geo?.region),
    country: alpha3 === null ? 0 : countryIndex(alpha3),
    kind: deviceOf(device?.devicetype, byAgent) ?? byAgent,
  }
}

/** What a device sends whose owner limits tracking: nobody's in particular. */
const NO_ADVERTISING_ID = /^[0-]*$/

export function advertisingIdOf(ifa: string | undefined): string {
  return ifa === undefined || NO_ADVERTISING_ID.test(ifa) ? '' : ifa
}

/** AdCOM List: Device Types. 1 is a phone or a tablet: the user agent tells which. */
function deviceOf(type: number | undefined, byAgent: number): number | null {
  switch (type) {
    case 1:
      return byAgent === deviceNumber('tablet') ? byAgent : deviceNumber('mobile')
    case 4:
      return deviceNumber('mobile')
    case 2:
      return deviceNumber('desktop')
    case 5:
      return deviceNumber('tablet')
    case 3:
    case 6:
    case 7:
      return deviceNumber('ctv')
    default:
      return null
  }
}

/** ISO 3166-2: `WI` in the USA is `US-WI`; a code that has its country is taken as it is. */
function regionOf(alpha3: string | null, region: string | undefined): string | null {
  if (region === undefined || region === '') return null
  if (region.includes('-')) return region.toUpperCase()
  const alpha2 = alpha3 === null ? null : alpha2Of(alpha3)
  return alpha2 === null ? null : `${alpha2}-${region.toUpperCase()}`
}

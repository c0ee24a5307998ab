/** Device types as campaigns target them, numbered as tokens, records and rollups store them. */
export const DEVICE_TYPES = ['unknown', 'desktop', 'mobile', 'tablet', 'ctv'] as const
export type DeviceType = (typeof DEVICE_TYPES)[number]

export function deviceNumber(type: DeviceType): number {
  return DEVICE_TYPES.indexOf(type)
}

export function deviceAt(number: number): DeviceType {
  return DEVICE_TYPES[number] ?? 'unknown'
}

import { assert } from './assert.ts'

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true })

/** 48-bit unsigned integers, big-endian: ids and prices in tokens and records. */
export function writeUint48(view: DataView, at: number, value: number): void {
  assert(value >= 0 && value < 2 ** 48, 'does not fit 48 bits', value)
  view.setUint16(at, Math.floor(value / 2 ** 32))
  view.setUint32(at + 2, value >>> 0)
}

export function readUint48(view: DataView, at: number): number {
  return view.getUint16(at) * 2 ** 32 + view.getUint32(at + 2)
}

export function utf8(text: string): Uint8Array<ArrayBuffer> {
  return encoder.encode(text) as Uint8Array<ArrayBuffer>
}

/** Throws on bytes that are not UTF-8. */
export function utf8Text(bytes: Uint8Array): string {
  return decoder.decode(bytes)
}

/** A 32-bit FNV-1a hash of a text: spreads keys over partitions; not for secrets. */
export function hash32(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) {
    hash ^= text.charCodeAt(i)
    hash = Math.imul(hash, 0x01000193)
  }
  hash ^= hash >>> 16
  hash = Math.imul(hash, 0x85ebca6b)
  hash ^= hash >>> 13
  return hash >>> 0
}

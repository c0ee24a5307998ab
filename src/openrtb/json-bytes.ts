/**
 * JSON as bytes, for a reader that makes nothing of what nobody asks for (openrtb/object-reader.ts). One text at a time.
 * Places are indexes of `bytes`; where something is no JSON, or needs more care than is taken here, the answer is -1.
 */
import { JSON_DEPTH_MAX } from './limits.ts'

/** Longer texts are read with care. */
const BYTES_MAX = 1 << 20

/** UTF-8, and a 0 behind it: every scan ends there, as no JSON holds one. */
export const bytes = Buffer.alloc(BYTES_MAX + 1)
let source = ''
let length = 0
let isAscii = false

export const QUOTE = 34
export const COMMA = 44
export const COLON = 58
export const BRACKET_OPEN = 91
export const BRACKET_CLOSED = 93
export const BRACE_OPEN = 123
export const BRACE_CLOSED = 125
export const SPACE = 32
const PLUS = 43
const MINUS = 45
const POINT = 46
const ZERO = 48
const NINE = 57
const UPPER_E = 69
const BACKSLASH = 92
const LOWER_E = 101

/** What ends a run of plain characters of a string: the quote, an escape, and what JSON does not allow. */
const ENDS_RUN = new Uint8Array(256)
ENDS_RUN.fill(1, 0, SPACE)
ENDS_RUN[QUOTE] = 1
ENDS_RUN[BACKSLASH] = 1

const encoder = new TextEncoder()

/** Makes `bytes` those of the text. False where it is too long, or no Unicode text. */
export function load(text: string): boolean {
  const { read, written } = encoder.encodeInto(text, bytes)
  if (read !== text.length || written > BYTES_MAX) return false
  bytes[written] = 0
  source = text
  length = written
  isAscii = written === text.length
  return isAscii || text.isWellFormed()
}

/** Whether the text ends there. A 0 may stand within it, too. */
export function isEnd(at: number): boolean {
  return at === length
}

/** A part of the text. A slice of the text itself is cheaper, where the places in both are the same. */
export function textBetween(from: number, to: number): string {
  return isAscii ? source.slice(from, to) : bytes.toString('utf8', from, to)
}

export function spaceEnd(from: number): number {
  let at = from
  for (let byte = bytes[at]!; byte <= SPACE; byte = bytes[++at]!) {
    if (byte !== 32 && byte !== 10 && byte !== 13 && byte !== 9) break
  }
  return at
}

/** Where the string ends whose first character is at `from`: the place of its quote. */
export function stringEnd(from: number): number {
  let at = runEnd(from)
  if (bytes[at] === QUOTE) return at
  while (bytes[at] === BACKSLASH) {
    if (bytes[at + 1] === 0) return -1
    at = runEnd(at + 2)
  }
  return bytes[at] === QUOTE && parsedString(from, at) !== null ? at : -1
}

/** Where a run of characters ends that stand for themselves. */
export function runEnd(from: number): number {
  let at = from
  while (ENDS_RUN[bytes[at]!] === 0) at++
  return at
}

/** The string between two places, its escapes resolved; null where one is none. */
export function parsedString(from: number, to: number): string | null {
  try {
    return String(JSON.parse(textBetween(from - 1, to + 1)))
  } catch {
    return null
  }
}

/** The number that `numberEnd` found last. */
export let number = 0
/** Digits that a double holds, whatever they are; and powers of ten, which it holds exactly, too. */
const DIGITS_MAX = 15
const POWERS = Array.from({ length: DIGITS_MAX + 1 }, (_, power) => 10 ** power)

/** Where the number ends. A quotient of two exact doubles is the nearest double to it, as JSON.parse has it. */
export function numberEnd(from: number): number {
  const isNegative = bytes[from] === MINUS
  const first = isNegative ? from + 1 : from
  let at = first
  let byte = bytes[at]!
  if (byte < ZERO || byte > NINE) return -1
  let digits = byte - ZERO
  byte = bytes[++at]!
  // A number that begins with 0 ends there: what JSON does not allow behind it, nobody takes.
  if (digits !== 0) {
    for (; byte >= ZERO && byte <= NINE; byte = bytes[++at]!) digits = digits * 10 + (byte - ZERO)
  }
  let digitCount = at - first
  let decimals = 0
  if (byte === POINT) {
    const point = at
    for (byte = bytes[++at]!; byte >= ZERO && byte <= NINE; byte = bytes[++at]!) {
      digits = digits * 10 + (byte - ZERO)
    }
    decimals = at - point - 1
    if (decimals === 0) return -1
    digitCount += decimals
  }
  if (byte === LOWER_E || byte === UPPER_E || digitCount > DIGITS_MAX) return longNumberEnd(from, at)
  const magnitude = decimals === 0 ? digits : digits / POWERS[decimals]!
  number = isNegative ? -magnitude : magnitude
  return at
}

/** `mantissaEnd` is where its digits end. */
function longNumberEnd(from: number, mantissaEnd: number): number {
  let at = mantissaEnd
  let byte = bytes[at]!
  if (byte === LOWER_E || byte === UPPER_E) {
    byte = bytes[++at]!
    if (byte === PLUS || byte === MINUS) byte = bytes[++at]!
    if (byte < ZERO || byte > NINE) return -1
    while (byte >= ZERO && byte <= NINE) byte = bytes[++at]!
  }
  number = Number(textBetween(from, at))
  return at
}

/** Where a value of any kind ends. `depth` is what it would be at as an array or object. */
export function valueEnd(from: number, depth: number): number {
  switch (bytes[from]) {
    case QUOTE: {
      const end = stringEnd(from + 1)
      return end < 0 ? -1 : end + 1
    }
    case BRACE_OPEN:
      return depth > JSON_DEPTH_MAX ? -1 : membersEnd(from, depth)
    case BRACKET_OPEN:
      return depth > JSON_DEPTH_MAX ? -1 : elementsEnd(from, depth)
    case 102:
      return wordEnd(from, 'false')
    case 110:
      return wordEnd(from, 'null')
    case 116:
      return wordEnd(from, 'true')
    default:
      return numberEnd(from)
  }
}

function membersEnd(from: number, depth: number): number {
  let at = spaceEnd(from + 1)
  if (bytes[at] === BRACE_CLOSED) return at + 1
  for (;;) {
    if (bytes[at] !== QUOTE) return -1
    at = stringEnd(at + 1)
    if (at < 0) return -1
    at = spaceEnd(at + 1)
    if (bytes[at] !== COLON) return -1
    at = valueEnd(spaceEnd(at + 1), depth + 1)
    if (at < 0) return -1
    at = spaceEnd(at)
    if (bytes[at] === BRACE_CLOSED) return at + 1
    if (bytes[at] !== COMMA) return -1
    at = spaceEnd(at + 1)
  }
}

function elementsEnd(from: number, depth: number): number {
  let at = spaceEnd(from + 1)
  if (bytes[at] === BRACKET_CLOSED) return at + 1
  for (;;) {
    at = valueEnd(at, depth + 1)
    if (at < 0) return -1
    at = spaceEnd(at)
    if (bytes[at] === BRACKET_CLOSED) return at + 1
    if (bytes[at] !== COMMA) return -1
    at = spaceEnd(at + 1)
  }
}

function wordEnd(from: number, word: string): number {
  for (let i = 0; i < word.length; i++) if (bytes[from + i] !== word.charCodeAt(i)) return -1
  return from + word.length
}

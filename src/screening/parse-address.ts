/** Words of 32 bits in an address: all are kept as IPv6, an IPv4 one as ::ffff:a.b.c.d (RFC 4291 section 2.5.5.2). */
export const ADDRESS_WORDS = 4
/** Zone included: `fe80::1%eth0`. Longer is no address. */
const ADDRESS_LENGTH_MAX = 64
const MAPPED_WORD = 0xffff

const DOT = 46
const COLON = 58

/**
 * Reads the text of an IPv4 or IPv6 address into four words; false for what is none. IPv4 only in dotted form without
 * leading zeros, which some read as octal. The zone of a link-local address is dropped. Allocates nothing.
 */
export function readAddress(text: string, words: Uint32Array): boolean {
  if (text.length > ADDRESS_LENGTH_MAX) return false
  const zone = text.indexOf('%')
  const end = zone < 0 ? text.length : zone
  if (text.includes(':')) return readVersion6(text, end, words)
  const value = zone < 0 ? readVersion4(text, 0, end) : -1
  if (value < 0) return false
  setVersion4(words, value)
  return true
}

export function isVersion4(words: Uint32Array): boolean {
  return words[0] === 0 && words[1] === 0 && words[2] === MAPPED_WORD
}

/** The one text of an address: dotted for IPv4, mapped ones too, else as RFC 5952 section 4 has it. */
export function formatAddress(words: Uint32Array): string {
  if (isVersion4(words)) {
    const value = words[3]!
    return `${value >>> 24}.${(value >>> 16) & 255}.${(value >>> 8) & 255}.${value & 255}`
  }
  const groups: number[] = []
  for (let i = 0; i < ADDRESS_WORDS; i++) groups.push(words[i]! >>> 16, words[i]! & 0xffff)
  const [zerosAt, zeros] = longestZeros(groups)
  const hex = (from: number, to: number) =>
    groups
      .slice(from, to)
      .map(group => group.toString(16))
      .join(':')
  return zeros < 2 ? hex(0, 8) : `${hex(0, zerosAt)}::${hex(zerosAt + zeros, 8)}`
}

function setVersion4(words: Uint32Array, value: number): void {
  words[0] = 0
  words[1] = 0
  words[2] = MAPPED_WORD
  words[3] = value
}

/** The address in `text[from, end)` as an unsigned number, or -1. */
function readVersion4(text: string, from: number, end: number): number {
  let value = 0
  let octet = 0
  let digits = 0
  let octets = 0
  for (let i = from; i <= end; i++) {
    const unit = i < end ? text.charCodeAt(i) : DOT
    if (unit === DOT) {
      if (digits === 0 || octets === 4) return -1
      value = value * 256 + octet
      octets++
      octet = 0
      digits = 0
      continue
    }
    const digit = unit - 48
    if (digit < 0 || digit > 9) return -1
    if (digits > 0 && octet === 0) return -1
    octet = octet * 10 + digit
    digits++
    if (octet > 255) return -1
  }
  return octets === 4 ? value : -1
}

/** RFC 4291 section 2.2: groups of up to four hex digits, one `::`, the last two groups perhaps dotted. */
function readVersion6(text: string, end: number, words: Uint32Array): boolean {
  words.fill(0)
  let groups = 0
  let gapAt = -1
  let i = 0
  if (text.charCodeAt(0) === COLON) {
    if (text.charCodeAt(1) !== COLON) return false
    gapAt = 0
    i = 2
  }
  while (i < end) {
    if (groups === 8) return false
    const start = i
    let group = 0
    let digit = hexDigit(text.charCodeAt(i))
    while (i < end && digit >= 0) {
      group = group * 16 + digit
      i++
      digit = hexDigit(text.charCodeAt(i))
    }
    if (i < end && text.charCodeAt(i) === DOT) {
      const value = readVersion4(text, start, end)
      if (value < 0 || groups > 6) return false
      setGroup(words, groups++, value >>> 16)
      setGroup(words, groups++, value & 0xffff)
      i = end
      break
    }
    if (i === start || i - start > 4) return false
    setGroup(words, groups++, group)
    if (i === end) break
    if (text.charCodeAt(i) !== COLON) return false
    i++
    if (i === end) return false
    if (text.charCodeAt(i) === COLON) {
      if (gapAt >= 0) return false
      gapAt = groups
      i++
    }
  }
  if (gapAt < 0) return groups === 8
  if (groups === 8) return false
  for (let k = 1; k <= groups - gapAt; k++) {
    setGroup(words, 8 - k, getGroup(words, groups - k))
    setGroup(words, groups - k, 0)
  }
  return true
}

function hexDigit(unit: number): number {
  if (unit >= 48 && unit <= 57) return unit - 48
  const letter = unit | 32
  return letter >= 97 && letter <= 102 ? letter - 87 : -1
}

function getGroup(words: Uint32Array, group: number): number {
  const word = words[group >> 1]!
  return (group & 1) === 0 ? word >>> 16 : word & 0xffff
}

function setGroup(words: Uint32Array, group: number, value: number): void {
  const word = words[group >> 1]!
  words[group >> 1] = (group & 1) === 0 ? (value << 16) | (word & 0xffff) : (word & 0xffff0000) | value
}

function longestZeros(groups: readonly number[]): [at: number, length: number] {
  let at = 0
  let longest = 0
  for (let start = 0; start < groups.length; start++) {
    let length = 0
    while (groups[start + length] === 0) length++
    if (length > longest) {
      at = start
      longest = length
    }
  }
  return [at, longest]
}

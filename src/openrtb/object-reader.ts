/**
 * Reads objects from text by the same table of fields that checks them (fields.ts), and makes only what is asked for:
 * JSON.parse makes all of it, which is then checked. What is not plainly sound is left to those two: whoever gets `null`
 * here parses and checks, and has the reasons. So this may refuse what is sound, and never takes what is not.
 */
import { assert } from '../core/assert.ts'
import { checkField, type Faults, type Field, isObject, type Shape } from './check.ts'
import {
  BRACE_CLOSED,
  BRACE_OPEN,
  BRACKET_CLOSED,
  BRACKET_OPEN,
  bytes,
  COLON,
  COMMA,
  isEnd,
  load,
  number,
  numberEnd,
  parsedString,
  QUOTE,
  runEnd,
  SPACE,
  spaceEnd,
  stringEnd,
  textBetween,
  valueEnd,
} from './json-bytes.ts'
import { JSON_DEPTH_MAX } from './limits.ts'

/** Makes an object of what was read of its fields, in the order of `Wanted.fields` from `at` on; undefined was not there. */
export type Make = (values: readonly unknown[], at: number) => Readonly<Record<string, unknown>>

/** What is wanted of an object: these fields, and of those that are objects, or lists of objects, what `inner` says. */
export interface Wanted {
  readonly fields: readonly string[]
  readonly make: Make
  readonly inner?: Readonly<Record<string, Wanted>>
}

/** A reader of objects of one shape; null where the text has none, or needs care. */
export function objectReader(shape: Shape, wanted: Wanted): (text: string) => unknown {
  const known = knownShape(shape, wanted)
  return text => {
    if (!load(text)) return null
    used = 0
    const end = readObject(spaceEnd(0), known, 1)
    return end >= 0 && isEnd(spaceEnd(end)) ? value : null
  }
}

/** How a field is read. */
const As = {
  text: 0,
  letters: 1,
  integer: 2,
  number: 3,
  list: 4,
  /** Field by field. */
  object: 5,
  /** An object of which nothing is known or wanted. */
  anyObject: 6,
  /** Parsed and checked, as a whole request is that is not read here. */
  parsed: 7,
} as const
type As = (typeof As)[keyof typeof As]

/** One hidden class for all, as in check.ts. */
interface KnownField {
  readonly field: Field
  readonly as: As
  /** Of the field, here too: one object less to touch. */
  readonly min: number
  readonly max: number
  readonly name: Uint8Array
  /** Which of the values of its object it becomes; -1 where nobody asks for it. Of an element: whether anybody does. */
  readonly place: number
  /** Of an object that is read field by field. Null for one that is parsed and checked as it always was. */
  readonly shape: KnownShape | null
  readonly element: KnownField | null
  /** Of a field that was seen. One that comes twice is the last of them, as JSON.parse has it. */
  readonly bit: number
  /** The next that begins with the same two letters. */
  next: KnownField | null
}

interface KnownShape {
  readonly shape: Shape
  /** Bits of fields. */
  readonly required: number
  /** By the first two letters of a name. */
  readonly fields: (KnownField | null)[]
  readonly valueCount: number
  readonly make: Make | null
}

const NAMES = 64
const BITS = 32
const nameAt = (first: number, second: number) => (first * 7 + second) & (NAMES - 1)

/** Null where a rule of the shape wants fields that nobody else does, or there are more than bits. */
function knownShape(shape: Shape, wanted: Wanted): KnownShape
function knownShape(shape: Shape, wanted: Wanted | undefined): KnownShape | null
function knownShape(shape: Shape, wanted: Wanted | undefined): KnownShape | null {
  const names = Object.keys(shape.fields)
  if (wanted === undefined && (shape.rule !== undefined || names.length > BITS)) return null
  assert(names.length <= BITS, 'a shape has more fields than bits', names.length)
  const fields = new Array<KnownField | null>(NAMES).fill(null)
  let required = 0
  for (const [index, name] of names.entries()) {
    const place = wanted?.fields.indexOf(name) ?? -1
    const field = knownField(shape.fields[name]!, {
      name,
      place,
      bit: 1 << index,
      wanted: wanted?.inner?.[name],
    })
    const at = nameAt(field.name[0]!, field.name[1] ?? QUOTE)
    fields[at] = { ...field, next: fields[at]! }
    if (field.field.required) required |= field.bit
  }
  return { shape, required, fields, valueCount: wanted?.fields.length ?? 0, make: wanted?.make ?? null }
}

function knownField(
  field: Field,
  known: {
    readonly name: string
    readonly place: number
    readonly bit: number
    readonly wanted: Wanted | undefined
  },
): KnownField {
  const { name, place, bit, wanted } = known
  const isWanted = place >= 0
  assert(!field.uniqueId || isWanted, 'ids that are not read cannot be compared')
  // What is wanted as it came is parsed.
  const inner =
    field.shape === undefined || (isWanted && wanted === undefined) ? null : knownShape(field.shape, wanted)
  return {
    field,
    as: howToRead(field, inner, isWanted),
    min: field.min,
    max: field.max,
    name: Buffer.from(name),
    place,
    shape: inner,
    element: field.element === undefined ? null : knownField(field.element, { ...known, name: '' }),
    bit,
    next: null,
  }
}

function howToRead(field: Field, inner: KnownShape | null, isWanted: boolean): As {
  if (field.rule !== undefined) return As.parsed
  if (field.kind !== 'object') return As[field.kind]
  if (inner !== null) return As.object
  return field.shape !== undefined || isWanted ? As.parsed : As.anyObject
}

/** What was read last, if anybody asks for it. */
let value: unknown
/** Of the objects that are being read, one behind the other. */
const values: unknown[] = []
let used = 0

/** These return where the value ends, or -1. */
function readObject(from: number, known: KnownShape, depth: number): number {
  if (depth > JSON_DEPTH_MAX || bytes[from] !== BRACE_OPEN) return -1
  const first = used
  used += known.valueCount
  for (let i = first; i < used; i++) values[i] = undefined
  let seen = 0
  let at = from + 1
  if (bytes[at]! <= SPACE) at = spaceEnd(at)
  if (bytes[at] === BRACE_CLOSED) at++
  else {
    for (;;) {
      if (bytes[at] !== QUOTE) return -1
      at++
      const field = fieldAt(at, known)
      const nameEnd = field === null ? runEnd(at) : at + field.name.length
      if (bytes[nameEnd] !== QUOTE) return -1
      at = nameEnd + 1
      if (bytes[at]! <= SPACE) at = spaceEnd(at)
      if (bytes[at] !== COLON) return -1
      at++
      if (bytes[at]! <= SPACE) at = spaceEnd(at)
      if (field === null) at = valueEnd(at, depth + 1)
      else {
        seen |= field.bit
        at = readField(at, field, depth + 1)
        if (field.place >= 0) values[first + field.place] = value
      }
      if (at < 0) return -1
      if (bytes[at]! <= SPACE) at = spaceEnd(at)
      if (bytes[at] === BRACE_CLOSED) break
      if (bytes[at] !== COMMA) return -1
      at++
      if (bytes[at]! <= SPACE) at = spaceEnd(at)
    }
    at++
  }
  if ((seen & known.required) !== known.required) return -1
  return known.make === null || made(known, known.make, first) ? at : -1
}

function made({ shape }: KnownShape, make: Make, first: number): boolean {
  const object = make(values, first)
  used = first
  value = object
  if (shape.rule === undefined) return true
  shape.rule(object, broken)
  if (broken.length === 0) return true
  broken.length = 0
  return false
}

/** Of one rule; none outlasts it. */
const broken: Faults = []

function fieldAt(at: number, { fields }: KnownShape): KnownField | null {
  let field = fields[nameAt(bytes[at]!, bytes[at + 1]!)] ?? null
  while (field !== null && !isNamed(at, field.name)) field = field.next
  return field
}

function isNamed(at: number, name: Uint8Array): boolean {
  if (bytes[at + name.length] !== QUOTE) return false
  for (let i = 0; i < name.length; i++) if (bytes[at + i] !== name[i]) return false
  return true
}

function readField(from: number, known: KnownField, depth: number): number {
  switch (known.as) {
    case As.text:
      return readText(from, known)
    case As.letters:
      return readLetters(from, known)
    case As.integer:
    case As.number: {
      const end = numberEnd(from)
      if (end < 0 || !(number >= known.min && number <= known.max)) return -1
      if (known.as === As.integer && !Number.isInteger(number)) return -1
      value = number
      return end
    }
    case As.list:
      return readList(from, known, depth)
    case As.object:
      return readObject(from, known.shape!, depth)
    case As.anyObject:
      return bytes[from] === BRACE_OPEN ? valueEnd(from, depth) : -1
    case As.parsed:
      return readParsed(from, known.field, depth)
  }
}

/** Bytes are counted, which are no fewer than its characters. */
function readText(from: number, known: KnownField): number {
  if (bytes[from] !== QUOTE) return -1
  const first = from + 1
  const end = runEnd(first)
  if (bytes[end] !== QUOTE) return readEscaped(first, known)
  if (end - first < known.min || end - first > known.max) return -1
  if (known.place >= 0) value = textBetween(first, end)
  return end + 1
}

function readEscaped(from: number, { min, max }: KnownField): number {
  const end = stringEnd(from)
  const text = end < 0 ? null : parsedString(from, end)
  if (text === null || text.length < min || text.length > max) return -1
  value = text
  return end + 1
}

function readLetters(from: number, known: KnownField): number {
  const end = from + 1 + known.max
  if (bytes[from] !== QUOTE || bytes[end] !== QUOTE) return -1
  for (let at = from + 1; at < end; at++) {
    const lowerCase = bytes[at]! | 32
    if (lowerCase < 97 || lowerCase > 122) return -1
  }
  value = textBetween(from + 1, end)
  return end + 1
}

function readList(from: number, { field, min, max, element, place }: KnownField, depth: number): number {
  if (depth > JSON_DEPTH_MAX || bytes[from] !== BRACKET_OPEN) return -1
  const list: unknown[] = []
  let count = 0
  let at = from + 1
  if (bytes[at]! <= SPACE) at = spaceEnd(at)
  if (bytes[at] === BRACKET_CLOSED) at++
  else {
    for (;;) {
      at = element === null ? valueEnd(at, depth + 1) : readField(at, element, depth + 1)
      if (at < 0) return -1
      count++
      if (place >= 0) list.push(value)
      if (bytes[at]! <= SPACE) at = spaceEnd(at)
      if (bytes[at] === BRACKET_CLOSED) break
      if (bytes[at] !== COMMA) return -1
      at++
      if (bytes[at]! <= SPACE) at = spaceEnd(at)
    }
    at++
  }
  if (count < min || count > max || (field.uniqueId && count > 1 && repeatsId(list))) return -1
  value = list
  return at
}

/** The list is one that somebody wants: see knownField. */
function repeatsId(list: readonly unknown[]): boolean {
  const ids = new Set<unknown>()
  for (const element of list) if (isObject(element)) ids.add(element['id'])
  return ids.size < list.length
}

function readParsed(from: number, field: Field, depth: number): number {
  const end = valueEnd(from, depth)
  if (end < 0) return -1
  const faults: Faults = []
  value = JSON.parse(textBetween(from, end))
  checkField(field, value, faults)
  return faults.length === 0 ? end : -1
}

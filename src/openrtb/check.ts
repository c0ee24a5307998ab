import { FIELD_ERRORS_MAX, INTEGER_MAX, LIST_LENGTH_MAX, PRICE_MAX, TEXT_LENGTH_MAX } from './limits.ts'

/** Faults found so far. Their paths grow from the inside out, so that a sound request builds no path at all. */
export type Faults = { path: string; message: string }[]

type Kind = 'text' | 'letters' | 'integer' | 'number' | 'object' | 'list'

/** What a field may hold. One hidden class for all, so that the reads below stay monomorphic. */
export interface Field {
  readonly kind: Kind
  /** Least and greatest number, length of text or length of list. */
  readonly min: number
  readonly max: number
  readonly required: boolean
  readonly shape: Shape | undefined
  readonly element: Field | undefined
  /** The elements of a list may not share an `id`. */
  readonly uniqueId: boolean
  /** A check beyond the kind. Returns nothing; adds to the faults. */
  readonly rule: ((value: string, faults: Faults) => void) | undefined
  readonly message: string
}

/** The known fields of an object and the rule between them. Unknown fields pass. */
export interface Shape {
  /** Without a prototype, else a request's `constructor` would find one. A Map took 0.2 us more a request. */
  readonly fields: Readonly<Record<string, Field | undefined>>
  readonly requiredCount: number
  readonly rule: ((object: Readonly<Record<string, unknown>>, faults: Faults) => void) | undefined
}

const FIELD: Field = {
  kind: 'object',
  min: 0,
  max: 0,
  required: false,
  shape: undefined,
  element: undefined,
  uniqueId: false,
  rule: undefined,
  message: 'must be an object',
}

export function shape(fields: Readonly<Record<string, Field>>, rule?: Shape['rule']): Shape {
  const requiredCount = Object.values(fields).filter(field => field.required).length
  return { fields: Object.assign(Object.create(null), fields), requiredCount, rule }
}

export function required(field: Field): Field {
  return { ...field, required: true }
}

export function text(max: number = TEXT_LENGTH_MAX, min = 0, rule?: Field['rule']): Field {
  return {
    ...FIELD,
    kind: 'text',
    min,
    max,
    rule,
    message: `must be a string of ${min} to ${max} characters`,
  }
}

/** A code of exactly so many ASCII letters. */
export function letters(count: number): Field {
  return { ...FIELD, kind: 'letters', min: count, max: count, message: `must be a code of ${count} letters` }
}

export function integer(min = 0, max: number = INTEGER_MAX): Field {
  return { ...FIELD, kind: 'integer', min, max, message: `must be an integer from ${min} to ${max}` }
}

export function flag(): Field {
  return { ...integer(0, 1), message: 'must be 0 or 1' }
}

export function number(min = -Number.MAX_VALUE, max: number = Number.MAX_VALUE): Field {
  const range = max === Number.MAX_VALUE ? '' : ` from ${min} to ${max}`
  return { ...FIELD, kind: 'number', min, max, message: `must be a number${range}` }
}

export function price(): Field {
  return number(0, PRICE_MAX)
}

export function object(of?: Shape): Field {
  return { ...FIELD, shape: of }
}

export function list(element: Field, max: number = LIST_LENGTH_MAX, min = 0, uniqueId = false): Field {
  const message = `must be an array of ${min} to ${max} items`
  return { ...FIELD, kind: 'list', min, max, element, uniqueId, message }
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Adds a fault at a path below the object or list at hand; '' is the value itself. */
export function addFault(faults: Faults, path: string, message: string): void {
  if (faults.length < FIELD_ERRORS_MAX) faults.push({ path, message })
}

/** Adds the faults of an object. Walks the fields that are there: requests carry few of those there could be. */
export function checkObject(of: Shape, value: unknown, faults: Faults): void {
  if (!isObject(value)) {
    addFault(faults, '', FIELD.message)
    return
  }
  let requiredSeen = 0
  for (const name in value) {
    const field = of.fields[name]
    if (field === undefined) continue
    if (field.required) requiredSeen++
    const before = faults.length
    checkField(field, value[name], faults)
    if (faults.length !== before) prefixPaths(faults, before, name)
  }
  if (requiredSeen !== of.requiredCount) addMissing(of, value, faults)
  if (of.rule !== undefined) of.rule(value, faults)
}

export function checkField(field: Field, value: unknown, faults: Faults): void {
  switch (field.kind) {
    case 'text':
      if (typeof value !== 'string' || value.length < field.min || value.length > field.max) break
      if (field.rule !== undefined) field.rule(value, faults)
      return
    case 'letters':
      if (typeof value !== 'string' || value.length !== field.max || !areLetters(value)) break
      return
    case 'integer':
      if (typeof value !== 'number' || !Number.isInteger(value) || value < field.min || value > field.max)
        break
      return
    case 'number':
      // Written so that NaN fails; JSON reads 1e999 as Infinity, which is above any max.
      if (typeof value !== 'number' || !(value >= field.min && value <= field.max)) break
      return
    case 'object':
      if (field.shape !== undefined) checkObject(field.shape, value, faults)
      else if (!isObject(value)) break
      return
    case 'list':
      if (!Array.isArray(value) || value.length < field.min || value.length > field.max) break
      if (field.element !== undefined) checkElements(field, field.element, value, faults)
      return
  }
  addFault(faults, '', field.message)
}

function checkElements(field: Field, element: Field, list: readonly unknown[], faults: Faults): void {
  let index = element.kind === 'text' && element.rule === undefined ? soundTexts(element, list) : 0
  for (; index < list.length && faults.length < FIELD_ERRORS_MAX; index++) {
    const before = faults.length
    checkField(element, list[index], faults)
    if (faults.length !== before) prefixPaths(faults, before, `[${index}]`)
  }
  if (field.uniqueId && list.length > 1) checkUniqueIds(list, faults)
}

/** How many texts at the head of a list are sound: `badv` is a quarter of the values of a captured request. */
function soundTexts(element: Field, list: readonly unknown[]): number {
  for (let index = 0; index < list.length; index++) {
    const value = list[index]
    if (typeof value !== 'string' || value.length < element.min || value.length > element.max) return index
  }
  return list.length
}

function checkUniqueIds(list: readonly unknown[], faults: Faults): void {
  const seen = new Set<unknown>()
  for (let index = 0; index < list.length; index++) {
    const element = list[index]
    if (!isObject(element)) continue
    const { id } = element
    if (id === undefined) continue
    if (seen.has(id)) addFault(faults, `[${index}].id`, 'repeats the id of an earlier item')
    seen.add(id)
  }
}

function areLetters(value: string): boolean {
  for (let index = 0; index < value.length; index++) {
    const lowerCase = value.charCodeAt(index) | 32
    if (lowerCase < 97 || lowerCase > 122) return false
  }
  return true
}

function addMissing(of: Shape, value: Readonly<Record<string, unknown>>, faults: Faults): void {
  for (const name in of.fields) {
    if (of.fields[name]?.required && !(name in value)) addFault(faults, name, 'is required')
  }
}

function prefixPaths(faults: Faults, from: number, prefix: string): void {
  for (let index = from; index < faults.length; index++) {
    const fault = faults[index]!
    const joint = fault.path === '' || fault.path.startsWith('[') ? '' : '.'
    fault.path = prefix + joint + fault.path
  }
}

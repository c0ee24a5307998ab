import { z } from 'zod'
import type { FieldError } from '../core/outcome.ts'
import { RFC3339_MAX } from '../core/time.ts'
import { parseTime } from './edit-schemas.ts'

export type Checked<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly status: 400 | 422; readonly errors: readonly FieldError[] }

/** 400 where the form is broken, 422 where only rules are. `at` is put before each path. */
export function check<S extends z.ZodType>(schema: S, body: unknown, at = ''): Checked<z.output<S>> {
  const result = schema.safeParse(body, { error: messageOf })
  if (result.success) return { ok: true, value: result.data }
  const { issues } = result.error
  const status = issues.every(issue => issue.code === 'custom' && issue.params?.['rule'] === true) ? 422 : 400
  return { ok: false, status, errors: withoutRepeats(issues.flatMap(issue => fieldErrors(issue, at))) }
}

const TYPES: Readonly<Record<string, string>> = {
  array: 'an array',
  boolean: 'true or false',
  int: 'an integer',
  number: 'a number',
  object: 'an object',
  string: 'a text',
}
/** What the limits of a value count; of numbers nothing but themselves. */
const UNITS: Readonly<Record<string, string>> = { array: 'item', string: 'character' }

/** What is said of a field where its schema says nothing: as the schemas do, `must ...`. */
function messageOf(issue: z.core.$ZodRawIssue): string | undefined {
  switch (issue.code) {
    case 'invalid_type':
      if (issue.input === undefined) return 'is required'
      return `must be ${TYPES[issue.expected] ?? issue.expected}`
    case 'too_small':
      return limit(issue.origin, 'at least', issue.minimum)
    case 'too_big':
      return limit(issue.origin, 'at most', issue.maximum)
    case 'invalid_value':
      return oneOf(issue.values)
    case 'invalid_union':
      // Of a kind that none of the forms has.
      return Array.isArray(issue.options) ? oneOf(issue.options) : undefined
    default:
      return undefined
  }
}

function oneOf(values: readonly unknown[]): string {
  return `must be ${values.length === 1 ? '' : 'one of '}${values.join(', ')}`
}

function limit(of: string, bound: string, value: number | bigint): string {
  const unit = UNITS[of]
  return unit === undefined
    ? `must be ${bound} ${value}`
    : `must have ${bound} ${value} ${unit}${value === 1 ? '' : 's'}`
}

function fieldErrors(issue: z.core.$ZodIssue, at: string): FieldError[] {
  const path = formatPath(issue.path, at)
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map(key => ({ path: join(path, key), message: 'unknown field' }))
  }
  return [{ path, message: issue.message }]
}

/** An integer that is too large is too large a number, too. */
function withoutRepeats(errors: readonly FieldError[]): FieldError[] {
  return errors.filter(
    ({ path, message }, i) =>
      errors.findIndex(other => other.path === path && other.message === message) === i,
  )
}

/** `['ads', 0, 'creative']` as `ads[0].creative`. */
function formatPath(path: readonly PropertyKey[], at: string): string {
  return path.reduce<string>(
    (sum, part) => (typeof part === 'number' ? `${sum}[${part}]` : join(sum, String(part))),
    at,
  )
}

function join(path: string, key: string): string {
  return path === '' ? key : `${path}.${key}`
}

/**
 * For the edge, before an edit enters the log: what is wrong with the schedule of a body beyond its form. Whether a zone
 * is known depends on the runtime; a time may leave the year 9999 on its way to UTC.
 */
export function scheduleFaults(body: unknown): readonly FieldError[] {
  if (!isObject(body) || !isObject(body['schedule'])) return []
  const { startAt, endAt, timeZone } = body['schedule']
  const faults: FieldError[] = []
  if (isTooLate(startAt)) faults.push({ path: 'schedule.startAt', message: TOO_LATE })
  if (isTooLate(endAt)) faults.push({ path: 'schedule.endAt', message: TOO_LATE })
  if (typeof timeZone === 'string' && !isTimeZone(timeZone))
    faults.push({ path: 'schedule.timeZone', message: 'must be an IANA time zone' })
  return faults
}

const TOO_LATE = 'must be before the year 10000 in UTC'

function isTooLate(time: unknown): boolean {
  return typeof time === 'string' && (parseTime(time) ?? 0) > RFC3339_MAX
}

export function isTimeZone(zone: string): boolean {
  if (!/^[A-Za-z]/.test(zone)) return false
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone })
    return true
  } catch {
    return false
  }
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/**
 * Members of a patch that are null, not in the current document, and not known to the schema: a merge alone would drop
 * them unseen. What another form of a union has is known: its null may be sent again once the form was changed.
 */
export function unknownNulls(schema: z.ZodType, current: unknown, patch: unknown): readonly FieldError[] {
  return unknownIn(formsOf(schema), current, patch, '')
}

function unknownIn(
  forms: readonly z.ZodObject[],
  current: unknown,
  patch: unknown,
  at: string,
): FieldError[] {
  // Without a form it is no object, or any JSON.
  if (forms.length === 0 || !isObject(patch)) return []
  return Object.entries(patch).flatMap(([key, value]) => {
    const known = forms.filter(({ shape }) => Object.hasOwn(shape, key)).map(({ shape }) => shape[key])
    const before = isObject(current) && Object.hasOwn(current, key) ? current[key] : undefined
    const path = join(at, key)
    if (known.length > 0) return unknownIn(known.flatMap(formsOf), before, value, path)
    return value === null && before === undefined ? [{ path, message: 'unknown field' }] : []
  })
}

/** The objects that a value of the schema may be. */
function formsOf(schema: unknown): readonly z.ZodObject[] {
  if (schema instanceof z.ZodObject) return [schema]
  if (schema instanceof z.ZodDiscriminatedUnion) return schema.options.flatMap(formsOf)
  const isWrapped =
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodPrefault ||
    schema instanceof z.ZodOptional ||
    schema instanceof z.ZodNullable
  return isWrapped ? formsOf(schema.unwrap()) : []
}

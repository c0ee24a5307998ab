import type { Json } from './installation.ts'

/** A time as the contract has it: RFC 3339 in UTC, with milliseconds. */
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/

/**
 * Where a value is not what a schema of an OpenAPI document says: a type, a bound, a member that is missing, or one
 * that the schema does not name. Knows as much of JSON Schema as our document uses, and throws at what it does not.
 */
export function schemaFaults(document: Json, said: Json, value: Json, path = '$'): string[] {
  const schema = resolved(document, said)
  const unknown = Object.keys(schema).filter(word => !KNOWN.has(word))
  if (unknown.length > 0) throw new Error(`${path}: the schema says ${unknown.join(', ')}`)
  if (schema.oneOf !== undefined) {
    const fits = schema.oneOf.filter((form: Json) => schemaFaults(document, form, value, path).length === 0)
    return fits.length === 1 ? [] : [`${path}: fits ${fits.length} of ${schema.oneOf.length} forms`]
  }
  if (schema.type === undefined) return []
  const type = [schema.type].flat().find(name => isOf(name, value))
  if (type === undefined) return [`${path}: ${JSON.stringify(value)} is not ${schema.type}`]
  if (schema.enum !== undefined && !schema.enum.includes(value))
    return [`${path}: ${value} is none of the enum`]
  switch (type) {
    case 'array':
      return value.flatMap((item: Json, i: number) =>
        schema.items === undefined ? [] : schemaFaults(document, schema.items, item, `${path}[${i}]`),
      )
    case 'object':
      return objectFaults(document, schema, value, path)
    case 'string':
      return textFaults(schema, value, path)
    case 'integer':
    case 'number':
      return value < (schema.minimum ?? value) || value > (schema.maximum ?? value)
        ? [`${path}: ${value} is out of range`]
        : []
    default:
      return []
  }
}

const KNOWN = new Set(
  'type properties required items enum oneOf additionalProperties minimum maximum minLength maxLength pattern format default description example minItems maxItems'.split(
    ' ',
  ),
)

function resolved(document: Json, schema: Json): Json {
  return schema.$ref === undefined ? schema : document.components.schemas[schema.$ref.split('/').at(-1)]
}

function isOf(type: string, value: Json): boolean {
  switch (type) {
    case 'null':
      return value === null
    case 'array':
      return Array.isArray(value)
    case 'object':
      return typeof value === 'object' && value !== null && !Array.isArray(value)
    case 'integer':
      return Number.isInteger(value)
    default:
      return typeof value === type
  }
}

function objectFaults(document: Json, schema: Json, value: Json, path: string): string[] {
  const members = schema.properties ?? {}
  const missing = (schema.required ?? []).filter((name: string) => !(name in value))
  const unnamed = Object.keys(value).filter(name => !(name in members))
  return [
    ...missing.map((name: string) => `${path}.${name}: is missing`),
    ...(schema.properties === undefined || schema.additionalProperties === true
      ? []
      : unnamed.map(name => `${path}.${name}: is not in the document`)),
    ...Object.keys(value)
      .filter(name => name in members)
      .flatMap(name => schemaFaults(document, members[name], value[name], `${path}.${name}`)),
  ]
}

function textFaults(schema: Json, value: string, path: string): string[] {
  const { length } = [...value]
  if (length < (schema.minLength ?? 0) || length > (schema.maxLength ?? length))
    return [`${path}: has ${length} characters`]
  if (schema.format === 'date-time' && !TIME.test(value)) return [`${path}: ${value} is no time`]
  if (schema.pattern !== undefined && !new RegExp(schema.pattern).test(value))
    return [`${path}: ${value} is not of the pattern`]
  return []
}

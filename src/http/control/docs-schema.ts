import { isObject } from '../../campaigns/check-body.ts'

export type Fields = Readonly<Record<string, unknown>>

const SCHEMA_DEPTH_MAX = 8

/** A schema as one reads it: `name: string (1 to 200 characters)`, members of objects indented. */
export function outline(schema: unknown, schemas: Fields, depth: number): string {
  const fields = resolved(schema, schemas)
  const indent = '  '.repeat(depth + 1)
  if (depth > SCHEMA_DEPTH_MAX) return '...'
  const choices = fields['oneOf'] ?? fields['anyOf']
  if (Array.isArray(choices)) return choices.map(choice => outline(choice, schemas, depth)).join(' or ')
  if (isObject(fields['properties'])) {
    const required = Array.isArray(fields['required']) ? fields['required'] : []
    const members = Object.entries(fields['properties']).map(([name, member]) => {
      const note = resolved(member, schemas)['description']
      const comment = typeof note === 'string' ? `  // ${note}` : ''
      return `${indent}${name}${required.includes(name) ? '' : '?'}: ${outline(member, schemas, depth + 1)}${comment}`
    })
    return `{\n${members.join('\n')}\n${'  '.repeat(depth)}}${orNull(fields)}`
  }
  if (fields['items'] !== undefined) {
    return `[${outline(fields['items'], schemas, depth)}]${range(fields, 'Items', 'items')}`
  }
  const fallback = fields['default']
  const otherwise = fallback === undefined ? '' : `, by default ${JSON.stringify(fallback)}`
  return `${typeText(fields)}${fallback === null ? '' : otherwise}`
}

function typeText(fields: Fields): string {
  if (Array.isArray(fields['enum'])) {
    return fields['enum'].map(value => JSON.stringify(value)).join(' or ') + orNull(fields)
  }
  const types = [fields['type']].flat().filter(type => typeof type === 'string' && type !== 'null')
  const format = typeof fields['format'] === 'string' ? ` (${fields['format']})` : ''
  const bounds = `${range(fields, 'imum', '')}${range(fields, 'Length', 'characters')}`
  return `${types.join(' or ') || 'any'}${format}${bounds}${orNull(fields)}`
}

function orNull({ type }: Fields): string {
  return Array.isArray(type) && type.includes('null') ? ' or null' : ''
}

/** Of `minLength` and `maxLength`, say: ` (1 to 200 characters)`. */
function range(fields: Fields, of: string, unit: string): string {
  const low = fields[`min${of}`]
  // Whatever JSON can carry is no limit that one would want to read.
  const high = fields[`max${of}`] === Number.MAX_SAFE_INTEGER ? undefined : fields[`max${of}`]
  if (low === undefined && high === undefined) return ''
  const bounds =
    high === undefined ? `${low} or more` : low === undefined ? `at most ${high}` : `${low} to ${high}`
  return ` (${bounds}${unit === '' ? '' : ` ${unit}`})`
}

/** The smallest body that the schema takes; of a patch its first field. */
export function example(schema: unknown, schemas: Fields, first: boolean, depth: number): unknown {
  const fields = resolved(schema, schemas)
  if (fields['example'] !== undefined) return fields['example']
  const choices = fields['oneOf'] ?? fields['anyOf']
  if (Array.isArray(choices)) return example(choices[0], schemas, false, depth)
  if (Array.isArray(fields['enum'])) return fields['enum'][0]
  if (isObject(fields['properties'])) {
    const required = Array.isArray(fields['required']) ? fields['required'] : []
    const names = Object.keys(fields['properties'])
    const chosen = first ? names.slice(0, 1) : names.filter(name => required.includes(name))
    const properties = fields['properties']
    return Object.fromEntries(
      chosen.map(name => [name, example(properties[name], schemas, false, depth + 1)]),
    )
  }
  if (fields['items'] !== undefined) {
    return fields['minItems'] === undefined || depth > SCHEMA_DEPTH_MAX
      ? []
      : [example(fields['items'], schemas, false, depth + 1)]
  }
  const type = [fields['type']].flat()[0]
  if (type === 'integer' || type === 'number')
    return 250_000 <= Number(fields['maximum'] ?? 250_000) ? 250_000 : 300
  if (type === 'boolean') return true
  if (fields['format'] === 'uri') return 'https://cdn.example.com/a.png'
  return type === 'string' ? '...' : null
}

function resolved(schema: unknown, schemas: Fields): Fields {
  const fields = asFields(schema)
  const reference = fields['$ref']
  return typeof reference === 'string' ? asFields(schemas[reference.split('/').at(-1)!]) : fields
}

export function asFields(value: unknown): Fields {
  return isObject(value) ? value : {}
}

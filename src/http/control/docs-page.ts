import type { OpenAPIHono } from '@hono/zod-openapi'
import { isObject } from '../../campaigns/edit-schemas.ts'

type Document = ReturnType<OpenAPIHono['getOpenAPI31Document']>
type Fields = Readonly<Record<string, unknown>>

interface Operation {
  readonly id: string
  readonly method: string
  readonly path: string
  readonly tag: string
  readonly fields: Fields
}

const METHODS = ['get', 'post', 'patch', 'put', 'delete']
const SCHEMA_DEPTH_MAX = 8

/** The OpenAPI document as one page that needs nothing else: sections by tag, an operation with an example each. */
export function docsPage(document: Document): string {
  const operations = operationsOf(document)
  const tags = [...new Set(operations.map(operation => operation.tag))]
  const schemas = asFields(document.components?.schemas)
  const sections = tags.map(tag => {
    const own = operations.filter(operation => operation.tag === tag)
    return `<section id="${slug(tag)}"><h2>${escapeHtml(tag)}</h2>${own.map(each => operationHtml(each, schemas)).join('')}</section>`
  })
  const contents = tags.map(tag => {
    const own = operations.filter(operation => operation.tag === tag)
    const links = own.map(
      each =>
        `<li><a href="#${each.id}"><code>${each.method.toUpperCase()} ${escapeHtml(each.path)}</code></a></li>`,
    )
    return `<li><a href="#${slug(tag)}">${escapeHtml(tag)}</a><ul>${links.join('')}</ul></li>`
  })
  return (
    '<!doctype html><html lang="en"><head><meta charset="utf-8">' +
    '<meta name="viewport" content="width=device-width, initial-scale=1">' +
    `<title>${escapeHtml(document.info.title)} API</title><style>${STYLE}</style></head><body>` +
    `<nav aria-label="Contents"><h1>${escapeHtml(document.info.title)} API</h1><ul>${contents.join('')}</ul></nav><main>` +
    `<p>${prose(document.info.description ?? '')}</p>` +
    '<p>The same as <a href="/openapi.json">OpenAPI 3.1</a>. Send <code>Authorization: Bearer KEY</code>.</p>' +
    `${sections.join('')}</main></body></html>`
  )
}

function operationsOf(document: Document): readonly Operation[] {
  return Object.entries(document.paths ?? {}).flatMap(([path, item]) =>
    METHODS.flatMap(method => {
      const fields = asFields(item)[method]
      if (!isObject(fields)) return []
      const tag = Array.isArray(fields['tags']) ? String(fields['tags'][0]) : 'Other'
      return [{ id: slug(`${method} ${path}`), method, path, tag, fields }]
    }),
  )
}

function operationHtml(operation: Operation, schemas: Fields): string {
  const { fields, method, path } = operation
  const parts = [
    `<h3><code><b class="${method}">${method.toUpperCase()}</b> ${escapeHtml(path)}</code></h3>`,
    `<p><strong>${prose(fields['summary'])}.</strong></p>`,
    String(fields['description'] ?? '')
      .split('\n\n')
      .map(paragraph => `<p>${prose(paragraph)}</p>`)
      .join(''),
    parametersHtml(fields['parameters']),
    bodyHtml(fields['requestBody'], schemas),
    answersHtml(fields['responses'], schemas),
    `<h4>Example</h4><pre>${escapeHtml(curl(operation, schemas))}</pre>`,
  ]
  return `<article id="${operation.id}">${parts.join('')}</article>`
}

function parametersHtml(parameters: unknown): string {
  if (!Array.isArray(parameters) || parameters.length === 0) return ''
  const rows = parameters
    .map(asFields)
    .map(
      each =>
        `<tr><td><code>${escapeHtml(each['name'])}</code></td><td>${escapeHtml(each['in'])}</td>` +
        `<td>${each['required'] === true ? 'required' : ''}</td><td>${prose(each['description'])}</td></tr>`,
    )
  return `<h4>Parameters</h4><table><tr><th>Name</th><th>In</th><th></th><th>What</th></tr>${rows.join('')}</table>`
}

function bodyHtml(body: unknown, schemas: Fields): string {
  const schema = schemaIn(body)
  return schema === null ? '' : `<h4>Body</h4><pre>${escapeHtml(outline(schema, schemas, 0))}</pre>`
}

function answersHtml(responses: unknown, schemas: Fields): string {
  const rows = Object.entries(asFields(responses)).map(([status, response]) => {
    const schema = Number(status) < 300 ? schemaIn(response) : null
    const shape =
      schema === null
        ? ''
        : `<details><summary>Shape</summary><pre>${escapeHtml(outline(schema, schemas, 0))}</pre></details>`
    return `<tr><td><code>${escapeHtml(status)}</code></td><td>${prose(asFields(response)['description'])}${shape}</td></tr>`
  })
  return `<h4>Answers</h4><table>${rows.join('')}</table>`
}

/** A schema as one reads it: `name: string 1..200 = "x"`, members of objects indented. */
function outline(schema: unknown, schemas: Fields, depth: number): string {
  const fields = resolved(schema, schemas)
  const indent = '  '.repeat(depth + 1)
  if (depth > SCHEMA_DEPTH_MAX) return '...'
  const choices = fields['oneOf'] ?? fields['anyOf']
  if (Array.isArray(choices)) return choices.map(choice => outline(choice, schemas, depth)).join(' | ')
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
    return `[${outline(fields['items'], schemas, depth)}]${range(fields, 'minItems', 'maxItems')}`
  }
  return `${typeText(fields)}${defaultText(fields)}`
}

function typeText(fields: Fields): string {
  if (Array.isArray(fields['enum']))
    return fields['enum'].map(value => JSON.stringify(value)).join(' | ') + orNull(fields)
  const types = [fields['type']].flat().filter(type => typeof type === 'string')
  const format = typeof fields['format'] === 'string' ? ` (${fields['format']})` : ''
  return `${types.join(' | ') || 'any'}${format}${range(fields, 'minimum', 'maximum')}${range(fields, 'minLength', 'maxLength')}`
}

function orNull(fields: Fields): string {
  const { type } = fields as { type?: unknown }
  return Array.isArray(type) && type.includes('null') ? ' | null' : ''
}

function defaultText(fields: Fields): string {
  return fields['default'] === undefined ? '' : ` = ${JSON.stringify(fields['default'])}`
}

function range(fields: Fields, min: string, max: string): string {
  const [low, high] = [fields[min], fields[max]]
  return low === undefined && high === undefined ? '' : ` ${low ?? ''}..${high ?? ''}`
}

function curl(operation: Operation, schemas: Fields): string {
  const { fields, method, path } = operation
  const parameters = Array.isArray(fields['parameters']) ? fields['parameters'].map(asFields) : []
  const needed = parameters.filter(each => each['in'] === 'query' && each['required'] === true)
  const query = needed.map(each => `${String(each['name'])}=...`).join('&')
  const url = `http://localhost:8080${path}${query === '' ? '' : `?${query}`}`
  const open = Array.isArray(fields['security']) && fields['security'].length === 0
  const lines = [`curl ${method === 'get' ? '' : `-X ${method.toUpperCase()} `}'${url}'`]
  if (!open) lines.push(`-H "Authorization: Bearer $FARTHING_ADMIN_KEY"`)
  const schema = schemaIn(fields['requestBody'])
  if (schema !== null) {
    const sample = JSON.stringify(example(schema, schemas, method === 'patch', 0)).replaceAll("'", "'\\''")
    lines.push(`-H 'Content-Type: application/json'`, `-d '${sample}'`)
  }
  return lines.join(' \\\n  ')
}

/** The smallest body that the schema takes; of a patch its first field. */
function example(schema: unknown, schemas: Fields, first: boolean, depth: number): unknown {
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

function schemaIn(holder: unknown): unknown {
  const media = asFields(asFields(asFields(holder)['content'])['application/json'])
  return media['schema'] ?? null
}

function asFields(value: unknown): Fields {
  return isObject(value) ? value : {}
}

/** Text with `code` in it. */
function prose(text: unknown): string {
  return escapeHtml(text ?? '').replace(/`([^`]+)`/g, '<code>$1</code>')
}

function escapeHtml(text: unknown): string {
  return String(text)
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
}

function slug(text: string): string {
  return text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '')
}

const STYLE = `
:root { color-scheme: light dark; --line: #8884; --soft: #8881 }
body { margin: 0; font: 16px/1.5 system-ui, sans-serif; display: grid; grid-template-columns: 22rem minmax(0, 1fr) }
nav { position: sticky; top: 0; height: 100vh; overflow: auto; box-sizing: border-box; padding: 1rem; border-right: 1px solid var(--line); font-size: 13px }
nav ul { list-style: none; padding-left: .75rem; margin: .25rem 0 } nav h1 { font-size: 1.25rem }
main { padding: 1rem 2rem 4rem; max-width: 60rem }
article { border-top: 1px solid var(--line); padding: 1rem 0 } h3 { margin: .5rem 0 } h4 { margin: 1rem 0 .25rem }
pre { background: var(--soft); padding: .75rem; overflow: auto; border-radius: 6px; font-size: 13px }
table { border-collapse: collapse; width: 100%; font-size: 14px } td, th { text-align: left; vertical-align: top; padding: .25rem .75rem .25rem 0; border-bottom: 1px solid var(--line) }
a { color: inherit } b { letter-spacing: .03em }
@media (max-width: 60rem) { body { display: block } nav { position: static; height: auto; border: 0 } }
`

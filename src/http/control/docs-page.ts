import type { OpenAPIHono } from '@hono/zod-openapi'
import { isObject } from '../../campaigns/check-body.ts'
import { GUIDE } from './docs-guide.ts'
import { asFields, example, type Fields, outline } from './docs-schema.ts'

type Document = ReturnType<OpenAPIHono['getOpenAPI31Document']>

interface Operation {
  readonly id: string
  readonly method: string
  readonly path: string
  readonly tag: string
  readonly fields: Fields
}

const METHODS = ['get', 'post', 'patch', 'put', 'delete']
/** An answer that so many operations have is told once. */
const COMMON_FROM = 5

/** The OpenAPI document as one page that needs nothing else: sections by tag, an operation with an example each. */
export function docsPage(document: Document): string {
  const operations = operationsOf(document)
  const tags = [...new Set(operations.map(operation => operation.tag))]
  const schemas = asFields(document.components?.schemas)
  const common = commonAnswers(operations)
  const sections = tags.map(tag => {
    const own = operations.filter(operation => operation.tag === tag)
    return `<section id="${slug(tag)}"><h2>${escapeHtml(tag)}</h2>${own.map(each => operationHtml(each, schemas, common)).join('')}</section>`
  })
  const contents = tags.map(tag => {
    const own = operations.filter(operation => operation.tag === tag)
    const links = own.map(
      each =>
        `<li><a href="#${each.id}" title="${escapeHtml(each.fields['summary'])}"><code>` +
        `<b class="${each.method}">${each.method.toUpperCase()}</b> ${escapeHtml(each.path)}</code></a></li>`,
    )
    return `<li><a href="#${slug(tag)}">${escapeHtml(tag)}</a><ul>${links.join('')}</ul></li>`
  })
  return (
    '<!doctype html><html lang="en"><head><meta charset="utf-8">' +
    '<meta name="viewport" content="width=device-width, initial-scale=1">' +
    `<title>${escapeHtml(document.info.title)} API</title><style>${STYLE}</style></head><body>` +
    `<nav aria-label="Contents"><h1><a href="/">${escapeHtml(document.info.title)}</a> API</h1>` +
    `<ul><li><a href="#start">Start here</a></li>${contents.join('')}</ul></nav><main>` +
    `<section id="start"><h2>Start here</h2><p>${prose(document.info.description ?? '')} ` +
    `For programs, the same as <a href="/openapi.json">OpenAPI 3.1</a>.</p>${GUIDE}${errorsHtml(common)}</section>` +
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

/** By status: what most operations say of it in the same words. */
function commonAnswers(operations: readonly Operation[]): ReadonlyMap<string, string> {
  const times = new Map<string, number>()
  const common = new Map<string, string>()
  for (const { fields } of operations) {
    for (const [status, response] of Object.entries(asFields(fields['responses']))) {
      const description = String(asFields(response)['description'])
      const key = `${status} ${description}`
      times.set(key, (times.get(key) ?? 0) + 1)
      if (Number(status) >= 400 && times.get(key)! >= COMMON_FROM) common.set(status, description)
    }
  }
  return new Map([...common].sort())
}

function errorsHtml(common: ReadonlyMap<string, string>): string {
  const rows = [...common].map(
    ([status, text]) => `<tr><td><code>${status}</code></td><td>${prose(text)}</td></tr>`,
  )
  return (
    '<h3 id="errors">Errors</h3><p>Errors are <code>application/problem+json</code>: <code>title</code>, ' +
    '<code>status</code>, <code>detail</code>, and for bad fields <code>errors: [{ path, message }]</code>.</p>' +
    `<table>${rows.join('')}</table>`
  )
}

function operationHtml(operation: Operation, schemas: Fields, common: ReadonlyMap<string, string>): string {
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
    answersHtml(fields['responses'], schemas, common),
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

function answersHtml(responses: unknown, schemas: Fields, common: ReadonlyMap<string, string>): string {
  const answers = Object.entries(asFields(responses))
  const isCommon = ([status, response]: [string, unknown]) =>
    common.get(status) === asFields(response)['description']
  const faults = answers.filter(isCommon).map(([status]) => status)
  const rows = answers
    .filter(answer => !isCommon(answer))
    .map(([status, response]) => {
      const schema = Number(status) < 300 ? schemaIn(response) : null
      const shape =
        schema === null
          ? ''
          : `<details><summary>Shape</summary><pre>${escapeHtml(outline(schema, schemas, 0))}</pre></details>`
      return `<tr><td><code>${escapeHtml(status)}</code></td><td>${prose(asFields(response)['description'])}${shape}</td></tr>`
    })
  const also = faults.length === 0 ? '' : `<p>Errors: <a href="#errors">${faults.join(', ')}</a></p>`
  return `<h4>Answers</h4><table>${rows.join('')}</table>${also}`
}

function curl(operation: Operation, schemas: Fields): string {
  const { fields, method, path } = operation
  const parameters = Array.isArray(fields['parameters']) ? fields['parameters'].map(asFields) : []
  const needed = parameters.filter(each => each['in'] === 'query' && each['required'] === true)
  const query = needed.map(each => `${String(each['name'])}=...`).join('&')
  const url = `http://127.0.0.1:8080${path}${query === '' ? '' : `?${query}`}`
  const open = Array.isArray(fields['security']) && fields['security'].length === 0
  const lines = [`curl ${method === 'get' ? '' : `-X ${method.toUpperCase()} `}'${url}'`]
  if (!open) lines.push(`-H "Authorization: Bearer $KEY"`)
  const schema = schemaIn(fields['requestBody'])
  if (schema !== null) {
    const sample = JSON.stringify(example(schema, schemas, method === 'patch', 0)).replaceAll("'", "'\\''")
    lines.push(`-H 'Content-Type: application/json'`, `-d '${sample}'`)
  }
  return lines.join(' \\\n  ')
}

function schemaIn(holder: unknown): unknown {
  const media = asFields(asFields(asFields(holder)['content'])['application/json'])
  return media['schema'] ?? null
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
main { padding: 1rem 2rem 4rem; max-width: 60rem } h3 code { overflow-wrap: anywhere }
article { border-top: 1px solid var(--line); padding: 1rem 0 } h3 { margin: .5rem 0 } h4 { margin: 1rem 0 .25rem }
pre { background: var(--soft); padding: .75rem; overflow: auto; border-radius: 6px; font-size: 13px }
table { border-collapse: collapse; width: 100%; font-size: 14px } td, th { text-align: left; vertical-align: top; padding: .25rem .75rem .25rem 0; border-bottom: 1px solid var(--line) }
a { color: inherit } b { letter-spacing: .03em } nav a { text-decoration: none } nav a:hover, nav a:focus-visible { text-decoration: underline }
b.get { color: light-dark(#2b7a66, #5fbfa5) } b.post { color: light-dark(#a8561f, #e2955f) } b.patch { color: light-dark(#7a5a00, #d8b34a) } b.delete { color: light-dark(#b3372b, #f08a7c) }
@media (max-width: 60rem) { body { display: block } nav { position: static; height: auto; border: 0; border-bottom: 1px solid var(--line) } nav ul ul { display: none } nav > ul { display: flex; flex-wrap: wrap; gap: .25rem 1rem; padding: 0; font-size: 15px } nav a { text-decoration: underline } main { padding: 1rem 1rem 4rem } }
`

import { OpenAPIHono } from '@hono/zod-openapi'
import { CommandsUnavailable, QueryRefused } from '../../ports/control.ts'
import { HttpProblem, problemResponse } from '../problem.ts'
import { accountRoutes, keyRoutes } from './accounts.ts'
import { billingRoutes } from './billing.ts'
import { campaignRoutes } from './campaigns.ts'
import type { ControlDeps } from './deps.ts'
import { docsPage } from './docs-page.ts'
import { describePublicPaths } from './public-paths.ts'
import { reportRoutes } from './reports.ts'
import { Routes } from './routes.ts'

export type { ControlDeps } from './deps.ts'

const BODY_BYTES_MAX = 1_048_576

/** The control API: what it changes, it changes by commands through the log; what it answers, it reads committed. */
export function controlApp(deps: ControlDeps): OpenAPIHono {
  const app = new OpenAPIHono()
  const routes = new Routes(app, deps.authenticate, deps.bodyBytesMax ?? BODY_BYTES_MAX)
  keyRoutes(routes, deps)
  accountRoutes(routes, deps)
  campaignRoutes(routes, deps)
  billingRoutes(routes, deps)
  reportRoutes(routes, deps)
  describePublicPaths(app)
  documentRoutes(app, routes)

  app.notFound(context => {
    const allowed = routes.allowedMethods(context.req.path)
    if (allowed.length === 0) return problemResponse(404, 'There is nothing at this path.')
    return problemResponse(405, `This path takes ${allowed.join(', ')}.`, [], { Allow: allowed.join(', ') })
  })
  app.onError(error => {
    if (error instanceof HttpProblem) return error.response()
    if (error instanceof QueryRefused) {
      return problemResponse(
        error.status,
        error.message,
        [],
        error.status === 503 ? { 'Retry-After': '1' } : {},
      )
    }
    if (error instanceof CommandsUnavailable) {
      return problemResponse(503, 'The edit was not decided in time. It may still be.', [], {
        'Retry-After': '1',
      })
    }
    console.error(error)
    return problemResponse(500, 'A fault of ours. It is in the log.')
  })
  return app
}

function documentRoutes(app: OpenAPIHono, routes: Routes): void {
  app.openAPIRegistry.registerComponent('securitySchemes', 'bearer', { type: 'http', scheme: 'bearer' })
  // Routes are fixed once the app stands, so the document is made once, at the first request for it.
  let document: ReturnType<OpenAPIHono['getOpenAPI31Document']> | null = null
  let text: string | null = null
  let page: string | null = null
  const read = () => {
    document ??= app.getOpenAPI31Document({
      openapi: '3.1.0',
      info: {
        title: 'Farthing',
        version: '1',
        description:
          'JSON, camelCase. Ids are opaque. Times are RFC 3339 in UTC with milliseconds. Money is an integer ' +
          '`...Micros`, millionths of the currency unit. Errors are RFC 9457 problem details.',
      },
      servers: [{ url: '/' }],
    })
    nameOperations(document.paths)
    return document
  }
  app.get('/openapi.json', context => {
    // A text of 100 KB: written out for each request, a few hundred of them kept everybody waiting for seconds.
    text ??= JSON.stringify(read())
    return context.body(text, 200, { 'Content-Type': 'application/json' })
  })
  app.get('/docs', context => {
    page ??= docsPage(read())
    return context.html(page, 200, {
      // The page has a style of its own and nothing else: no script runs even if a text slipped through.
      'Content-Security-Policy':
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'",
    })
  })
  routes.knows('get', '/openapi.json')
  routes.knows('get', '/docs')
}

/** `GET /v1/campaigns/{id}` as `getV1CampaignsId`: what programs made from the document call it. */
function nameOperations(paths: object = {}): void {
  for (const [path, operations] of Object.entries(paths)) {
    const words = path.match(/[a-z0-9]+/gi) ?? []
    const name = words.map(word => word[0]!.toUpperCase() + word.slice(1)).join('')
    for (const [method, operation] of Object.entries(operations as Record<string, object>))
      Object.assign(operation, { operationId: method + name })
  }
}

import type { OpenAPIHono } from '@hono/zod-openapi'
import type { z } from 'zod'
import { type Checked, check, scheduleFaults } from '../../campaigns/check-body.ts'
import { HttpProblem } from '../problem.ts'
import type { Principal } from './access.ts'
import * as answers from './answers.ts'
import { readJson } from './read-json.ts'
import { QueryReader } from './read-query.ts'

export interface ParameterDoc {
  readonly name: string
  readonly description: string
  readonly required?: boolean
}

/** One operation: what the document says of it, and what its handler may rely on. */
export interface RouteSpec {
  readonly method: 'get' | 'post' | 'patch' | 'delete'
  /** With parameters as `{id}`. */
  readonly path: string
  readonly tag: string
  readonly summary: string
  readonly description?: string
  /** Who may, for the document; the handler checks. */
  readonly roles: string
  readonly query?: readonly ParameterDoc[]
  readonly body?: z.ZodType
  readonly answer: {
    readonly status: 200 | 201 | 204
    readonly description: string
    readonly schema?: z.ZodType
  }
  /** Other forms of the answer. */
  readonly alsoAnswers?: readonly string[]
}

/** A request whose sender is known. */
export class Call {
  readonly principal: Principal
  readonly request: Request
  readonly query: QueryReader
  readonly method: string
  readonly path: string
  readonly #params: Readonly<Record<string, string>>
  readonly #bodyBytesMax: number

  constructor(
    principal: Principal,
    request: Request,
    query: QueryReader,
    params: Readonly<Record<string, string>>,
    bodyBytesMax: number,
  ) {
    this.principal = principal
    this.request = request
    this.query = query
    this.method = request.method
    this.path = new URL(request.url).pathname
    this.#params = params
    this.#bodyBytesMax = bodyBytesMax
  }

  param(name: string): string {
    return this.#params[name] ?? ''
  }

  /** The body as sent, once it passes the schema: what is logged is what was said. */
  async body(schema: z.ZodType): Promise<Record<string, unknown>> {
    const sent = await this.#json()
    const checked = check(schema, sent)
    const faults = scheduleFaults(sent)
    if (faults.length > 0) {
      throw malformed({
        ok: false,
        status: 400,
        errors: checked.ok ? faults : [...checked.errors, ...faults],
      })
    }
    if (!checked.ok) throw malformed(checked)
    return sent as Record<string, unknown>
  }

  /** A merge patch as sent. Whether its outcome is right is for the one who decides. */
  async patch(): Promise<Record<string, unknown>> {
    const sent = await this.#json()
    if (typeof sent !== 'object' || sent === null || Array.isArray(sent)) {
      throw new HttpProblem(400, 'A patch is a JSON object.', [{ path: '', message: 'must be an object' }])
    }
    const faults = scheduleFaults(sent)
    if (faults.length > 0) throw malformed({ ok: false, status: 400, errors: faults })
    return sent as Record<string, unknown>
  }

  /** For operations that take no body: nothing, or an empty object. */
  async noBody(): Promise<void> {
    const sent = await readJson(this.request, this.#bodyBytesMax)
    if (sent === undefined) return
    const keys = typeof sent === 'object' && sent !== null ? Object.keys(sent) : ['']
    if (keys.length > 0 || Array.isArray(sent)) {
      throw new HttpProblem(
        400,
        'This call takes no body.',
        keys.map(path => ({ path, message: 'unknown field' })),
      )
    }
  }

  async #json(): Promise<unknown> {
    const sent = await readJson(this.request, this.#bodyBytesMax)
    if (sent === undefined)
      throw new HttpProblem(400, 'The body is missing.', [{ path: '', message: 'is required' }])
    return sent
  }
}

function malformed(checked: Checked<unknown> & { ok: false }): HttpProblem {
  const detail =
    checked.status === 400 ? 'The body has fields that are not right.' : 'The body breaks a rule.'
  return new HttpProblem(checked.status, detail, checked.errors)
}

export type Handler = (call: Call) => Promise<Response>

/** Adds operations to the app and to its document together, so that neither lacks one. */
export class Routes {
  readonly #app: OpenAPIHono
  readonly #authenticate: (authorization: string | null) => Principal | null
  readonly #bodyBytesMax: number
  readonly #methods: { readonly pattern: RegExp; readonly method: string }[] = []

  constructor(
    app: OpenAPIHono,
    authenticate: (authorization: string | null) => Principal | null,
    bodyBytesMax: number,
  ) {
    this.#app = app
    this.#authenticate = authenticate
    this.#bodyBytesMax = bodyBytesMax
  }

  add(spec: RouteSpec, handler: Handler): void {
    this.#app.openAPIRegistry.registerPath(documented(spec))
    this.knows(spec.method, spec.path)
    const parameters = (spec.query ?? []).map(parameter => parameter.name)
    this.#app.on([spec.method.toUpperCase()], [spec.path.replaceAll(/\{(.+?)\}/g, ':$1')], context => {
      const principal = this.#principal(context.req.raw)
      const query = new QueryReader(context.req.url, parameters)
      if (parameters.length === 0) query.done()
      return handler(new Call(principal, context.req.raw, query, context.req.param(), this.#bodyBytesMax))
    })
  }

  /** A path that is served, here or by a plain handler: another method on it is 405. */
  knows(method: string, path: string): void {
    this.#methods.push({
      pattern: new RegExp(`^${path.replaceAll('.', '\\.').replaceAll(/\{(.+?)\}/g, '[^/]+')}$`),
      method: method.toUpperCase(),
    })
  }

  allowedMethods(path: string): readonly string[] {
    const methods = this.#methods.filter(route => route.pattern.test(path)).map(route => route.method)
    return [...new Set(methods.flatMap(method => (method === 'GET' ? ['GET', 'HEAD'] : [method])))]
  }

  #principal(request: Request): Principal {
    const principal = this.#authenticate(request.headers.get('authorization'))
    if (principal !== null) return principal
    throw new HttpProblem(401, 'Send a known key as `Authorization: Bearer KEY`.', [], {
      'WWW-Authenticate': 'Bearer',
    })
  }
}

const IDEMPOTENCY_KEY = {
  name: 'Idempotency-Key',
  in: 'header' as const,
  required: false,
  description:
    'The same key and body give the first answer again; with another body 409. Scoped to the account.',
  schema: { type: 'string' as const, minLength: 1, maxLength: 255 },
}

function documented(spec: RouteSpec) {
  const json = (schema: z.ZodType) => ({ 'application/json': { schema } })
  const parameter = (name: string, place: 'path' | 'query', required: boolean, description: string) => ({
    name,
    in: place,
    required,
    description,
    schema: { type: 'string' as const },
  })
  const inPath = [...spec.path.matchAll(/\{(.+?)\}/g)].map(match =>
    parameter(match[1]!, 'path', true, 'Opaque id'),
  )
  const inQuery = (spec.query ?? []).map(each =>
    parameter(each.name, 'query', each.required ?? false, each.description),
  )
  const { status, description, schema } = spec.answer
  const others = Object.fromEntries(
    (spec.alsoAnswers ?? []).map(type => [type, { schema: { type: 'string' as const } }]),
  )
  const faults = [
    401,
    403,
    ...(inPath.length > 0 || spec.body !== undefined || namesOther(spec) ? [404] : []),
    ...(spec.body === undefined && spec.method !== 'post' ? [] : [409, 413, 415, 422]),
  ]
  return {
    method: spec.method,
    path: spec.path,
    tags: [spec.tag],
    summary: spec.summary,
    description: [spec.description, `Roles: ${spec.roles}.`].filter(text => text !== undefined).join('\n\n'),
    security: [{ bearer: [] }],
    parameters: [...inPath, ...inQuery, ...(spec.method === 'post' ? [IDEMPOTENCY_KEY] : [])],
    ...(spec.body === undefined ? {} : { request: { body: { required: true, content: json(spec.body) } } }),
    responses: {
      [status]: {
        description,
        ...(schema === undefined ? {} : { content: { ...json(schema), ...others } }),
        ...(status === 201 ? { headers: { Location: LOCATION } } : {}),
      },
      ...Object.fromEntries(
        [400, ...faults, 503].map(fault => [
          fault,
          {
            description: FAULTS[fault]!,
            content: { 'application/problem+json': { schema: answers.problem } },
          },
        ]),
      ),
    },
  }
}

/** Whether its query refers to something that may not be there. */
function namesOther(spec: RouteSpec): boolean {
  return (spec.query ?? []).some(({ name }) => /(?:Id|_id)$/.test(name))
}

const LOCATION = { description: 'The path of what was made', schema: { type: 'string' as const } }

const FAULTS: Readonly<Record<number, string>> = {
  400: 'Malformed, wrong type or range, unknown field',
  401: 'No key, or one that is not known',
  403: 'This role may not',
  404: "Not there, or another account's",
  409: 'Conflict of state or idempotency',
  413: 'The body is too large',
  415: 'The body has a Content-Encoding',
  422: 'Well-formed, but a reference or rule refuses it',
  503: 'Not decided in time: try again after Retry-After',
}

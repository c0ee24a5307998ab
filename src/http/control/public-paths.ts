import type { OpenAPIHono } from '@hono/zod-openapi'
import { KEPT_BYTES_MAX } from '../../records/ingested.ts'

const text = { type: 'string' as const }
const integer = { type: 'integer' as const }
const object = { type: 'object' as const, additionalProperties: true }
const json = (schema: object) => ({ content: { 'application/json': { schema } } })
const query = (name: string, description: string, required = false) => ({
  name,
  in: 'query' as const,
  required,
  description,
  schema: text,
})

/** An object that has all of the first, and may come to have more. */
const holding = (
  properties: Readonly<Record<string, object>>,
  optional: Readonly<Record<string, object>> = {},
) => ({
  type: 'object' as const,
  required: Object.keys(properties),
  properties: { ...properties, ...optional },
})
const texts = (...names: string[]) => Object.fromEntries(names.map(name => [name, text]))

/** What is refused, in words; where a field is at fault, `errors` names it. */
const refusal = (description: string) => ({
  description,
  content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
})
const TOO_LARGE = refusal('The body is too large')
const NOT_GZIP = refusal('Packed otherwise than by gzip')

const SHOWN = texts('impressionId', 'campaignId', 'adId', 'impressionUrl', 'clickUrl')
const BID_RESPONSE = holding({
  ...texts('id', 'cur'),
  seatbid: {
    type: 'array',
    items: holding({
      seat: text,
      bid: {
        type: 'array',
        items: holding(
          {
            ...texts('id', 'impid', 'adm', 'burl', 'crid', 'cid'),
            price: { type: 'number', description: 'CPM, gross' },
            w: integer,
            h: integer,
            mtype: { ...integer, description: '1: banner' },
            adomain: { type: 'array', items: text },
            exp: { ...integer, description: 'Seconds until an impression of it no longer counts' },
            ext: holding({ farthing: holding(SHOWN) }),
          },
          { cat: { type: 'array', items: text }, attr: { type: 'array', items: integer } },
        ),
      },
    }),
  },
})

const BID_REQUEST = {
  id: 'request-1',
  imp: [{ id: '1', tagid: 'plc_7e', banner: { format: [{ w: 728, h: 90 }] }, bidfloor: 0.5 }],
  site: { domain: 'example.com', page: 'https://example.com/' },
  device: {
    ua: 'Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0',
    ip: '81.2.69.142',
  },
}

const event = (id: string) => ({
  type: 'object' as const,
  additionalProperties: true,
  required: [id, 'ad_id', 'timestamp'],
  example: { [id]: 'event-1', ad_id: 'ad_7i', timestamp: '2026-11-01T12:00:00.000Z' },
  properties: Object.fromEntries(
    [
      id,
      'ad_id',
      'advertiser_id',
      'user_id',
      'timestamp',
      'ip',
      'user_agent',
      'region',
      'country',
      'device_type',
      'placement_id',
    ].map(name => [name, text]),
  ),
})

/** Operations that the serving and tracking side answers: described here, so that there is one document. */
export function describePublicPaths(app: OpenAPIHono): void {
  const registry = app.openAPIRegistry
  const served = (tag: string) => ({ tags: [tag], security: [] })

  registry.registerPath({
    ...served('Serving'),
    method: 'post',
    path: '/openrtb2/auction',
    summary: 'Ask for bids',
    description:
      'OpenRTB 2.6, gzip accepted. Unknown fields are ignored. Prices are decimal CPM. Several impressions of one ' +
      'request get different campaigns, of different advertiser domains.',
    request: {
      body: { required: true, ...json({ ...object, description: 'BidRequest', example: BID_REQUEST }) },
    },
    responses: {
      200: { description: 'BidResponse', ...json(BID_RESPONSE) },
      204: { description: 'No bid' },
      400: refusal('The request breaks the standard'),
      413: TOO_LARGE,
      415: NOT_GZIP,
    },
  })
  registry.registerPath({
    ...served('Serving'),
    method: 'get',
    path: '/serve',
    summary: 'An ad for a placement',
    parameters: [
      query('placement', 'Placement id', true),
      query('page', 'URL of the page'),
      query('user', 'User id, for the frequency cap'),
      query('format', '`json` for JSON; by default HTML for a frame'),
    ],
    responses: {
      200: {
        description: 'The ad',
        content: {
          'text/html': { schema: text },
          'application/json': { schema: holding({ ...SHOWN, adm: text, w: integer, h: integer }) },
        },
      },
      204: { description: 'No ad' },
      404: refusal('Unknown placement'),
    },
  })
  registry.registerPath({
    ...served('Serving'),
    method: 'get',
    path: '/tag.js',
    summary: 'The tag of a page',
    description: 'Fills each `<ins class="farthing" data-placement="ID"></ins>`.',
    responses: { 200: { description: 'JavaScript', content: { 'text/javascript': { schema: text } } } },
  })
  registry.registerPath({
    ...served('Tracking'),
    method: 'get',
    path: '/i',
    summary: 'Count an impression',
    parameters: [query('t', 'Token')],
    responses: { 200: { description: 'Always a 1x1 GIF', content: { 'image/gif': { schema: text } } } },
  })
  registry.registerPath({
    ...served('Tracking'),
    method: 'get',
    path: '/click',
    summary: 'Count a click and go to the landing page',
    parameters: [query('t', 'Token'), query('adId', 'Without a token: counted apart, never billed')],
    responses: {
      302: { description: 'To the landing page' },
      400: refusal('A forged or broken token'),
      404: refusal('No such ad'),
    },
  })
  for (const kind of ['click', 'impression'] as const) {
    const id = `${kind}_id`
    registry.registerPath({
      tags: ['Tracking'],
      security: [{ bearer: [] }],
      method: 'post',
      path: `/events/${kind}`,
      summary: `Report ${kind}s from a server`,
      description: `One event or up to 1,000. \`metadata\` and fields without a name here are kept with the event: at most ${KEPT_BYTES_MAX} bytes of JSON, more is refused as \`tooLarge\`. An impression that was chosen here is counted by its own addresses: its id, which landing pages get for \`\${CLICK_ID}\`, is refused as \`conflict\`. Roles: ingest, admin.`,
      request: {
        body: {
          required: true,
          ...json({ oneOf: [event(id), { type: 'array', maxItems: 1000, items: event(id) }] }),
        },
      },
      responses: {
        202: {
          description: 'Durable',
          ...json(
            holding({
              accepted: integer,
              refused: {
                type: 'array',
                items: holding({
                  index: integer,
                  [id]: { type: ['string', 'null'] as const, description: 'null where it was no text' },
                  code: {
                    ...text,
                    description: '`invalid`, `expired`, `future`, `unknownAd`, `conflict`, `tooLarge`',
                  },
                  message: { ...text, description: 'Names the field' },
                }),
              },
            }),
          ),
        },
        400: refusal('A single bad event, an empty array, or more than 1,000 events'),
        401: refusal('No key, or one that is not known'),
        403: refusal('Not a key that may report events'),
        413: TOO_LARGE,
        415: NOT_GZIP,
        503: refusal('The log does not take events now: send them again after Retry-After'),
      },
    })
  }
  describeHealth(app)
}

function describeHealth(app: OpenAPIHono): void {
  const health = (path: string, summary: string, responses: object) =>
    app.openAPIRegistry.registerPath({
      tags: ['Health'],
      security: [],
      method: 'get',
      path,
      summary,
      responses: responses as Parameters<typeof app.openAPIRegistry.registerPath>[0]['responses'],
    })
  const ready = json(holding({ status: text, problem: { type: ['string', 'null'] } }))
  health('/livez', 'Whether the process answers', {
    200: { description: 'It does', ...json(holding({ status: text })) },
  })
  health('/readyz', 'Whether it can serve and record', {
    200: { description: 'It can', ...ready },
    503: { description: 'It cannot: `problem` says why', ...ready },
  })
  health('/metrics', 'Figures for Prometheus', {
    200: { description: 'In its text format', content: { 'text/plain': { schema: text } } },
  })
}

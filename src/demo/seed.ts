import { ADVERTISERS, dollars, type Plan, PUBLISHERS, plans, type Size } from './plans.ts'

/** What the demonstration has: who pays, what is shown, and where. */
export interface Seeded {
  readonly placements: readonly SeededPlacement[]
  /** Those of this start. */
  readonly campaigns: ReadonlySet<string>
}

export interface SeededPlacement {
  readonly id: string
  readonly domain: string
  readonly w: number
  readonly h: number
}

export interface Api {
  readonly url: string
  readonly adminKey: string
}

/** Reads the answer of the control API, whatever it holds. */
export async function callApi(
  api: Api,
  method: 'GET' | 'POST' | 'PATCH',
  path: string,
  body?: object,
): Promise<Record<string, unknown>> {
  const answer = await fetch(`${api.url}${path}`, {
    method,
    headers: { Authorization: `Bearer ${api.adminKey}`, 'Content-Type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const text = await answer.text()
  if (!answer.ok) throw new Error(`${path} answered ${answer.status}: ${text}`)
  return JSON.parse(text) as Record<string, unknown>
}

/**
 * Makes it all over HTTP, as an operator would. On books of an earlier start, accounts and placements are used again,
 * with new money; its own earlier campaigns are archived, so that what is to run dry does so once more.
 */
export async function seed(api: Api): Promise<Seeded> {
  const placements = await seedPlacements(api)
  const advertisers = new Map<string, string>()
  const known = await idsByName(api, '/v1/advertisers')
  for (const [key, { name, deposit }] of Object.entries(ADVERTISERS)) {
    const id = known.get(name) ?? (await make(api, '/v1/advertisers', { name, verified: true }))
    await callApi(api, 'POST', `/v1/advertisers/${id}/deposits`, { amountMicros: dollars(deposit) })
    advertisers.set(key, id)
  }
  const earlier = await idsByName(api, '/v1/campaigns')
  const campaigns = new Set<string>()
  for (const plan of plans()) {
    const before = earlier.get(plan.name)
    if (before !== undefined) await callApi(api, 'PATCH', `/v1/campaigns/${before}`, { archived: true })
    const id = await make(api, '/v1/campaigns', {
      advertiserId: advertisers.get(plan.of),
      name: plan.name,
      bid: { model: plan.model, amountMicros: dollars(plan.price) },
      ads: plan.sizes.map(size => adOf(plan, size)),
      ...plan.more,
    })
    if (plan.paused) await callApi(api, 'POST', `/v1/campaigns/${id}/pause`)
    campaigns.add(id)
  }
  return { placements, campaigns }
}

async function seedPlacements(api: Api): Promise<SeededPlacement[]> {
  const placements: SeededPlacement[] = []
  const publishers = await idsByName(api, '/v1/publishers')
  const known = await idsByName(api, '/v1/placements')
  for (const { slots, ...publisher } of PUBLISHERS) {
    const publisherId = publishers.get(publisher.name) ?? (await make(api, '/v1/publishers', publisher))
    for (const [slot, [w, h]] of slots) {
      const name = `${publisher.name}: ${slot}`
      const floorCpmMicros = dollars(0.2)
      const body = { publisherId, name, format: { w, h }, floorCpmMicros }
      const id = known.get(name) ?? (await make(api, '/v1/placements', body))
      placements.push({ id, domain: publisher.domain, w, h })
    }
  }
  return placements
}

async function make(api: Api, path: string, body: object): Promise<string> {
  return String((await callApi(api, 'POST', path, body))['id'])
}

/** What an earlier start made and is not archived. */
async function idsByName(api: Api, path: string): Promise<Map<string, string>> {
  const ids = new Map<string, string>()
  let cursor: unknown = ''
  do {
    const page = await callApi(api, 'GET', `${path}?limit=200${cursor === '' ? '' : `&cursor=${cursor}`}`)
    for (const { id, name, archived } of page['items'] as {
      id: string
      name: string
      archived?: boolean
    }[]) {
      if (archived !== true) ids.set(name, id)
    }
    cursor = page['nextCursor']
  } while (cursor !== null)
  return ids
}

/** Landing pages are on a domain that is there for examples; the advertiser's own domain stands in `adomain`. */
function adOf({ of, name, model }: Plan, [w, h]: Size): object {
  const { domain, name: advertiser, colour } = ADVERTISERS[of]
  const title = advertiser.toLowerCase().replaceAll(' ', '-')
  // Needs nothing from outside: pages that show the ad stay as they are without a network.
  const html =
    `<a href="\${CLICK_URL}" target="_blank" style="display:flex;flex-direction:column;justify-content:center;` +
    `box-sizing:border-box;width:${w}px;height:${h}px;padding:8px;font:600 ${h < 60 ? 13 : 17}px system-ui,sans-serif;` +
    `background:${colour};color:#fff;text-align:center;text-decoration:none">${advertiser}` +
    `<span style="font-weight:400;font-size:12px">${name.split(/[,:]/)[0]}, ${model}</span></a>`
  return {
    name: `${name} ${w}x${h}`,
    landingUrl: `https://example.com/${title}?click=\${CLICK_ID}`,
    adomain: [domain],
    creative: { kind: 'html', w, h, html },
  }
}

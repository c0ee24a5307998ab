import { ADVERTISERS, dollars, type Plan, PUBLISHERS, plans, type Size } from './plans.ts'

/** What the demonstration has: who pays, what is shown, and where. */
export interface Seeded {
  readonly placements: readonly SeededPlacement[]
  /** Names of campaigns by id, in the order in which the screen lists them. */
  readonly campaigns: ReadonlyMap<string, string>
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
export async function callApi(api: Api, path: string, body?: object): Promise<Record<string, unknown>> {
  const answer = await fetch(`${api.url}${path}`, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { Authorization: `Bearer ${api.adminKey}`, 'Content-Type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const text = await answer.text()
  if (!answer.ok) throw new Error(`${path} answered ${answer.status}: ${text}`)
  return JSON.parse(text) as Record<string, unknown>
}

async function make(api: Api, path: string, body: object): Promise<string> {
  return String((await callApi(api, path, body))['id'])
}

/** Makes it all over HTTP, as an operator would. */
export async function seed(api: Api): Promise<Seeded> {
  const placements: SeededPlacement[] = []
  for (const { slots, ...publisher } of PUBLISHERS) {
    const publisherId = await make(api, '/v1/publishers', publisher)
    for (const [name, [w, h]] of slots) {
      const id = await make(api, '/v1/placements', {
        publisherId,
        name,
        format: { w, h },
        floorCpmMicros: dollars(0.2),
      })
      placements.push({ id, domain: publisher.domain, w, h })
    }
  }
  const advertisers = new Map<string, string>()
  for (const [key, { name, deposit }] of Object.entries(ADVERTISERS)) {
    const id = await make(api, '/v1/advertisers', { name, verified: true })
    await callApi(api, `/v1/advertisers/${id}/deposits`, { amountMicros: dollars(deposit) })
    advertisers.set(key, id)
  }
  const campaigns = new Map<string, string>()
  for (const plan of plans()) {
    const id = await make(api, '/v1/campaigns', {
      advertiserId: advertisers.get(plan.of),
      name: plan.name,
      bid: { model: plan.model, amountMicros: dollars(plan.price) },
      ads: plan.sizes.map(size => adOf(plan, size)),
      ...plan.more,
    })
    if (plan.paused) await post(api, `/v1/campaigns/${id}/pause`)
    campaigns.set(id, plan.name)
  }
  return { placements, campaigns }
}

async function post(api: Api, path: string): Promise<void> {
  const answer = await fetch(`${api.url}${path}`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${api.adminKey}` },
  })
  if (!answer.ok) throw new Error(`${path} answered ${answer.status}: ${await answer.text()}`)
}

function adOf({ of, name }: Plan, [w, h]: Size): object {
  const { domain } = ADVERTISERS[of]
  // Needs nothing from outside: pages that show the ad stay as they are without a network.
  const html = `<a href="\${CLICK_URL}" target="_blank" style="display:block;width:${w}px;height:${h}px;font:14px sans-serif;background:#2f6f5e;color:#fff">${name}</a>`
  return {
    name: `${name} ${w}x${h}`,
    landingUrl: `https://www.${domain}/?click=\${CLICK_ID}`,
    creative: { kind: 'html', w, h, html },
  }
}

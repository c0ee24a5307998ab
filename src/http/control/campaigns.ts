import { isObject } from '../../campaigns/check-body.ts'
import * as bodies from '../../campaigns/edit-schemas.ts'
import { parseId } from '../../core/ids.ts'
import { HttpProblem } from '../problem.ts'
import { notThere, readScope, type Scope, writeScope } from './access.ts'
import { PAGE_QUERY } from './accounts.ts'
import * as answers from './answers.ts'
import type { ControlDeps } from './deps.ts'
import { type Found, findEntity, listPage, requireAccount, requirePlacements } from './entities.ts'
import type { Routes } from './routes.ts'
import { created, json, submit } from './submit.ts'

const tag = 'Campaigns'
const EDITS = 'admin; advertiser its own'
const READS = 'admin; advertiser and reader their own'

export function campaignRoutes(routes: Routes, deps: ControlDeps): void {
  routes.add(
    {
      method: 'post',
      path: '/v1/campaigns',
      tag,
      summary: 'Make a campaign with its ads',
      roles: EDITS,
      body: bodies.campaignBody,
      answer: { status: 201, description: 'The campaign', schema: answers.campaign },
    },
    async call => {
      const scope = writeScope(call.principal, 'advertiser')
      const body = await call.body(bodies.campaignBody)
      await requireAccount(deps, scope, 'advertiser', 'advertiserId', body['advertiserId'])
      await requirePlacements(deps, body)
      const { body: campaign } = await submit(deps, call, { name: 'createCampaign', target: null, body })
      return created(campaign, `/v1/campaigns/${campaign['id']}`)
    },
  )
  routes.add(
    {
      method: 'get',
      path: '/v1/campaigns',
      tag,
      summary: 'List campaigns',
      roles: READS,
      query: [...PAGE_QUERY, { name: 'advertiserId', description: 'Of this advertiser only' }],
      answer: { status: 200, description: 'A page of campaigns', schema: answers.pageOf(answers.campaign) },
    },
    async call => {
      const scope = readScope(call.principal, 'advertiser')
      return json(
        200,
        await listPage(deps, call, 'campaign', scope, { kind: 'advertiser', name: 'advertiserId' }),
      )
    },
  )
  routes.add(
    {
      method: 'get',
      path: '/v1/campaigns/{id}',
      tag,
      summary: 'Read a campaign with its money',
      roles: READS,
      answer: { status: 200, description: 'The campaign', schema: answers.campaign },
    },
    async call => {
      const scope = readScope(call.principal, 'advertiser')
      return json(200, (await findEntity(deps, 'campaign', call.param('id'), scope)).entity)
    },
  )
  routes.add(
    {
      method: 'patch',
      path: '/v1/campaigns/{id}',
      tag,
      summary: 'Change a campaign',
      description:
        'RFC 7396: what is left out stays, null resets to the default. `archived: true` ends it for good. ' +
        'Ads have calls of their own.',
      roles: EDITS,
      body: answers.patchOf(bodies.campaignState),
      answer: { status: 200, description: 'The campaign', schema: answers.campaign },
    },
    async call => {
      const scope = writeScope(call.principal, 'advertiser')
      const found = await findEntity(deps, 'campaign', call.param('id'), scope)
      const body = await call.patch()
      await requirePlacements(deps, body)
      const outcome = await submit(deps, call, { name: 'patchCampaign', target: found.number, body })
      return json(outcome.status, outcome.body)
    },
  )
  for (const [action, name, summary] of [
    ['pause', 'pauseCampaign', 'Stop a campaign from being chosen'],
    ['resume', 'resumeCampaign', 'Let a paused campaign be chosen again'],
  ] as const) {
    routes.add(
      {
        method: 'post',
        path: `/v1/campaigns/{id}/${action}`,
        tag,
        summary,
        roles: EDITS,
        answer: { status: 200, description: 'The campaign', schema: answers.campaign },
      },
      async call => {
        const scope = writeScope(call.principal, 'advertiser')
        const found = await findEntity(deps, 'campaign', call.param('id'), scope)
        await call.noBody()
        const outcome = await submit(deps, call, { name, target: found.number, body: null })
        return json(outcome.status, outcome.body)
      },
    )
  }
  routes.add(
    {
      method: 'get',
      path: '/v1/campaigns/{id}/history',
      tag,
      summary: 'Who changed the campaign, what and when',
      roles: READS,
      query: PAGE_QUERY,
      answer: { status: 200, description: 'A page of changes', schema: answers.pageOf(answers.change) },
    },
    async call => {
      const scope = readScope(call.principal, 'advertiser')
      const { limit, cursor } = call.query.page()
      call.query.done()
      const found = await findEntity(deps, 'campaign', call.param('id'), scope)
      return json(200, await deps.queries.history('campaign', found.number, limit, cursor))
    },
  )
  routes.add(
    {
      method: 'get',
      path: '/v1/campaigns/{id}/explain',
      tag,
      summary: 'Why it serves or does not',
      roles: READS,
      answer: { status: 200, description: 'The reasons', schema: answers.explanation },
    },
    async call => {
      const scope = readScope(call.principal, 'advertiser')
      const found = await findEntity(deps, 'campaign', call.param('id'), scope)
      return json(200, await deps.explain(found.id))
    },
  )
  adRoutes(routes, deps)
}

function adRoutes(routes: Routes, deps: ControlDeps): void {
  routes.add(
    {
      method: 'post',
      path: '/v1/campaigns/{id}/ads',
      tag,
      summary: 'Add an ad',
      roles: EDITS,
      body: bodies.adBody,
      answer: { status: 201, description: 'The ad', schema: answers.ad },
    },
    async call => {
      const scope = writeScope(call.principal, 'advertiser')
      const found = await findEntity(deps, 'campaign', call.param('id'), scope)
      const body = await call.body(bodies.adBody)
      const outcome = await submit(deps, call, { name: 'addAd', target: found.number, body })
      const ad = adsOf(outcome.body).at(-1) ?? outcome.body
      return created(ad, `/v1/ads/${ad['id']}`)
    },
  )
  const list = async (found: Found, limit: number, cursor: string | null) => {
    const ads = adsOf(found.entity)
    // A cursor is the id of the last ad before: ads keep their order and are never taken out.
    const start = cursor === null ? 0 : ads.findIndex(ad => ad['id'] === cursor) + 1
    if (cursor !== null && start === 0) throw wrongCursor()
    const items = ads.slice(start, start + limit)
    return json(200, { items, nextCursor: start + limit < ads.length ? String(items.at(-1)!['id']) : null })
  }
  routes.add(
    {
      method: 'get',
      path: '/v1/campaigns/{id}/ads',
      tag,
      summary: 'List the ads of a campaign',
      roles: READS,
      query: PAGE_QUERY,
      answer: { status: 200, description: 'A page of ads', schema: answers.pageOf(answers.ad) },
    },
    async call => {
      const scope = readScope(call.principal, 'advertiser')
      const { limit, cursor } = call.query.page('ad')
      call.query.done()
      return list(await findEntity(deps, 'campaign', call.param('id'), scope), limit, cursor)
    },
  )
  routes.add(
    {
      method: 'get',
      path: '/v1/ads',
      tag,
      summary: 'List ads',
      roles: READS,
      query: [...PAGE_QUERY, { name: 'campaignId', description: 'Of this campaign only' }],
      answer: { status: 200, description: 'A page of ads', schema: answers.pageOf(answers.ad) },
    },
    async call => {
      const scope = readScope(call.principal, 'advertiser')
      const { limit, cursor } = call.query.page('ad')
      const campaignId = call.query.text('campaignId', 40)
      call.query.done()
      if (campaignId === null) return json(200, await listAds(deps, scope, limit, cursor))
      return list(await findEntity(deps, 'campaign', campaignId, scope), limit, cursor)
    },
  )
  routes.add(
    {
      method: 'get',
      path: '/v1/ads/{id}',
      tag,
      summary: 'Read an ad',
      roles: READS,
      answer: { status: 200, description: 'The ad', schema: answers.ad },
    },
    async call => {
      const { ad } = await findAd(deps, call.param('id'), readScope(call.principal, 'advertiser'))
      return json(200, ad)
    },
  )
  routes.add(
    {
      method: 'patch',
      path: '/v1/ads/{id}',
      tag,
      summary: 'Change an ad',
      description: 'RFC 7396. `status` is active, paused or archived; an archived ad is not edited any more.',
      roles: EDITS,
      body: answers.patchOf(bodies.adState),
      answer: { status: 200, description: 'The ad', schema: answers.ad },
    },
    async call => {
      const adId = call.param('id')
      const { campaign } = await findAd(deps, adId, writeScope(call.principal, 'advertiser'))
      const body = { adId, patch: await call.patch() }
      const outcome = await submit(deps, call, { name: 'patchAd', target: campaign.number, body })
      return json(outcome.status, adsOf(outcome.body).find(ad => ad['id'] === adId) ?? outcome.body)
    },
  )
}

/** Campaigns are large: so many are read at once. */
const CAMPAIGNS_READ = 20

/** Ads of all campaigns in scope. The cursor is the last ad before: its campaign goes on from there. */
async function listAds(deps: ControlDeps, scope: Scope, limit: number, cursor: string | null) {
  const ads: Record<string, unknown>[] = []
  let after: string | null = null
  if (cursor !== null) {
    const { campaign } = await findAd(deps, cursor, scope).catch(error => {
      throw error instanceof HttpProblem ? wrongCursor() : error
    })
    const ofCampaign = adsOf(campaign.entity)
    ads.push(...ofCampaign.slice(ofCampaign.findIndex(ad => ad['id'] === cursor) + 1))
    after = String(campaign.number)
  }
  const owner = scope.kind === 'all' ? null : scope.number
  while (ads.length <= limit) {
    const page = await deps.queries.list('campaign', { owner }, CAMPAIGNS_READ, after)
    for (const campaign of page.items) if (isObject(campaign)) ads.push(...adsOf(campaign))
    after = page.nextCursor
    if (after === null) break
  }
  return { items: ads.slice(0, limit), nextCursor: ads.length > limit ? ads[limit - 1]!['id'] : null }
}

function wrongCursor(): HttpProblem {
  return new HttpProblem(400, 'The query has parameters that are not right.', [
    { path: 'cursor', message: 'must be a nextCursor of this list' },
  ])
}

/** An ad that is there and in scope, with its campaign; else 404. */
export async function findAd(
  deps: ControlDeps,
  id: string,
  scope: Scope,
): Promise<{ number: number; ad: Record<string, unknown>; campaign: Found }> {
  const number = parseId('ad', id)
  const campaignNumber = number === null ? null : await deps.campaignOfAd(number)
  if (number === null || campaignNumber === null) throw notThere('ad')
  const entity = await deps.queries.entity('campaign', campaignNumber)
  const advertiserId = isObject(entity) ? entity['advertiserId'] : undefined
  if (!isObject(entity) || (scope.kind !== 'all' && scope.account !== advertiserId)) throw notThere('ad')
  const ad = adsOf(entity).find(candidate => candidate['id'] === id)
  if (ad === undefined) throw notThere('ad')
  return { number, ad, campaign: { id: String(entity['id']), number: campaignNumber, entity } }
}

function adsOf(campaign: Record<string, unknown>): readonly Record<string, unknown>[] {
  const ads = campaign['ads']
  if (!Array.isArray(ads)) return []
  return ads.filter(isObject).map(ad => ({ ...ad, campaignId: campaign['id'] }))
}

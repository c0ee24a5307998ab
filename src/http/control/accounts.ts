import * as bodies from '../../campaigns/edit-schemas.ts'
import { parseId } from '../../core/ids.ts'
import { adminOnly, notThere, readScope, writeScope } from './access.ts'
import * as answers from './answers.ts'
import type { ControlDeps } from './deps.ts'
import { findEntity, listPage, lookUp, noReference, requireAccount } from './entities.ts'
import type { Routes } from './routes.ts'
import { created, json, submit } from './submit.ts'

export const PAGE_QUERY = [
  { name: 'limit', description: '1 to 200, by default 50; pages of long items have fewer' },
  { name: 'cursor', description: 'The nextCursor of the page before' },
]
const KEYS = 'Keys'
const ACCOUNTS = 'Accounts and inventory'

export function keyRoutes(routes: Routes, deps: ControlDeps): void {
  routes.add(
    {
      method: 'post',
      path: '/v1/keys',
      tag: KEYS,
      summary: 'Make a key',
      description:
        'The key is shown once; a repeat under the same Idempotency-Key has `key: null`. ' +
        'Advertiser and publisher keys need the `accountId` of theirs. An ingest key with one reports events of that ' +
        "advertiser's ads, without one of all; a reader's key reads what its account may read, without one all.",
      roles: 'admin',
      body: bodies.keyBody,
      answer: { status: 201, description: 'The key', schema: answers.newKey },
    },
    async call => {
      adminOnly(call.principal)
      const said = await call.body(bodies.keyBody)
      const accountId = said['accountId']
      if (typeof accountId === 'string') {
        const kind = accountId.startsWith('adv_') ? 'advertiser' : 'publisher'
        if ((await lookUp(deps, kind, accountId)) === null) throw noReference('accountId', 'account')
      }
      const { secret, hash } = deps.newKeySecret()
      const body = { ...said, secretHash: hash }
      const outcome = await submit(deps, call, { name: 'createKey', target: null, body, said })
      const { secretHash: _, ...key } = outcome.body
      return created({ ...key, key: outcome.replayed ? null : secret }, `/v1/keys/${key['id']}`)
    },
  )
  routes.add(
    {
      method: 'get',
      path: '/v1/keys',
      tag: KEYS,
      summary: 'List keys',
      roles: 'admin',
      query: PAGE_QUERY,
      answer: { status: 200, description: 'Keys without their secrets', schema: answers.pageOf(answers.key) },
    },
    async call => {
      adminOnly(call.principal)
      return json(200, await listPage(deps, call, 'key', { kind: 'all' }, null))
    },
  )
  routes.add(
    {
      method: 'get',
      path: '/v1/keys/{id}',
      tag: KEYS,
      summary: 'Read a key',
      roles: 'admin',
      answer: { status: 200, description: 'The key without its secret', schema: answers.key },
    },
    async call => {
      adminOnly(call.principal)
      const found = await lookUp(deps, 'key', call.param('id'))
      if (found === null) throw notThere('key')
      return json(200, found.entity)
    },
  )
  routes.add(
    {
      method: 'delete',
      path: '/v1/keys/{id}',
      tag: KEYS,
      summary: 'Revoke a key',
      roles: 'admin',
      answer: { status: 204, description: 'It opens nothing any more' },
    },
    async call => {
      adminOnly(call.principal)
      const found = await lookUp(deps, 'key', call.param('id'))
      if (found === null) throw notThere('key')
      await submit(deps, call, { name: 'deleteKey', target: found.number, body: null })
      return new Response(null, { status: 204 })
    },
  )
}

const TABLES = [
  {
    table: 'advertiser',
    path: '/v1/advertisers',
    create: 'createAdvertiser',
    patch: 'patchAdvertiser',
    owner: 'advertiser',
    ownerField: null,
    edits: 'admin',
    reads: 'admin; advertiser and reader their own',
    body: bodies.advertiserBody,
    state: bodies.advertiserState,
    answer: answers.advertiser,
  },
  {
    table: 'publisher',
    path: '/v1/publishers',
    create: 'createPublisher',
    patch: 'patchPublisher',
    owner: 'publisher',
    ownerField: null,
    edits: 'admin',
    reads: 'admin; publisher and reader their own',
    body: bodies.publisherBody,
    state: bodies.publisherBody,
    answer: answers.publisher,
  },
  {
    table: 'placement',
    path: '/v1/placements',
    create: 'createPlacement',
    patch: 'patchPlacement',
    owner: 'publisher',
    ownerField: 'publisherId',
    edits: 'admin; publisher its own',
    reads: 'admin; publisher and reader their own',
    body: bodies.placementBody,
    state: bodies.placementState,
    answer: answers.placement,
  },
] as const

export function accountRoutes(routes: Routes, deps: ControlDeps): void {
  for (const { table, path, create, patch, owner, ownerField, edits, reads, body, state, answer } of TABLES) {
    const tag = ACCOUNTS
    // Accounts themselves are the admin's to edit; placements are their publisher's too.
    const editors = ownerField === null ? [] : [owner]
    routes.add(
      {
        method: 'post',
        path,
        tag,
        summary: `Make ${table === 'advertiser' ? 'an' : 'a'} ${table}`,
        roles: edits,
        body,
        answer: { status: 201, description: `The ${table}`, schema: answer },
      },
      async call => {
        const scope = writeScope(call.principal, ...editors)
        const sent = await call.body(body)
        if (ownerField !== null) await requireAccount(deps, scope, owner, ownerField, sent[ownerField])
        const { body: made } = await submit(deps, call, { name: create, target: null, body: sent })
        return created(made, `${path}/${made['id']}`)
      },
    )
    routes.add(
      {
        method: 'get',
        path,
        tag,
        summary: `List ${table}s`,
        roles: reads,
        query: [
          ...PAGE_QUERY,
          ...(ownerField === null ? [] : [{ name: ownerField, description: `Of this ${owner} only` }]),
        ],
        answer: { status: 200, description: `A page of ${table}s`, schema: answers.pageOf(answer) },
      },
      async call => {
        const scope = readScope(call.principal, owner)
        const filter = ownerField === null ? null : { kind: owner, name: ownerField }
        return json(200, await listPage(deps, call, table, scope, filter))
      },
    )
    routes.add(
      {
        method: 'get',
        path: `${path}/{id}`,
        tag,
        summary: `Read ${table === 'advertiser' ? 'an' : 'a'} ${table}`,
        roles: reads,
        answer: { status: 200, description: `The ${table}`, schema: answer },
      },
      async call =>
        json(200, (await findEntity(deps, table, call.param('id'), readScope(call.principal, owner))).entity),
    )
    routes.add(
      {
        method: 'patch',
        path: `${path}/{id}`,
        tag,
        summary: `Change ${table === 'advertiser' ? 'an' : 'a'} ${table}`,
        description: 'RFC 7396: what is left out stays, null resets to the default.',
        roles: edits,
        body: answers.patchOf(state),
        answer: { status: 200, description: `The ${table}`, schema: answer },
      },
      async call => {
        const found = await findEntity(deps, table, call.param('id'), writeScope(call.principal, ...editors))
        const outcome = await submit(deps, call, {
          name: patch,
          target: found.number,
          body: await call.patch(),
        })
        return json(outcome.status, outcome.body)
      },
    )
    routes.add(
      {
        method: 'get',
        path: `${path}/{id}/history`,
        tag,
        summary: `Who changed the ${table}, what and when`,
        roles: reads,
        query: PAGE_QUERY,
        answer: { status: 200, description: 'A page of changes', schema: answers.pageOf(answers.change) },
      },
      async call => {
        const scope = readScope(call.principal, owner)
        const { limit, cursor } = call.query.page()
        call.query.done()
        const found = await findEntity(deps, table, call.param('id'), scope)
        return json(200, await deps.queries.history(table, found.number, limit, cursor))
      },
    )
  }
  depositRoutes(routes, deps)
}

function depositRoutes(routes: Routes, deps: ControlDeps): void {
  const path = '/v1/advertisers/{id}/deposits'
  routes.add(
    {
      method: 'get',
      path,
      tag: ACCOUNTS,
      summary: 'What was paid in, oldest first',
      roles: 'admin; advertiser and reader their own',
      query: PAGE_QUERY,
      answer: { status: 200, description: 'A page of deposits', schema: answers.pageOf(answers.deposit) },
    },
    async call => {
      const { limit, cursor } = call.query.page()
      call.query.done()
      const found = await findEntity(
        deps,
        'advertiser',
        call.param('id'),
        readScope(call.principal, 'advertiser'),
      )
      return json(200, await deps.queries.deposits(found.number, limit, cursor))
    },
  )
  routes.add(
    {
      method: 'get',
      path: `${path}/{depositId}`,
      tag: ACCOUNTS,
      summary: 'One deposit',
      roles: 'admin; advertiser and reader their own',
      answer: { status: 200, description: 'The deposit', schema: answers.deposit },
    },
    async call => {
      call.query.done()
      const scope = readScope(call.principal, 'advertiser')
      const found = await findEntity(deps, 'advertiser', call.param('id'), scope)
      const id = call.param('depositId')
      const number = parseId('deposit', id)
      // The first behind the number before it: the list's index finds it.
      const page = number === null ? null : await deps.queries.deposits(found.number, 1, String(number - 1))
      const deposit = answers.deposit.safeParse(page?.items[0]).data
      if (deposit?.id !== id) throw notThere('deposit')
      return json(200, deposit)
    },
  )
  routes.add(
    {
      method: 'post',
      path,
      tag: ACCOUNTS,
      summary: 'Pay money in',
      roles: 'admin',
      body: bodies.depositBody,
      answer: { status: 201, description: 'The deposit', schema: answers.newDeposit },
    },
    async call => {
      adminOnly(call.principal)
      const found = await findEntity(deps, 'advertiser', call.param('id'), { kind: 'all' })
      const body = await call.body(bodies.depositBody)
      const { body: deposit } = await submit(deps, call, { name: 'deposit', target: found.number, body })
      return created(deposit, `/v1/advertisers/${found.id}/deposits/${deposit['id']}`)
    },
  )
}

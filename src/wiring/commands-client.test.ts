import { expect, test } from 'bun:test'
import { MemoryLog } from '../adapters/memory/log.ts'
import { CommandsUnavailable } from '../ports/control.ts'
import type { Command } from '../records/events.ts'
import { CommandsClient } from './commands-client.ts'

const WAITING_MAX = 10_000
const NOW = Date.UTC(2026, 10, 1)

const command = (requestId: string): Command => ({
  requestId,
  actor: { keyId: 'key_1', role: 'admin', accountId: null },
  at: NOW,
  name: 'createAdvertiser',
  home: 0,
  target: null,
  body: { name: 'A' },
})

test('more edits than may wait are refused, and taken again once one is decided', async () => {
  const client = new CommandsClient(new MemoryLog(2, { now: () => NOW }), () => NOW)
  const waiting = Array.from({ length: WAITING_MAX }, (_, i) => client.submit(0, command(`r${i}`)))
  await expect(client.submit(0, command('over'))).rejects.toBeInstanceOf(CommandsUnavailable)
  client.settle('r0', { status: 201, body: null })
  expect(await waiting[0]).toMatchObject({ status: 201 })
  waiting.push(client.submit(0, command('next')))
  for (let i = 1; i < WAITING_MAX; i++) client.settle(`r${i}`, { status: 201, body: null })
  client.settle('next', { status: 201, body: null })
  expect((await Promise.all(waiting)).map(({ status }) => status)).toEqual(
    new Array(WAITING_MAX + 1).fill(201),
  )
})

import { createServer } from 'node:net'

export const HOST = '127.0.0.1'

/** The port, where a server may listen there; else 0, for a free one. */
export async function freePort(port: number): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const probe = createServer()
  probe.once('error', () => resolve(false))
  probe.listen(port, HOST, () => probe.close(() => resolve(true)))
  return (await promise) ? port : 0
}

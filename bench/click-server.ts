/**
 * A child of the benchmark: the server as it is, with the keys of the data folder that it is given and without a log.
 * What is written into the log's buffer is done with at once. Tells its address.
 */
import { OpenAPIHono } from '@hono/zod-openapi'
import { pino } from 'pino'
import { openKeys } from '../src/adapters/signing-keys.ts'
import { nativeMac } from '../src/adapters/signing-mac.ts'
import { LandingPage } from '../src/campaigns/landing-page.ts'
import { startServer } from '../src/http/server.ts'
import { newStatus } from '../src/http/status.ts'
import { RecordBuffer } from '../src/records/record-buffer.ts'
import { TokenSigner } from '../src/tracking/token.ts'
import { LANDING_URL } from './click-tokens.ts'
import { marketRequests, openMarket } from './market.ts'

/** As much as is under way at 256 connections. */
const KEPT_BYTES_MAX = 24_000

const [folder = ''] = process.argv.slice(2)
const { deps, sample } = await openMarket(1, marketRequests(100))
const facts = { campaign: 256, advertiser: 256, landing: new LandingPage(LANDING_URL) }
const buffer = new RecordBuffer()
const done = Promise.resolve()
const log = {
  buffer,
  overloaded: false,
  flushed: () => {
    if (buffer.byteLength > KEPT_BYTES_MAX) buffer.take()
    return done
  },
}
const { url } = startServer({
  host: '127.0.0.1',
  port: 0,
  ...deps,
  edge: { ...deps.edge, log, signer: new TokenSigner(openKeys(folder).signing, nativeMac), ad: () => facts },
  sample,
  logger: pino({ base: null }, pino.destination(2)),
  control: new OpenAPIHono(),
  status: newStatus(),
})
process.send?.({ url })

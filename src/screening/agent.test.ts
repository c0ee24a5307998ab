import { expect, test } from 'bun:test'
import { deviceAt } from '../records/device.ts'
import { AgentClassifier } from './agent.ts'

const WEBKIT = 'AppleWebKit/537.36 (KHTML, like Gecko)'
const agents = new AgentClassifier()

test.each([
  ['desktop', `Mozilla/5.0 (Windows NT 10.0; Win64; x64) ${WEBKIT} Chrome/140.0.0.0 Safari/537.36`],
  ['desktop', 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0'],
  ['desktop', `Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) ${WEBKIT} Chrome/140.0.0.0 Safari/537.36`],
  [
    'desktop',
    'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/605.1.15',
  ],
  [
    'mobile',
    'Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1',
  ],
  ['mobile', `Mozilla/5.0 (Linux; Android 14; Pixel 8) ${WEBKIT} Chrome/140.0.0.0 Mobile Safari/537.36`],
  [
    'tablet',
    'Mozilla/5.0 (iPad; CPU OS 16_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/16.0 Mobile/15E148 Safari/604.1',
  ],
  ['ctv', `Mozilla/5.0 (SMART-TV; Linux; Tizen 7.0) ${WEBKIT} Version/7.0 TV Safari/537.36`],
])('a person at a %s: %s', (device, userAgent) => {
  const agent = agents.classify(userAgent)
  expect({ device: deviceAt(agent.device), robot: agent.robot }).toEqual({ device, robot: false } as never)
  expect(agents.classify(userAgent)).toBe(agent)
})

test.each([
  '',
  ' ',
  'Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)',
  `Mozilla/5.0 (X11; Linux x86_64) ${WEBKIT} HeadlessChrome/140.0.0.0 Safari/537.36`,
  'Mozilla/5.0 (Unknown; Linux x86_64) AppleWebKit/538.1 (KHTML, like Gecko) PhantomJS/2.1.1 Safari/538.1',
  ...[
    'curl/8.5.0',
    'Wget/1.21',
    'python-requests/2.32',
    'Go-http-client/2.0',
    'node-fetch/1.0',
    'axios/1.7.2',
  ],
  ...['undici', 'libwww-perl/6.7', 'Java/17.0.1', 'okhttp/4.12.0', 'PostmanRuntime/7.40'],
])('a robot: %p', userAgent => expect(agents.classify(userAgent).robot).toBe(true))

test('only the start of a long agent is read', () => {
  expect(agents.classify(`${'x'.repeat(512)}a`)).toBe(agents.classify(`${'x'.repeat(512)}b`))
})

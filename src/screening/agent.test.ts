import { expect, test } from 'bun:test'
import { requestLines } from '../../test/captured-requests.ts'
import { type DeviceType, deviceAt } from '../records/device.ts'
import { type Agent, AgentClassifier, USER_AGENT_LENGTH_MAX } from './agent.ts'

const robots = [
  '',
  '   ',
  'curl/8.5.0',
  'Wget/1.21.4',
  'python-requests/2.32.3',
  'Python-urllib/3.12',
  'python-httpx/0.27.0',
  'aiohttp/3.9.5',
  'Go-http-client/1.1',
  'Go-http-client/2.0',
  'okhttp/4.12.0',
  'okhttp',
  'Java/17.0.9',
  'Apache-HttpClient/4.5.14 (Java/17.0.9)',
  'node-fetch/1.0 (+https://github.com/bitinn/node-fetch)',
  'node',
  'Bun/1.4.5',
  'axios/1.7.2',
  'undici',
  'libwww-perl/6.72',
  'Java/17.0.1',
  'python-requests/2.32',
  'undici/6.19',
  'HTTPie/3.2.2',
  'PostmanRuntime/7.39.0',
  'Scrapy/2.11.2 (+https://scrapy.org)',
  'Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)',
  'Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)',
  'Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)',
  'facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)',
  'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/126.0.0.0 Safari/537.36',
  'Mozilla/5.0 (Unknown; Linux x86_64) AppleWebKit/538.1 (KHTML, like Gecko) PhantomJS/2.1.1 Safari/538.1',
  'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/126.0.0.0 Safari/537.36 Puppeteer/22.0',
  'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/126.0.0.0 Safari/537.36 Playwright/1.45',
  'Mozilla/5.0 (Linux; Android 7.0; Moto G4) AppleWebKit/537.36 Chrome/119.0 Mobile Safari/537.36 Chrome-Lighthouse',
]
test.each(robots)('a robot, tool or empty user agent is a robot: %s', userAgent => {
  expect(new AgentClassifier().classify(userAgent).robot).toBe(true)
})

const WEBKIT = 'AppleWebKit/537.36 (KHTML, like Gecko)'
const people: [deviceType: DeviceType, userAgent: string][] = [
  ['desktop', `Mozilla/5.0 (Windows NT 10.0; Win64; x64) ${WEBKIT} Chrome/126.0.0.0 Safari/537.36`],
  [
    'desktop',
    `Mozilla/5.0 (Windows NT 10.0; Win64; x64) ${WEBKIT} Chrome/126.0.0.0 Safari/537.36 Edg/126.0.0.0`,
  ],
  ['ctv', `Mozilla/5.0 (SMART-TV; Linux; Tizen 7.0) ${WEBKIT} Version/7.0 TV Safari/537.36`],
  ['desktop', 'Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0'],
  [
    'desktop',
    'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15',
  ],
  ['desktop', `Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) ${WEBKIT} Chrome/126.0.0.0 Safari/537.36`],
  [
    'desktop',
    `Mozilla/5.0 (Windows NT 10.0; Win64; x64) ${WEBKIT} Slack/4.38 Chrome/126.0.0.0 Electron/31.0 Safari/537.36`,
  ],
  [
    'mobile',
    'Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1',
  ],
  [
    'mobile',
    'Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 Instagram 337.0.0.31.89 (iPhone14,5; iOS 17_5; en_US; en; scale=3.00; 1170x2532; 611111111)',
  ],
  [
    'mobile',
    'Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) GSA/320.0 Mobile/15E148 Safari/604.1',
  ],
  ['mobile', `Mozilla/5.0 (Linux; Android 10; K) ${WEBKIT} Chrome/126.0.0.0 Mobile Safari/537.36`],
  [
    'mobile',
    `Mozilla/5.0 (Linux; Android 14; Pixel 8; wv) ${WEBKIT} Version/4.0 Chrome/126.0 Mobile Safari/537.36`,
  ],
  ['mobile', 'Dalvik/2.1.0 (Linux; U; Android 13; SM-S911B Build/TP1A.220624.014)'],
  ['mobile', 'Shop/5.1.0 (Android 14; Pixel 8) okhttp/4.12.0'],
  ['unknown', 'com.example.shop/5.1 okhttp/4.9.3'],
  [
    'tablet',
    'Mozilla/5.0 (iPad; CPU OS 16_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/16.6 Mobile/15E148 Safari/604.1',
  ],
  ['tablet', `Mozilla/5.0 (Linux; Android 13; SM-X710) ${WEBKIT} Chrome/126.0.0.0 Safari/537.36`],
  ['ctv', `Mozilla/5.0 (Web0S; Linux/SmartTV) ${WEBKIT} Chrome/94.0 Safari/537.36 WebAppManager`],
  ['ctv', `Mozilla/5.0 (SMART-TV; LINUX; Tizen 6.0) ${WEBKIT} 76.0.3809.146/6.0 TV Safari/537.36`],
  ['ctv', `Mozilla/5.0 (Linux; Android 9; AFTMM) ${WEBKIT} Silk/112.4.1 like Chrome/112.0 Safari/537.36`],
  ['ctv', 'Roku/DVP-12.0 (12.0.0.4182-88)'],
  ['ctv', 'Roku/DVP-9.10'],
  ['ctv', 'AppleCoreMedia/1.0.0.21L580 (Apple TV; U; CPU OS 17_5 like Mac OS X; en_us)'],
  [
    'ctv',
    'Mozilla/5.0 (PlayStation; PlayStation 5/6.50) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/13.0 Safari/605.1.15',
  ],
]
test.each(people)('a person on %s is no robot: %s', (deviceType, userAgent) => {
  const agents = new AgentClassifier()
  const agent = agents.classify(userAgent)
  expect({ deviceType: deviceAt(agent.device), robot: agent.robot }).toEqual({ deviceType, robot: false })
  expect(agents.classify(userAgent)).toBe(agent)
})

test('of 10,000 real requests fewer than 0.6% are robots, and all of those call themselves something', () => {
  const lines = requestLines()
  const agents = new AgentClassifier()
  const robots: string[] = []
  let unknown = 0
  for (const line of lines) {
    const request: { device?: { ua?: string } } = JSON.parse(line)
    const userAgent = request.device?.ua ?? ''
    const { robot, device } = agents.classify(userAgent)
    if (robot) robots.push(userAgent)
    if (device === 0) unknown++
  }
  expect(lines.length).toBe(10_000)
  expect(robots.length).toBeLessThan(60)
  // 42: crawlers and page previews, 4 empty, and a handful of browsers with a robot's words in an add-on's name.
  const unexplained = robots.filter(text => !/^$|bot|slurp|crawler|preview/i.test(text))
  expect(unexplained.length).toBeLessThan(10)
  expect(unknown).toBeLessThan(50)
})

test('what is kept stays within two generations, and is the same whether remembered or worked out', () => {
  const agents = new AgentClassifier(10)
  const of = (i: number) => (i % 2 === 0 ? `curl/${i}` : people[i % people.length]![1] + i)
  const found = ({ device, robot }: Agent) => ({ device, robot })
  const fresh = (text: string) => found(new AgentClassifier(1).classify(text))
  for (let i = 0; i < 100; i++)
    for (const k of [i, i >> 1, 0]) expect(found(agents.classify(of(k)))).toEqual(fresh(of(k)))
})

test('a number is of one text, and a text that was forgotten and comes again gets another', () => {
  const agents = new AgentClassifier(10)
  const texts = new Map<number, string>()
  for (let i = 0; i < 200; i++) {
    const text = `Agent/${(i * 7) % 60}`
    const { number } = agents.classify(text)
    expect(texts.get(number) ?? text).toBe(text)
    texts.set(number, text)
    expect(agents.classify(text).number).toBe(number)
  }
  expect(texts.size).toBeGreaterThan(60)
  expect(texts.has(0)).toBe(false)
})

test('a user agent is read up to its named length', () => {
  const agents = new AgentClassifier()
  const text = people[0]![1].padEnd(USER_AGENT_LENGTH_MAX, ' x')
  expect(agents.classify(`${text} Googlebot/2.1`)).toEqual(agents.classify(text))
  expect(agents.classify(`${text} Googlebot/2.1`).robot).toBe(false)
})

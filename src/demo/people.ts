/** Who browses: agents as they are in the wild, and networks by country (two leading bytes of addresses). */
const DESKTOPS = [
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36',
  'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15',
  'Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0',
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36 Edg/130.0.0.0',
]
const PHONES = [
  'Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1',
  'Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Mobile Safari/537.36',
  'Mozilla/5.0 (Linux; Android 13; SM-A546B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/26.0 Chrome/122.0.0.0 Mobile Safari/537.36',
  'Mozilla/5.0 (iPad; CPU OS 17_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.6 Mobile/15E148 Safari/604.1',
]
const CRAWLERS = [
  'Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)',
  'Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)',
  'curl/8.9.1',
]
const NETWORKS = [
  '73.162',
  '24.48',
  '99.224',
  '91.64',
  '84.173',
  '90.63',
  '86.150',
  '126.78',
  '189.40',
  '49.36',
  '1.128',
  '151.38',
  '80.24',
  '84.104',
  '213.89',
]

export interface Person {
  readonly agent: string
  readonly address: string
  readonly user: string
}

const PEOPLE = 40_000

export function pick<T>(from: readonly T[]): T {
  return from[Math.floor(Math.random() * from.length)]!
}

export const crawler = () => pick(CRAWLERS)

/** One of so many people, the same each time: who comes back meets their frequency cap. */
export function somebody(): Person {
  const number = Math.floor(Math.random() * PEOPLE)
  const agents = Math.floor(number / 15) % 5 < 2 ? DESKTOPS : PHONES
  return {
    agent: agents[Math.floor(number / 75) % agents.length]!,
    address: `${NETWORKS[number % NETWORKS.length]}.${Math.floor(number / 250) % 250}.${1 + (number % 250)}`,
    user: `reader-${number}`,
  }
}

import { createIsbotFromList, list } from 'isbot'
import { UAParser } from 'my-ua-parser'
import { RecentMap } from '../core/recent-map.ts'
import { type DeviceType, deviceNumber } from '../records/device.ts'

export interface Agent {
  /** As DEVICE_TYPES are numbered; 0 where the text names no system that we know: a tool, an empty text. */
  readonly device: number
  /** A crawler, a headless browser, a tool, or no user agent at all. */
  readonly robot: boolean
  /** Of this text and no other, from 1 on, for as long as it is remembered. */
  readonly number: number
}

/** The longest of 10,000 captured has 386 characters. What lies behind is not read. */
export const USER_AGENT_LENGTH_MAX = 512
/** In each of two generations; 2,900 distinct ones came with 10,000 requests. About 11 MB when full. */
const AGENTS_KEPT_MAX = 16_384

export class AgentClassifier {
  readonly #known: RecentMap<string, Agent>
  #learned = 0

  constructor(keptMax = AGENTS_KEPT_MAX) {
    this.#known = new RecentMap(keptMax)
  }

  classify(userAgent: string): Agent {
    if (userAgent.length > USER_AGENT_LENGTH_MAX) return this.#classifyLong(userAgent)
    return this.#known.get(userAgent) ?? this.#learn(userAgent)
  }

  #classifyLong(userAgent: string): Agent {
    const start = userAgent.slice(0, USER_AGENT_LENGTH_MAX)
    // Copied: a slice kept as a key would keep the whole header alive, 16 KB for each that a stranger makes up.
    return this.#known.get(start) ?? this.#learn(Buffer.from(start, 'utf16le').toString('utf16le'))
  }

  #learn(userAgent: string): Agent {
    const device = deviceNumber(deviceTypeOf(userAgent))
    const agent = { device, robot: isRobot(userAgent), number: ++this.#learned }
    this.#known.set(userAgent, agent)
    return agent
  }
}

/**
 * Patterns of isbot that take real people for robots, and what stands in their place. Found in the captured requests:
 * a plug-in for Internet Explorer, MSN's edition of it, adware that adds `Library3.05689`, Splashtop, Google's television.
 * Not found there: apps on Android, which name `okhttp` behind themselves.
 */
const MENDED_PATTERNS: Readonly<Record<string, string | null>> = {
  chromeframe: null,
  optimize: '(?<!\\bmsn )optimize',
  library: 'library(?!\\d)',
  splash: 'splash(?!top)',
  '(?<!lib)http': '(?<!lib|\\bok)http',
  '(?<! channel/|google/)google(?!(?:wv|app|/google| pixel))':
    '(?<! channel/|google/)google(?!(?:wv|app|tv\\b|/google| pixel))',
}

/** Tools and headless browsers by name, whatever a release of isbot makes of them. */
const TOOLS = [
  '\\b(?:curl|wget|libwww|httpie|postman|insomnia|axios|undici|node-fetch|got|bun|deno)(?:[-/]|runtime|$)',
  '\\bpython|\\baiohttp|\\bhttpx/|\\bscrapy|\\bgo-http-client|\\bjava/|\\bapache-httpclient|\\bruby\\b|\\bguzzle',
  // Apps put it behind their own name; alone it is a program that names nothing.
  '^okhttp(?:/|$)',
  'headless|phantomjs|puppeteer|playwright|selenium|slimerjs|cypress/|\\bjsdom\\b|lighthouse',
]

const isKnownRobot = createIsbotFromList([
  ...list.flatMap(pattern => {
    const mended = MENDED_PATTERNS[pattern]
    return mended === undefined ? [pattern] : mended === null ? [] : [mended]
  }),
  ...TOOLS,
])

/** Players on televisions speak tersely (`Roku/DVP-9.10`), and isbot takes the terse for tools. */
const TELEVISION =
  /^roku\b|\broku\/dvp|appletv|apple tv|tvos\b|smart-?tv|smarttv|googletv|google tv|android tv|hbbtv|web0s|webos tv|netcast|tizen.*\btv\b|\bbravia\b|\baft[a-z]{1,4}\b|crkey|viera|vizio/i
const HANDHELD =
  /android|iphone|ipod|\bmobile\b|mobi\b|blackberry|\bbb10\b|opera mini|j2me|midp|symbian|windows phone|windows ce|webos|kaios/i
const DESKTOP = /windows|macintosh|mac os x|mac_powerpc|x11|linux|cros|bsd|sunos/i

function isRobot(userAgent: string): boolean {
  if (userAgent.trim() === '') return true
  if (/^roku\//i.test(userAgent)) return false
  return isKnownRobot(userAgent)
}

function deviceTypeOf(userAgent: string): DeviceType {
  if (TELEVISION.test(userAgent)) return 'ctv'
  switch (new UAParser(userAgent).getDevice().type) {
    case 'mobile':
    case 'wearable':
      return 'mobile'
    case 'tablet':
      return 'tablet'
    case 'smarttv':
    // A console is connected to a television; OpenRTB has no number for it either.
    case 'console':
      return 'ctv'
  }
  if (HANDHELD.test(userAgent)) return 'mobile'
  return DESKTOP.test(userAgent) ? 'desktop' : 'unknown'
}

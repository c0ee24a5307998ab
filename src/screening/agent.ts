import { isbot } from 'isbot'
import { UAParser } from 'my-ua-parser'
import { RecentMap } from '../core/recent-map.ts'
import { type DeviceType, deviceNumber } from '../records/device.ts'

/** What is read of a User-Agent: the header is the sender's, and patterns take time by its length. */
const AGENT_LENGTH_MAX = 512
/** Agents remembered, at least; at most twice as many. */
const AGENTS_KEPT = 4096

const TOOLS =
  /HeadlessChrome|PhantomJS|\bcurl\b|\bwget\b|python-requests|Go-http-client|node-fetch|\baxios\b|\bundici\b|libwww|\bJava\/|\bokhttp\b|Postman/i

const DEVICES: Readonly<Record<string, DeviceType>> = {
  mobile: 'mobile',
  tablet: 'tablet',
  smarttv: 'ctv',
  console: 'ctv',
}
/** The parser names no device type for computers. */
const DESKTOP = /Windows NT|Macintosh|X11|CrOS/

export interface Agent {
  /** As DEVICE_TYPES are numbered. */
  readonly device: number
  readonly robot: boolean
}

export class AgentClassifier {
  readonly #known = new RecentMap<string, Agent>(AGENTS_KEPT)

  classify(userAgent: string): Agent {
    const text = userAgent.slice(0, AGENT_LENGTH_MAX)
    const known = this.#known.get(text)
    if (known !== undefined) return known
    const agent = { device: deviceNumber(deviceOf(text)), robot: isRobot(text) }
    this.#known.set(text, agent)
    return agent
  }
}

function isRobot(text: string): boolean {
  return text.trim() === '' || TOOLS.test(text) || isbot(text)
}

function deviceOf(text: string): DeviceType {
  // Given an empty text, the parser would look for a browser's own.
  if (text === '') return 'unknown'
  const { type } = new UAParser(text).getDevice()
  if (type !== undefined) return DEVICES[type] ?? 'unknown'
  return DESKTOP.test(text) ? 'desktop' : 'unknown'
}

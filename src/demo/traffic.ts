import { setTimeout as sleep } from 'node:timers/promises'
import { crawler, type Person, pick, somebody } from './people.ts'
import type { SeededPlacement } from './seed.ts'

/** Page views begun a second. With impressions and clicks it makes some 300 requests a second. */
const VIEWS_PER_SECOND = 150
const TICK_MS = 50
const REQUESTS_AT_ONCE_MAX = 64
/** Far more than in life, so that one sees clicks. */
const CLICK_SHARE = 0.015

/** An ad as it was offered, whichever way it was asked for. */
interface Offer {
  readonly impressionUrl: string
  readonly clickUrl: string
}

/** What was asked of the server, as its clients count it. */
export interface Sent {
  views: number
  failed: number
}

export interface Traffic {
  readonly sent: Sent
  /** Begins nothing more, and ends when what was begun has been answered. */
  stop(): Promise<void>
}

export function sendTraffic(url: string, placements: readonly SeededPlacement[]): Traffic {
  const sent: Sent = { views: 0, failed: 0 }
  const stopping = new AbortController()
  const pending = new Set<Promise<void>>()
  let atOnce = 0

  async function ask(address: string, person: Person, init: RequestInit = {}): Promise<Response | null> {
    if (stopping.signal.aborted) return null
    const headers = { 'User-Agent': person.agent, 'X-Forwarded-For': person.address, ...init.headers }
    atOnce++
    try {
      // Landing pages are never fetched: the demonstration leaves this machine alone.
      const answer = await fetch(address, { ...init, headers, redirect: 'manual' })
      if (answer.status >= 500) sent.failed++
      return answer
    } catch {
      if (!stopping.signal.aborted) sent.failed++
      return null
    } finally {
      atOnce--
    }
  }

  const visit = async (address: string, person: Person, init?: RequestInit) => {
    await (await ask(address, person, init))?.arrayBuffer()
  }

  async function view(): Promise<void> {
    const chance = Math.random()
    const person = chance < 0.02 ? { ...somebody(), agent: crawler() } : somebody()
    const placement = pick(placements)
    sent.views++
    const offer = await (Math.random() < 0.35 ? auction : serve)(placement, person)
    if (offer === null) return
    if (chance > 0.98) {
      // A browser that loads a page ahead: nobody has seen it.
      await visit(offer.impressionUrl, person, { headers: { 'Sec-Purpose': 'prefetch' } })
      return
    }
    // A twentieth is never drawn: its click, if any, waits for an impression in vain.
    if (chance < 0.95) await visit(offer.impressionUrl, person)
    await click(offer, person)
  }

  async function click({ clickUrl }: Offer, person: Person): Promise<void> {
    const chance = Math.random()
    if (chance < CLICK_SHARE) {
      await pause(600 + Math.random() * 2400)
      await visit(clickUrl, person)
      if (Math.random() < 0.2) await visit(clickUrl, person)
      return
    }
    if (chance < 0.018) await visit(clickUrl, person)
    else if (chance < 0.023) await visit(forge(clickUrl), person)
    else if (chance < 0.029) {
      await pause(700)
      await visit(clickUrl, { ...person, agent: crawler() })
    } else if (chance < 0.032) {
      await pause(700)
      await visit(clickUrl, person, { headers: { Purpose: 'prefetch' } })
    }
  }

  async function serve({ id, domain }: SeededPlacement, person: Person): Promise<Offer | null> {
    const page = encodeURIComponent(`https://${domain}/story/${Math.floor(Math.random() * 500)}`)
    const query = `format=json&placement=${id}&page=${page}&user=${person.user}`
    return offerIn(await ask(`${url}/serve?${query}`, person))
  }

  async function auction({ id, domain, w, h }: SeededPlacement, person: Person): Promise<Offer | null> {
    const body = {
      id: crypto.randomUUID(),
      at: 1,
      tmax: 120,
      cur: ['USD'],
      imp: [
        { id: '1', tagid: id, banner: { format: [{ w, h }] }, bidfloor: 0.5, bidfloorcur: 'USD', secure: 0 },
      ],
      site: { domain, page: `https://${domain}/` },
      device: { ua: person.agent, ip: person.address },
      user: { id: person.user },
    }
    const init = {
      method: 'POST',
      body: JSON.stringify(body),
      headers: { 'Content-Type': 'application/json' },
    }
    return offerIn(await ask(`${url}/openrtb2/auction`, person, init))
  }

  function pause(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const done = () => {
      clearTimeout(timer)
      stopping.signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    stopping.signal.addEventListener('abort', done)
    return promise
  }

  const ticking = setInterval(() => {
    for (let i = 0; i < (VIEWS_PER_SECOND * TICK_MS) / 1000; i++) {
      // A machine that is busy gets less traffic, not a queue.
      if (atOnce >= REQUESTS_AT_ONCE_MAX) return
      const begun: Promise<void> = view()
        .catch(() => {
          sent.failed++
        })
        .finally(() => pending.delete(begun))
      pending.add(begun)
    }
  }, TICK_MS)

  return {
    sent,
    stop: async () => {
      clearInterval(ticking)
      stopping.abort()
      await Promise.race([Promise.all(pending), sleep(2000)])
    },
  }
}

/** The offer of a `/serve` answer or of a bid response; null where there is no ad. */
async function offerIn(answer: Response | null): Promise<Offer | null> {
  if (answer === null) return null
  const text = await answer.text()
  if (answer.status !== 200) return null
  const body = JSON.parse(text) as Partial<Offer> & {
    seatbid?: readonly { bid: readonly { ext: { farthing: Offer } }[] }[]
  }
  const found = body.seatbid?.[0]?.bid[0]?.ext.farthing ?? body
  const { impressionUrl, clickUrl } = found
  return impressionUrl === undefined || clickUrl === undefined ? null : { impressionUrl, clickUrl }
}

/** Changes a character in the middle of the token. */
function forge(clickUrl: string): string {
  const at = clickUrl.indexOf('t=') + 20
  return clickUrl.slice(0, at) + (clickUrl[at] === 'A' ? 'B' : 'A') + clickUrl.slice(at + 1)
}

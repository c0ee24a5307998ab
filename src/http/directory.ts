import { createHash } from 'node:crypto'
import type { Advertiser, ApiKey, CatalogChange, Placement, Publisher, Role } from '../campaigns/campaign.ts'
import { parseId } from '../core/ids.ts'

export interface Principal {
  readonly keyId: string
  readonly role: Role
  readonly accountId: string | null
}

/** What the thread that serves keeps of the accounts: keys, placements, publishers, advertisers. No campaigns. */
export class Directory {
  private readonly keys = new Map<string, ApiKey>()
  private readonly placements = new Map<number, Placement>()
  private readonly publishers = new Map<number, Publisher>()
  private readonly advertisers = new Map<number, Advertiser>()
  /** Those that name a domain, without its `www.`, the oldest first: it is that one's, after a restart as before. */
  private readonly byDomain = new Map<string, readonly Publisher[]>()
  private readonly adminHash: string

  /** `adminKey` is an admin's at every start, and is kept nowhere. */
  constructor(adminKey: string) {
    this.adminHash = hashOf(adminKey)
  }

  apply(change: CatalogChange): void {
    switch (change.kind) {
      case 'key':
        if (change.key.revoked) this.keys.delete(change.key.secretHash)
        else this.keys.set(change.key.secretHash, change.key)
        return
      case 'placement':
        this.placements.set(parseId('placement', change.placement.id) ?? 0, change.placement)
        return
      case 'publisher':
        this.applyPublisher(change.publisher)
        return
      case 'advertiser':
        this.advertisers.set(parseId('advertiser', change.advertiser.id) ?? 0, change.advertiser)
        return
      default:
        return
    }
  }

  placement(number: number): Placement | null {
    return this.placements.get(number) ?? null
  }

  publisher(number: number): Publisher | null {
    return this.publishers.get(number) ?? null
  }

  advertiser(number: number): Advertiser | null {
    return this.advertisers.get(number) ?? null
  }

  publisherByDomain(domain: string): Publisher | null {
    return this.byDomain.get(withoutWww(domain.toLowerCase()))?.[0] ?? null
  }

  /** Who sent an `Authorization` header. Keys are compared by their hashes, so that timing tells nothing of them. */
  authenticate(authorization: string | null): Principal | null {
    if (authorization === null || !/^bearer /i.test(authorization)) return null
    const hash = hashOf(authorization.slice(7).trim())
    if (hash === this.adminHash) return { keyId: 'admin', role: 'admin', accountId: null }
    const key = this.keys.get(hash)
    return key === undefined ? null : { keyId: key.id, role: key.role, accountId: key.accountId }
  }

  private applyPublisher(publisher: Publisher): void {
    const number = parseId('publisher', publisher.id) ?? 0
    const before = this.publishers.get(number)
    this.publishers.set(number, publisher)
    if (before !== undefined) this.leaveDomain(before)
    if (publisher.domain === null) return
    const domain = withoutWww(publisher.domain)
    const all = [...(this.byDomain.get(domain) ?? []), publisher]
    this.byDomain.set(domain, all.sort(byAge))
  }

  private leaveDomain({ id, domain }: Publisher): void {
    if (domain === null) return
    const left = withoutWww(domain)
    const others = (this.byDomain.get(left) ?? []).filter(other => other.id !== id)
    if (others.length > 0) this.byDomain.set(left, others)
    else this.byDomain.delete(left)
  }
}

function withoutWww(domain: string): string {
  return domain.startsWith('www.') ? domain.slice(4) : domain
}

function byAge(one: Publisher, other: Publisher): number {
  const age = Date.parse(one.createdAt) - Date.parse(other.createdAt)
  return age !== 0 ? age : (parseId('publisher', one.id) ?? 0) - (parseId('publisher', other.id) ?? 0)
}

function hashOf(secret: string): string {
  return createHash('sha256').update(secret).digest('hex')
}

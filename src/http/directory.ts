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
  private readonly byDomain = new Map<string, Publisher>()
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
    const host = domain.toLowerCase()
    return this.byDomain.get(host.startsWith('www.') ? host.slice(4) : host) ?? null
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
    if (before?.domain != null) this.byDomain.delete(before.domain)
    this.publishers.set(number, publisher)
    if (publisher.domain !== null) this.byDomain.set(publisher.domain.replace(/^www\./, ''), publisher)
  }
}

function hashOf(secret: string): string {
  return createHash('sha256').update(secret).digest('hex')
}

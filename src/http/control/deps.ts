import type { EntityNumber } from '../../core/ids.ts'
import type { Commands, Queries } from '../../ports/control.ts'
import type { Principal } from './access.ts'

/** What the control API stands on. */
export interface ControlDeps {
  readonly commands: Commands
  readonly queries: Queries
  /** Who sent the `Authorization` header, or null for no key, an unknown one or a revoked one. */
  authenticate(authorization: string | null): Principal | null
  /** The campaign that an ad is in, or null: ads have no table of their own. */
  campaignOfAd(ad: EntityNumber): Promise<EntityNumber | null>
  explain(campaignId: string): Promise<unknown>
  /** A new secret and its SHA-256 in hex. */
  newKeySecret(): { readonly secret: string; readonly hash: string }
  randomId(): string
  now(): number
  /** Of a request's body; default 1 MiB. */
  readonly bodyBytesMax?: number
}

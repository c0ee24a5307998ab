import type { AdFacts } from '../../campaigns/ad-texts.ts'
import type { Advertiser, Placement, Publisher } from '../../campaigns/campaign.ts'
import type { Clock } from '../../core/time.ts'
import type { RecordBuffer } from '../../records/record-buffer.ts'
import type { AddressRanges } from '../../screening/address-ranges.ts'
import type { AgentClassifier } from '../../screening/agent.ts'
import type { DataCentres } from '../../screening/data-centre.ts'
import type { ClickRate } from '../../screening/rate.ts'
import type { TokenSigner } from '../../tracking/token.ts'
import type { Counters } from './counters.ts'

/** Everything that the handlers of serving and tracking work with. */
export interface EdgeDependencies {
  readonly clock: Clock
  readonly partitions: number
  readonly publicUrl: string
  readonly log: {
    readonly buffer: RecordBuffer
    /** Whether what is written now would be refused: then nothing is written, and the buffer does not grow. */
    readonly overloaded?: boolean
    flushed(): Promise<void>
  }
  readonly signer: TokenSigner
  readonly counters: Counters
  readonly agents: AgentClassifier
  readonly clickRate: ClickRate
  readonly dataCentres: DataCentres
  readonly trustedProxies: AddressRanges
  readonly countryOf: (address: string) => string | null
  /** Whether an id is of an impression that was chosen here. */
  readonly isOwnImpression: (id: string) => boolean
  readonly ad: (number: number) => AdFacts | null
  readonly placement: (number: number) => Placement | null
  readonly publisher: (number: number) => Publisher | null
  readonly publisherByDomain: (domain: string) => Publisher | null
  readonly advertiser: (number: number) => Advertiser | null
  readonly authenticate: (
    authorization: string | null,
  ) => { readonly role: string; readonly accountId: string | null } | null
}

/** A request with the address of its socket. */
export interface EdgeRequest {
  readonly request: Request
  readonly peer: string
}

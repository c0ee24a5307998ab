import { formatId, formatUuid } from '../core/ids.ts'
import { TOKEN_IMPRESSION_AT } from '../records/token-body.ts'

const MACROS = /\$\{(CLICK_ID|CAMPAIGN_ID|AD_ID)\}/

/** Whom a landing page is filled in for. */
export interface Visit {
  /** Body of the link's token, whose impression id is the click's; null for a link without one. */
  readonly token: Uint8Array | null
  readonly campaign: number
  readonly ad: number
}

/** The landing page of an ad, its macros found once: a click joins texts. */
export class LandingPage {
  /** Text, name of a macro, text, name, ..., text. */
  private readonly parts: readonly string[]

  constructor(url: string) {
    this.parts = url.split(MACROS)
  }

  /** With its macros filled in. Ids are of letters, digits, `-` and `_`: they need no escapes. */
  urlFor(visit: Visit): string {
    const { parts } = this
    let url = parts[0]!
    for (let i = 1; i < parts.length; i += 2) url += macroValue(parts[i]!, visit) + parts[i + 1]!
    return url
  }
}

function macroValue(macro: string, { token, campaign, ad }: Visit): string {
  if (macro === 'CAMPAIGN_ID') return formatId('campaign', campaign)
  if (macro === 'AD_ID') return formatId('ad', ad)
  return token === null ? '' : formatUuid(token, TOKEN_IMPRESSION_AT)
}

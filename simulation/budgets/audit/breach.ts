import type { CampaignFacts } from '../market.ts'

/** A breach of what must hold. */
export class Breach extends Error {
  override name = 'Breach'

  constructor(
    message: string,
    readonly of: { readonly campaign: number | null; readonly node: number | null },
  ) {
    super(message)
  }
}

export function ofCampaign({ number }: CampaignFacts): Breach['of'] {
  return { campaign: number, node: null }
}

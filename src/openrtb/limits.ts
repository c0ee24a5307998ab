/** Bounds of a bid request beyond the standard, which gives none. Generous: seen traffic is far below each. */

/** Ids that we echo, log or hash. Characters, as are all lengths of text here. */
export const ID_LENGTH_MAX = 512
/** Names, user agents, domains. */
export const TEXT_LENGTH_MAX = 4_096
/** URLs, keywords, consent strings and the JSON in `native.request`. */
export const LONG_TEXT_LENGTH_MAX = 65_536

export const IMPS_MAX = 100
export const ASSETS_MAX = 100
/** Most lists. */
export const LIST_LENGTH_MAX = 1_000
/** `badv`, `bapp`, `bcat` and their like: publishers do send thousands of domains. */
export const BLOCK_LIST_LENGTH_MAX = 20_000

/** Of integers that the standard leaves open. */
export const INTEGER_MAX = 2_147_483_647
/** A CPM as a decimal. In micros it is 10^15, so that sums of a few prices stay below 2^53. */
export const PRICE_MAX = 1_000_000_000

export const JSON_DEPTH_MAX = 64
/** A refusal names at most so many faults. */
export const FIELD_ERRORS_MAX = 20

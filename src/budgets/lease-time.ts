/** A node's lease is renewed for so long from when it sent the ask that is answered. */
export const LEASE_VALID_MS = 5000
/** A node that was not heard of for so long after its lease's end cannot choose any more, however its timer drifts. */
export const CLOSE_SLACK_MS = 1000
/** With what a treasury granted, its nodes may choose for so long after it is gone, or after it has told them not to. */
export const DRAIN_MS = LEASE_VALID_MS + CLOSE_SLACK_MS

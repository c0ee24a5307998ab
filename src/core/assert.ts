/** A broken assertion is a bug of ours: it fails the request in serving and stops the partition in billing. */
export class AssertionError extends Error {
  override name = 'AssertionError'
}

/**
 * `found` is what the message is about: a number written into a text for each assertion that holds took 80 ns, more
 * than the decision that it guarded.
 */
export function assert(condition: boolean, message: string, found?: number): asserts condition {
  if (!condition) throw new AssertionError(found === undefined ? message : `${message}: ${found}`)
}

/** For the default branch of an exhaustive switch. */
export function unreachable(value: never): never {
  throw new AssertionError(`unreachable: ${JSON.stringify(value)}`)
}

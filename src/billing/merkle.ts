import { createHash } from 'node:crypto'
import { assert } from '../core/assert.ts'

// RFC 9162 section 2.1.1: the prefixes keep a leaf from being passed off as an inner node.
const LEAF_PREFIX = Uint8Array.of(0)
const NODE_PREFIX = Uint8Array.of(1)

/**
 * The Merkle tree hash of RFC 9162 section 2.1.1, lowercase hex. A text leaf is its UTF-8.
 *
 * The RFC splits a list at the largest power of two below its length. Read from the left that is a binary counter:
 * two full subtrees of one size become one as soon as both are there, and what is left at the end is folded from the
 * right. One pass, and no more than log2(n) hashes are kept.
 */
export function merkleRoot(leaves: readonly (string | Uint8Array)[]): string {
  if (leaves.length === 0) return createHash('sha256').digest('hex')
  const subtrees: Uint8Array[] = []
  for (let i = 0; i < leaves.length; i++) {
    subtrees.push(leafHash(leaves[i]!))
    for (let full = i + 1; full % 2 === 0; full /= 2) join(subtrees)
  }
  while (subtrees.length > 1) join(subtrees)
  return Buffer.from(subtrees[0]!).toString('hex')
}

function join(subtrees: Uint8Array[]): void {
  const right = subtrees.pop()!
  const left = subtrees.pop()!
  subtrees.push(createHash('sha256').update(NODE_PREFIX).update(left).update(right).digest())
}

function leafHash(leaf: string | Uint8Array): Uint8Array {
  assert(typeof leaf !== 'string' || leaf.isWellFormed(), 'a leaf with a lone surrogate has no UTF-8')
  return createHash('sha256').update(LEAF_PREFIX).update(leaf).digest()
}

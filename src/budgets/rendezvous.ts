/**
 * Which nodes serve a campaign: the `count` with the highest hash of (campaign, turn, node). A node that comes or goes
 * moves only the campaigns that it gains or loses; another `turn` picks others.
 */
export function nodesFor(
  of: { readonly campaign: number; readonly turn: number; readonly count: number },
  nodes: readonly number[],
): readonly number[] {
  if (of.count >= nodes.length) return nodes
  const salt = mix(of.campaign ^ Math.imul(of.turn + 1, 0x9e3779b1))
  const picked: number[] = []
  const scores: number[] = []
  for (const node of nodes) {
    const score = mix(salt ^ Math.imul(node | 0, 0x85ebca6b)) >>> 0
    let at = picked.length
    if (at === of.count && score <= scores[at - 1]!) continue
    if (at < of.count) {
      picked.push(node)
      scores.push(score)
    } else at--
    for (; at > 0 && scores[at - 1]! < score; at--) {
      picked[at] = picked[at - 1]!
      scores[at] = scores[at - 1]!
    }
    picked[at] = node
    scores[at] = score
  }
  return picked
}

/** murmur3's finalizer: every bit of the input moves every bit of the output. */
function mix(value: number): number {
  let bits = value | 0
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b)
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35)
  return bits ^ (bits >>> 16)
}

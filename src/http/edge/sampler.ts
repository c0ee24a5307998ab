import type { FullRequest } from '../../serving/full-evaluation.ts'

/** An evaluation in full takes as long as thousands of searches of the index: so many a second, and no more. */
const SAMPLES_PER_SECOND = 5

/** Picks the requests that are evaluated in full, so that `explain` can tell why a campaign serves or does not. */
export class Sampler {
  private second = 0
  private taken = 0

  constructor(private readonly take: (request: FullRequest) => void) {}

  due(now: number): boolean {
    const second = Math.floor(now / 1000)
    if (second !== this.second) {
      this.second = second
      this.taken = 0
    }
    return this.taken++ < SAMPLES_PER_SECOND
  }

  sample(request: FullRequest): void {
    this.take(request)
  }
}

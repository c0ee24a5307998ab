import type { FullRequest } from '../../serving/full-evaluation.ts'

/** Sending one takes about 20 us here. How many are evaluated is for the thread that has the time. */
const SAMPLES_PER_SECOND = 50

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

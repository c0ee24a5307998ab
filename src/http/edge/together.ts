/** Answers that go out together at most: so many wait for each other. */
export const TOGETHER_MAX = 64

/**
 * Answers what came in one turn of the event loop one after another, at the end of that turn, so that the answers leave
 * in one go. A receiver on this machine that sleeps (a proxy, a sidecar) is woken by the first of them and finds the
 * others, where it used to be woken by each, at some 3 us of this process's CPU. The last answer of a turn leaves when it
 * did before.
 */
export class Together {
  private readonly texts: string[] = []
  private readonly resolves: ((response: Response) => void)[] = []
  private readonly rejects: ((reason: unknown) => void)[] = []
  private isDue = false
  private readonly onDue = () => {
    this.isDue = false
    this.answerAll()
  }

  constructor(private readonly answer: (text: string) => Response) {}

  /** The answer to a body that is still coming. A fault in one answer rejects that one alone. */
  answerTo(text: Promise<string>, onBroken: () => Response): Promise<Response> {
    return new Promise((resolve, reject) => {
      text.then(
        read => this.add(read, resolve, reject),
        () => resolve(onBroken()),
      )
    })
  }

  private add(text: string, resolve: (response: Response) => void, reject: (reason: unknown) => void): void {
    this.resolves.push(resolve)
    this.rejects.push(reject)
    if (this.texts.push(text) === TOGETHER_MAX) {
      this.answerAll()
    } else if (!this.isDue) {
      this.isDue = true
      setImmediate(this.onDue)
    }
  }

  private answerAll(): void {
    const { texts, resolves, rejects } = this
    for (let i = 0; i < texts.length; i++) {
      try {
        resolves[i]!(this.answer(texts[i]!))
      } catch (error) {
        rejects[i]!(error)
      }
    }
    texts.length = 0
    resolves.length = 0
    rejects.length = 0
  }
}

import { describe, expect, test } from 'bun:test'
import { TOGETHER_MAX, Together } from './together.ts'

const broken = () => new Response('broken')

/** Answers with the text, and notes when. */
function noting(notes: string[], isFaulty: (text: string) => boolean = () => false): Together {
  return new Together(text => {
    notes.push(`answers ${text}`)
    if (isFaulty(text)) throw new Error(`a fault in ${text}`)
    return new Response(text)
  })
}

async function bodyOf(answer: Promise<Response>): Promise<string> {
  return (await answer).text()
}

/** Until all microtasks are done, and no further. */
async function settled(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve()
}

describe('answers of one turn of the event loop', () => {
  test('are made one after another before the first leaves, each from its own body', async () => {
    const notes: string[] = []
    const together = noting(notes)
    const late = Promise.withResolvers<string>()
    const answers = [late.promise, Promise.resolve('two'), Promise.resolve('three')].map(text => {
      const answer = together.answerTo(text, broken)
      answer.then(() => notes.push('leaves'))
      return answer
    })
    await settled()
    late.resolve('one')
    await settled()
    expect(notes).toEqual([])
    expect(await Promise.all(answers.map(bodyOf))).toEqual(['one', 'two', 'three'])
    expect(notes).toEqual(['answers two', 'answers three', 'answers one', 'leaves', 'leaves', 'leaves'])
  })

  test('come again with the next turn', async () => {
    const notes: string[] = []
    const together = noting(notes)
    expect(await bodyOf(together.answerTo(Promise.resolve('one'), broken))).toBe('one')
    expect(await bodyOf(together.answerTo(Promise.resolve('two'), broken))).toBe('two')
    expect(notes).toEqual(['answers one', 'answers two'])
  })

  test('do not fail with one of them, nor with a body that breaks off', async () => {
    const together = noting([], text => text === 'bad')
    const first = together.answerTo(Promise.resolve('first'), broken)
    const bad = together.answerTo(Promise.resolve('bad'), broken)
    const cut = together.answerTo(Promise.reject(new Error('cut off')), broken)
    const last = together.answerTo(Promise.resolve('last'), broken)
    expect(bad).rejects.toThrow('a fault in bad')
    expect(await bodyOf(first)).toBe('first')
    expect(await bodyOf(cut)).toBe('broken')
    expect(await bodyOf(last)).toBe('last')
  })

  test('wait for no more than the bound', async () => {
    const notes: string[] = []
    const together = noting(notes)
    const texts = Array.from({ length: TOGETHER_MAX + 1 }, (_, i) => `${i}`)
    const answers = texts.map(text => together.answerTo(Promise.resolve(text), broken))
    await settled()
    expect(notes).toHaveLength(TOGETHER_MAX)
    expect(await Promise.all(answers.map(bodyOf))).toEqual(texts)
  })
})

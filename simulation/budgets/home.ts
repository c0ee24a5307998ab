import { type Balance, isUndecided, newBalance } from '../../src/budgets/balance.ts'
import { type CampaignBudget, foldDays, newBudget, newDay, stopReason } from '../../src/budgets/budget.ts'
import { EvenPlans } from '../../src/budgets/even-plans.ts'
import { fenceShard } from '../../src/budgets/far-links.ts'
import { answerReport, hasUnspent, isScarce, pushGrant } from '../../src/budgets/far-shards.ts'
import { beginIncarnation } from '../../src/budgets/restores.ts'
import { dayAt } from '../../src/budgets/shard.ts'
import type { ShardGrant, ShardReport } from '../../src/budgets/shard-messages.ts'
import { TrafficCurve } from '../../src/budgets/traffic-curve.ts'
import type { Schedule } from '../../src/campaigns/campaign.ts'
import { campaignDay } from '../../src/campaigns/schedule.ts'
import { DueTimes } from '../../src/core/due-times.ts'
import { micros } from '../../src/core/money.ts'
import { decideAtOnce, grantUnchecked, unheard } from './breakages.ts'
import type { AdvertiserFacts, CampaignFacts } from './market.ts'
import type { FromWorker } from './messages.ts'
import { HOME_REGION } from './network.ts'
import type { Place, WorkerPlace } from './places.ts'
import type { Surroundings } from './surroundings.ts'
import { Unanswered } from './unanswered.ts'

const COMMIT_MS = 12
const TURN_MS = 1000
/** Tomorrow is opened so long before midnight. */
const TOMORROW_MS = 60_000
/** A plan changes with what comes back. */
const WAIT_MS_MAX = 60_000
const NEVER = Number.POSITIVE_INFINITY

interface Kept {
  readonly facts: CampaignFacts
  budget: CampaignBudget
  paused: boolean
  stopped: boolean
  /** Whether its shards were told to stop. */
  toldStopped: boolean
  /** When a day ends, or the one after it is to be opened. */
  dueAt: number
}

/** What is said to one worker. */
interface Line {
  sequence: number
  /** Of what it is to hear unasked, and has not been told. */
  readonly news: Set<Kept>
  readonly unanswered: Unanswered<Kept>
}

/** The home region's partition: the production balances and campaigns, around them a log that crashes and backups. */
export class Home implements Place {
  readonly kind = 'home'
  readonly region = HOME_REGION
  readonly curve = new TrafficCurve()
  private readonly kept = new Map<number, Kept>()
  private readonly campaignsOf = new Map<number, Kept[]>()
  private readonly lines = new Map<WorkerPlace, Line>()
  private readonly due = new DueTimes<Kept>(TURN_MS)
  /** All are to be looked at: it was down, or is restored and has to hear from its shards. */
  private looksAtAll = true
  private telling = false
  private readonly balances = new Map<number, Balance>()
  private readonly plans = new EvenPlans(this.curve)
  private readonly created: string
  private readonly schedules = new Map<number, Schedule>()
  private up = true
  /** Its disk is gone: it comes back with a backup only. */
  private lost = false
  private readonly refused: (() => void)[] = []
  private incarnation = 0
  private backup: { kept: [number, CampaignBudget][]; balances: [number, Balance][] } | null = null

  constructor(
    private readonly world: Surroundings,
    advertisers: readonly AdvertiserFacts[],
  ) {
    this.created = new Date(world.events.now).toISOString()
    for (const { number, deposit, campaigns } of advertisers) {
      const balance = newBalance(0)
      balance.balance = micros(deposit)
      this.balances.set(number, balance)
      const mine: Kept[] = []
      this.campaignsOf.set(number, mine)
      for (const facts of campaigns) {
        const { model, amount, timeZone } = facts
        const budget = newBudget({
          model,
          amount,
          totalCap: null,
          dailyCap: micros(facts.dailyCap),
          timeZone,
        })
        const kept = { facts, budget, paused: false, stopped: false, toldStopped: false, dueAt: NEVER }
        this.kept.set(facts.number, kept)
        mine.push(kept)
      }
    }
    const turn = () => {
      if (this.up) this.turn()
      world.events.after(world.isDraining ? 30 * TURN_MS : TURN_MS, turn)
    }
    world.events.after(0, turn)
  }

  get isUp(): boolean {
    return this.up
  }

  onReports(from: WorkerPlace, { number, reports, heard }: FromWorker): void {
    if (!this.up) return
    for (const of of heard) this.lineOf(from).unanswered.answered(of)
    if (reports.length === 0) return
    const generation = this.incarnation
    this.world.events.after(COMMIT_MS, () => {
      // A crash in between: the reports come again.
      if (!this.up || generation !== this.incarnation) return
      const grants: ShardGrant[] = []
      for (const report of reports) {
        this.world.auditor.reported(from, report)
        grants.push(this.answer(unheard(report, this.world.breakage)))
      }
      this.world.toWorker(from, {
        sequence: ++this.lineOf(from).sequence,
        answers: number,
        number: 0,
        grants,
      })
    })
  }

  /** The catalog reaches the workers: they hear of each campaign, and ask. */
  announce(worker: WorkerPlace, campaign: number): void {
    this.push(this.kept.get(campaign)!, worker)
  }

  pause(campaign: number, paused: boolean): void {
    this.command(() => {
      const kept = this.kept.get(campaign)!
      this.world.auditor.paused(campaign, paused)
      kept.paused = paused
      this.judge(kept)
    })
  }

  cut(campaign: number, dailyCap: number): void {
    this.command(() => {
      const kept = this.kept.get(campaign)!
      this.world.auditor.capChanged(kept.facts, dailyCap)
      kept.facts.dailyCap = dailyCap
      kept.budget.dailyCap = micros(dailyCap)
      this.judge(kept)
    })
  }

  /** An edit by hand. Where the home is down it is refused, and people try again until it is taken. */
  private command(run: () => void): void {
    if (this.up) run()
    else this.refused.push(run)
  }

  private goOn(): void {
    this.up = true
    this.looksAtAll = true
    this.world.homeUpSince = this.world.events.now
    for (const run of this.refused.splice(0)) run()
  }

  fence(worker: WorkerPlace): void {
    for (const { facts } of this.kept.values()) this.world.auditor.fenced(worker, facts.number)
    for (const [advertiser, balance] of this.balances) {
      fenceShard(balance, this.budgetsOf(advertiser), worker.shardNumber)
    }
  }

  crash(ms: number): void {
    this.up = false
    this.world.events.after(ms, () => {
      if (!this.lost) this.goOn()
    })
  }

  takeBackup(): void {
    this.backup = structuredClone({
      kept: [...this.kept].map(([number, { budget }]) => [number, budget]),
      balances: [...this.balances],
    })
  }

  lose(): void {
    this.up = false
    this.lost = true
  }

  restore(): void {
    const { kept, balances } = structuredClone(this.backup!)
    for (const [number, balance] of balances) this.balances.set(number, balance)
    this.incarnation++
    const shards = this.world.workers.map(({ shardNumber }) => shardNumber)
    for (const [number, budget] of kept) {
      const known = this.kept.get(number)!
      known.budget = budget
      // Caps are edits, and edits are in every region's catalog.
      budget.dailyCap = micros(known.facts.dailyCap)
    }
    for (const [advertiser, balance] of balances) {
      const budgets = this.budgetsOf(advertiser)
      beginIncarnation(balance, budgets, this.incarnation, shards)
      if (this.world.breakage === 'restore-grants-at-once') decideAtOnce(balance, budgets)
    }
    this.lost = false
    this.goOn()
    this.turn()
  }

  private budgetsOf(advertiser: number): CampaignBudget[] {
    return this.campaignsOf.get(advertiser)!.map(({ budget }) => budget)
  }

  private answer(report: ShardReport): ShardGrant {
    const kept = this.kept.get(report.campaign)!
    const { facts, budget } = kept
    const balance = this.balances.get(facts.advertiser)!
    const { now } = this.world.events
    this.openDays(budget, balance)
    const day = dayAt(budget, now)!
    const { allowance, factor, waitMs } = this.plans.paceOf(
      facts.number,
      this.campaignOf(facts),
      budget,
      day,
      now,
    )
    const wasScarce = isScarce(budget, now)
    const { shortAt } = budget
    const grant = answerReport(budget, balance, report, {
      now,
      allowance,
      pacing: factor,
      waitMs: Math.min(waitMs, WAIT_MS_MAX),
      stopped: kept.paused || kept.stopped,
    })
    for (const said of grant.honoured) this.world.auditor.honoured(report, said)
    this.judge(kept)
    const isNews = (!wasScarce && isScarce(budget, now)) || budget.shortAt !== shortAt
    if (isNews) this.pushHolders(kept, report.shard)
    return this.world.breakage === 'grant-unchecked' ? grantUnchecked(grant, report) : grant
  }

  private turn(): void {
    const { now } = this.world.events
    const due = this.looksAtAll ? [...this.kept.values()] : this.due.take(now)
    this.looksAtAll = false
    for (const kept of due) {
      const balance = this.balances.get(kept.facts.advertiser)!
      if (this.openDays(kept.budget, balance)) this.pushAll(kept)
      this.judge(kept)
      this.due.set(kept, nextLook(kept.budget, now))
      if (!isUndecided(balance)) continue
      // A restored campaign asks again until all have answered; a new day is told to all.
      this.looksAtAll = true
      for (const worker of this.world.workers) this.push(kept, worker)
    }
    for (const [worker, { unanswered }] of this.lines) {
      for (const kept of unanswered.takeLost(now)) this.push(kept, worker)
    }
  }

  private openDays(budget: CampaignBudget, balance: Balance): boolean {
    const { now } = this.world.events
    let opened = false
    for (const at of [now, now + TOMORROW_MS]) {
      if (dayAt(budget, at) !== null) continue
      const day = newDay(budget, campaignDay(budget.timeZone, at))
      if (day === null) continue
      budget.days.push(day)
      foldDays(budget, balance)
      opened = true
    }
    return opened
  }

  /** Tells all shards at once where the campaign stops or goes on. */
  private judge(kept: Kept): void {
    const balance = this.balances.get(kept.facts.advertiser)!
    const stopped = stopReason(kept.budget, balance, this.world.events.now) !== null
    kept.stopped = stopped
    if (kept.toldStopped === (stopped || kept.paused)) return
    kept.toldStopped = stopped || kept.paused
    this.pushAll(kept)
  }

  private pushAll(kept: Kept): void {
    for (const worker of this.world.workersFor(kept.facts)) this.push(kept, worker)
  }

  /** Money became scarce: those hear of it that may have some to give back. */
  private pushHolders(kept: Kept, asker: number): void {
    for (const worker of this.world.workersFor(kept.facts)) {
      if (worker.shardNumber !== asker && hasUnspent(kept.budget, worker.shardNumber)) this.push(kept, worker)
    }
  }

  /** In one message with all else that the worker is to hear now. */
  private push(kept: Kept, worker: WorkerPlace): void {
    this.lineOf(worker).news.add(kept)
    if (this.telling) return
    this.telling = true
    this.world.events.after(0, () => {
      this.telling = false
      for (const [to, line] of this.lines) if (line.news.size > 0) this.tell(to, line)
    })
  }

  private tell(worker: WorkerPlace, { news, unanswered }: Line): void {
    const { now } = this.world.events
    const about = [...news]
    news.clear()
    const number = unanswered.add(about, now)
    if (!this.up) return
    const grants = about.map(kept => {
      const to = { campaign: kept.facts.number, shard: worker.shardNumber }
      const stopped = kept.stopped || kept.paused
      return pushGrant(kept.budget, this.balances.get(kept.facts.advertiser)!, to, {
        now,
        stopped,
        pacing: 1,
      })
    })
    this.world.toWorker(worker, { sequence: ++this.lineOf(worker).sequence, answers: 0, number, grants })
  }

  private lineOf(worker: WorkerPlace): Line {
    let line = this.lines.get(worker)
    if (line === undefined) {
      line = { sequence: 0, news: new Set(), unanswered: new Unanswered() }
      this.lines.set(worker, line)
    }
    return line
  }

  private campaignOf(facts: CampaignFacts) {
    let schedule = this.schedules.get(facts.number)
    if (schedule === undefined) {
      schedule = { startAt: null, endAt: null, timeZone: facts.timeZone, dayparts: [] }
      this.schedules.set(facts.number, schedule)
    }
    return { pacing: facts.pacing, schedule, createdAt: this.created }
  }
}

/** The next end of a day, or time at which the day after it is opened. */
function nextLook({ days }: CampaignBudget, now: number): number {
  let next = NEVER
  for (const { end } of days) {
    if (end - TOMORROW_MS > now) next = Math.min(next, end - TOMORROW_MS)
    else if (end > now) next = Math.min(next, end)
  }
  return next
}

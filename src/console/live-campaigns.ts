import { type AdvertiserMoney, type CampaignMoney, moneyText, tightestLimit } from './campaign-limit.ts'

/** Rows of one look; an account with more has the API. */
const CAMPAIGNS_MAX = 200
/** Over how long the speed of spending is taken. */
const SPEED_MS = 20_000
const KEY_NAME = 'farthing-key'

interface Seen {
  readonly at: number
  readonly totalMicros: number
}

/** The part of the page that needs a key: kept for this tab only, and never in the address. */
export class Campaigns {
  private key = sessionStorage.getItem(KEY_NAME)
  private readonly spending = new Map<string, Seen[]>()

  constructor(
    private readonly list: HTMLElement,
    private readonly note: HTMLElement,
    private readonly form: HTMLFormElement,
    private readonly forget: HTMLButtonElement,
  ) {
    form.addEventListener('submit', event => {
      event.preventDefault()
      const field = form.querySelector('input')!
      this.use(field.value.trim())
      field.value = ''
    })
    forget.addEventListener('click', () => this.use(null))
    window.addEventListener('hashchange', () => this.takeFromAddress())
    this.takeFromAddress()
    this.showForm()
  }

  async refresh(): Promise<void> {
    const { key } = this
    if (key === null) return
    const headers = { Authorization: `Bearer ${key}` }
    const [answer, accounts] = await Promise.all([
      fetch(`/v1/campaigns?limit=${CAMPAIGNS_MAX}`, { headers }),
      fetch(`/v1/advertisers?limit=${CAMPAIGNS_MAX}`, { headers }),
    ])
    if (key !== this.key) return
    if (answer.status === 401) return this.use(null, 'That key is not known here.')
    if (!answer.ok) return this.say(`The campaigns cannot be read with this key (${answer.status}).`)
    const page = (await answer.json()) as { items: CampaignMoney[]; nextCursor: string | null }
    const advertisers = accounts.ok ? ((await accounts.json()) as { items: AdvertiserMoney[] }).items : []
    if (key !== this.key) return
    this.draw(page.items, new Map(advertisers.map(advertiser => [advertiser.id, advertiser])))
    const more = page.nextCursor === null ? '' : `The first ${CAMPAIGNS_MAX}; the API lists them all.`
    this.say(
      page.items.length === 0
        ? 'There is no campaign yet.'
        : `${spentToday(page.items)} spent today. ${more}`,
    )
  }

  private draw(campaigns: readonly CampaignMoney[], advertisers: ReadonlyMap<string, AdvertiserMoney>): void {
    const rows = campaigns
      .filter(({ archived }) => !archived)
      .sort(byState)
      .map(campaign => this.row(campaign, advertisers.get(campaign.advertiserId)))
    this.list.replaceChildren(...rows)
  }

  private row(campaign: CampaignMoney, advertiser: AdvertiserMoney | undefined): HTMLElement {
    const { bid, currency, name, spend, status } = campaign
    const limit = tightestLimit(campaign, advertiser)
    const row = document.createElement('li')
    const price = `${moneyText(bid.amountMicros, currency)} a ${bid.model === 'cpc' ? 'click' : 'thousand shown'}`
    const title = element('span', '', element('span', 'name', name), element('span', 'price', price))
    const tone = status === 'active' ? 'active' : status in STATUS ? 'spent-out' : ''
    const badge = element('span', `status ${tone}`, STATUS[status] ?? status)
    const spent = element('span', 'spent')
    const bar = element('span')
    if (limit === null) {
      spent.append(element('b', '', moneyText(spend.totalMicros, currency)), ' spent, no limit')
    } else {
      const share = limit.limitMicros === 0 ? 1 : limit.spentMicros / limit.limitMicros
      const of = `of ${moneyText(limit.limitMicros, currency)} ${limit.of}`
      const heldShare = limit.limitMicros === 0 ? 0 : limit.heldMicros / limit.limitMicros
      bar.className = 'bar'
      bar.setAttribute('role', 'meter')
      bar.setAttribute('aria-label', `Spent ${of}`)
      bar.setAttribute('aria-valuemin', '0')
      bar.setAttribute('aria-valuemax', '100')
      bar.setAttribute('aria-valuenow', (share * 100).toFixed(0))
      bar.append(part('', share), part('held', Math.min(heldShare, 1 - share)))
      if (share + heldShare > 0.9) row.className = 'low'
      spent.append(element('b', '', moneyText(limit.spentMicros, currency)), ` ${of}`)
      const left = this.secondsLeft(campaign, limit.leftMicros)
      if (status === 'active' && limit.leftMicros > 0 && limit.heldMicros === limit.leftMicros) {
        spent.append(', the rest is held')
      } else if (status === 'active' && left !== null) spent.append(`, ${lastsText(left)}`)
    }
    row.append(title, badge, bar, spent)
    return row
  }

  /** How long the money lasts at the speed of the last seconds; null where nothing is spent. */
  private secondsLeft({ id, spend }: CampaignMoney, leftMicros: number): number | null {
    const now = performance.now()
    const seen = (this.spending.get(id) ?? []).filter(({ at }) => now - at <= SPEED_MS)
    seen.push({ at: now, totalMicros: spend.totalMicros })
    this.spending.set(id, seen)
    const { at, totalMicros } = seen[0]!
    const spent = spend.totalMicros - totalMicros
    return spent <= 0 ? null : (leftMicros / spent) * ((now - at) / 1000)
  }

  private takeFromAddress(): void {
    const key = new URLSearchParams(location.hash.slice(1)).get('key')
    if (key === null) return
    // Neither the history of the browser nor a copied address gives it away.
    history.replaceState(null, '', location.pathname)
    this.use(key)
  }

  private use(key: string | null, why = ''): void {
    this.key = key === '' ? null : key
    if (this.key === null) sessionStorage.removeItem(KEY_NAME)
    else sessionStorage.setItem(KEY_NAME, this.key)
    this.spending.clear()
    this.list.replaceChildren()
    this.showForm()
    this.say(why)
    this.refresh().catch(() => this.say('No answer. Trying again.'))
  }

  private showForm(): void {
    this.form.hidden = this.key !== null
    this.forget.hidden = this.key === null
  }

  private say(text: string): void {
    if (this.note.textContent !== text) this.note.textContent = text
    this.note.hidden = text === ''
  }
}

/** Why a campaign without money stands still. Other statuses say it themselves. */
const STATUS: Readonly<Record<string, string>> = {
  exhaustedDaily: 'spent for today',
  exhausted: 'spent',
  unfunded: 'out of money',
}

function part(className: string, share: number): HTMLElement {
  const made = element('span', className)
  made.style.width = `${(share * 100).toFixed(1)}%`
  return made
}

/** Those that spend, then those that may again, by name. */
function byState(a: CampaignMoney, b: CampaignMoney): number {
  const order = (status: string) => (status === 'active' ? 0 : status in STATUS ? 1 : 2)
  return order(a.status) - order(b.status) || a.name.localeCompare(b.name)
}

/** `$12.30 and €4.00`: what the campaigns spent today, each in its own currency. */
function spentToday(campaigns: readonly CampaignMoney[]): string {
  const byCurrency = new Map<string, number>()
  for (const { currency, spend } of campaigns) {
    byCurrency.set(currency, (byCurrency.get(currency) ?? 0) + spend.todayMicros)
  }
  return [...byCurrency].map(([currency, micros]) => moneyText(micros, currency)).join(' and ')
}

/** Texts of accounts are put in as text, never as markup. */
function element(name: string, className = '', ...content: (Node | string)[]): HTMLElement {
  const made = document.createElement(name)
  if (className !== '') made.className = className
  made.append(...content)
  return made
}

function lastsText(seconds: number): string {
  if (seconds < 90) return `lasts ${Math.ceil(seconds)} s`
  if (seconds < 5400) return `lasts ${Math.round(seconds / 60)} min`
  return `lasts ${Math.round(seconds / 3600)} h`
}

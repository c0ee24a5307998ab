const MICROS = 1_000_000
const MREC = [300, 250] as const
const BOARD = [728, 90] as const
const PHONE = [320, 50] as const
const TOWER = [160, 600] as const
export type Size = readonly [w: number, h: number]

export const ADVERTISERS = {
  harbour: { name: 'Harbour Coffee', domain: 'harbourcoffee.example', deposit: 1000, colour: '#7a4a21' },
  alpine: { name: 'Alpine Outfitters', domain: 'alpineoutfitters.example', deposit: 2000, colour: '#2b5f7a' },
  lumen: { name: 'Lumen Bank', domain: 'lumenbank.example', deposit: 5000, colour: '#3d3a78' },
  // Runs dry while one watches.
  corner: { name: 'Corner Bookshop', domain: 'cornerbooks.example', deposit: 15, colour: '#7a2b3d' },
} as const

export interface Plan {
  readonly of: keyof typeof ADVERTISERS
  readonly name: string
  readonly model: 'cpc' | 'cpm'
  /** Of a click, or of a thousand impressions, in dollars. */
  readonly price: number
  readonly sizes: readonly Size[]
  readonly more?: object
  readonly paused?: true
}

export const dollars = (amount: number) => Math.round(amount * MICROS)
const budget = (totalMicros: number | null, dailyMicros: number | null = null) => ({
  totalMicros,
  dailyMicros,
})

export function plans(): readonly Plan[] {
  return [
    {
      of: 'lumen',
      name: 'Lumen cards, all markets',
      model: 'cpm',
      price: 1.2,
      sizes: [MREC, BOARD, PHONE, TOWER],
      more: { budget: budget(null, dollars(200)) },
    },
    {
      of: 'alpine',
      name: 'Alpine boots, clicks',
      model: 'cpc',
      price: 3,
      sizes: [MREC, BOARD, PHONE],
      more: { budget: budget(dollars(400), dollars(90)) },
    },
    {
      of: 'harbour',
      name: 'Harbour flash sale: gone in a minute',
      model: 'cpc',
      price: 6,
      sizes: [MREC, PHONE],
      more: { budget: budget(dollars(80)) },
    },
    {
      of: 'harbour',
      name: 'Harbour beans, tight daily cap',
      model: 'cpc',
      price: 4,
      sizes: [BOARD, TOWER],
      more: { budget: budget(null, dollars(60)) },
    },
    {
      of: 'harbour',
      name: 'Harbour weekend, tight total',
      model: 'cpm',
      price: 12,
      sizes: [MREC, PHONE],
      more: { budget: budget(dollars(40)) },
    },
    { of: 'corner', name: 'Bookshop, nearly out of money', model: 'cpm', price: 9, sizes: [BOARD, TOWER] },
    {
      of: 'alpine',
      name: 'Alpine Europe only',
      model: 'cpm',
      price: 7,
      sizes: [MREC, BOARD],
      more: { targeting: { countries: ['DEU', 'FRA', 'GBR'] }, budget: budget(null, dollars(60)) },
    },
    {
      of: 'lumen',
      name: 'Lumen app, once a person',
      model: 'cpm',
      price: 10,
      sizes: [PHONE],
      more: {
        frequencyCap: { impressions: 1, perSeconds: 3600 },
        targeting: { deviceTypes: ['mobile'] },
        budget: budget(dollars(50)),
      },
    },
    {
      of: 'lumen',
      name: 'Lumen savings, paced evenly',
      model: 'cpm',
      price: 6,
      sizes: [TOWER, BOARD],
      more: { pacing: 'even', budget: budget(null, dollars(300)) },
    },
    {
      of: 'alpine',
      name: 'Alpine evenings, closed now',
      model: 'cpm',
      price: 20,
      sizes: [MREC, BOARD],
      more: { schedule: { dayparts: [closedNow()] } },
    },
    {
      of: 'harbour',
      name: 'Harbour spring, paused',
      model: 'cpm',
      price: 25,
      sizes: [MREC, PHONE],
      paused: true,
    },
  ]
}

/** Two hours of the day, UTC, from eleven hours on: never now, and not while one watches. */
function closedNow(): object {
  const hour = (new Date().getUTCHours() + 11) % 24
  const two = (value: number) => String(value).padStart(2, '0')
  return { days: [1, 2, 3, 4, 5, 6, 7], from: `${two(hour)}:00`, to: `${two(Math.min(hour + 2, 24))}:00` }
}

export const PUBLISHERS = [
  {
    name: 'The Daily Meridian',
    domain: 'dailymeridian.example',
    revenueShare: 0.8,
    slots: [
      ['Front page', BOARD],
      ['Article', MREC],
      ['Side', TOWER],
    ],
  },
  {
    name: 'Trail Notes',
    domain: 'trailnotes.example',
    revenueShare: 0.7,
    slots: [
      ['Between posts', MREC],
      ['Phone foot', PHONE],
    ],
  },
  {
    name: 'Pocket Weather',
    domain: 'pocketweather.example',
    revenueShare: 0.75,
    slots: [
      ['Forecast', PHONE],
      ['Radar', MREC],
    ],
  },
] as const

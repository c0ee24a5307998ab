import { unreachable } from '../core/assert.ts'
import { hash32 } from '../core/bytes.ts'
import { partitionOf } from '../core/ids.ts'
import { type Outcome, refused } from '../core/outcome.ts'
import type { Command } from '../records/events.ts'
import { isObject } from './check-body.ts'
import {
  createAdvertiser,
  createPlacement,
  createPublisher,
  patchAdvertiser,
  patchPlacement,
  patchPublisher,
} from './edit-accounts.ts'
import { addAd, createCampaign, patchAd, patchCampaign, pauseCampaign } from './edit-campaigns.ts'
import { createKey, deleteKey } from './edit-keys.ts'
import { accountNumber, type Directory, type Edit, type EditContext, parseAccount } from './edit-shared.ts'

export {
  accountNumber,
  type Directory,
  type Edit,
  type EditContext,
  type Entity,
} from './edit-shared.ts'

export const EDIT_COMMANDS = [
  'createAdvertiser',
  'patchAdvertiser',
  'createPublisher',
  'patchPublisher',
  'createPlacement',
  'patchPlacement',
  'createCampaign',
  'patchCampaign',
  'pauseCampaign',
  'resumeCampaign',
  'addAd',
  'patchAd',
  'createKey',
  'deleteKey',
] as const

export type EditCommand = (typeof EDIT_COMMANDS)[number]

export function isEditCommand(name: string): name is EditCommand {
  return (EDIT_COMMANDS as readonly string[]).includes(name)
}

/** The partition that decides a command, once its claim (if it has one) is won. */
export function commandPartition(
  command: Pick<Command, 'name' | 'requestId' | 'target' | 'body'>,
  partitions: number,
): number {
  const field = (key: string) => (isObject(command.body) ? command.body[key] : undefined)
  switch (command.name) {
    case 'createAdvertiser':
    case 'createPublisher':
      return hash32(command.requestId) % partitions
    case 'createPlacement':
      return partitionOf(parseAccount('publisher', field('publisherId')) ?? 0) % partitions
    case 'createCampaign':
      return partitionOf(parseAccount('advertiser', field('advertiserId')) ?? 0) % partitions
    case 'createKey':
      return partitionOf(accountNumber(field('accountId')) ?? 0) % partitions
    default:
      return partitionOf(command.target ?? 0) % partitions
  }
}

/** Pure: the same directory, command and context give the same edit on every replay. */
export function decideEdit(directory: Directory, command: Command, context: EditContext): Outcome<Edit> {
  if (!isEditCommand(command.name)) return refused(400, `No edit is called ${command.name}.`)
  switch (command.name) {
    case 'createAdvertiser':
      return createAdvertiser(command.body, context)
    case 'patchAdvertiser':
      return patchAdvertiser(directory, command)
    case 'createPublisher':
      return createPublisher(command.body, context)
    case 'patchPublisher':
      return patchPublisher(directory, command)
    case 'createPlacement':
      return createPlacement(directory, command.body, context)
    case 'patchPlacement':
      return patchPlacement(directory, command)
    case 'createCampaign':
      return createCampaign(directory, command.body, context)
    case 'patchCampaign':
      return patchCampaign(directory, command, context)
    case 'pauseCampaign':
      return pauseCampaign(directory, command, context, true)
    case 'resumeCampaign':
      return pauseCampaign(directory, command, context, false)
    case 'addAd':
      return addAd(directory, command, context)
    case 'patchAd':
      return patchAd(directory, command, context)
    case 'createKey':
      return createKey(directory, command.body, context)
    case 'deleteKey':
      return deleteKey(directory, command)
    default:
      return unreachable(command.name)
  }
}

import type { EntityManager } from 'typeorm';
import { sha256 } from '../platform/crypto.js';
import type { Transaction } from '../platform/database/database.js';
import { upsertRows } from '../platform/database/rows.js';
import { DisabledEndpoint } from './outbound.entity.js';

/*
 * An endpoint that answered 410 is asked nothing more: until its source has another URL in the settings, or somebody
 * replays a message of the source.
 */

export async function isDisabled(manager: EntityManager, source: string, url: string): Promise<boolean> {
  return manager.existsBy(DisabledEndpoint, { source, urlHash: hashOf(url) });
}

export function disableEndpoint(tx: Transaction, source: string, url: string, now: number): Promise<void> {
  return upsertRows(tx, DisabledEndpoint, [{ source, urlHash: hashOf(url), disabledAt: now }]);
}

/** For whoever replays. */
export async function enableEndpoint(tx: Transaction, source: string): Promise<void> {
  await tx.delete(DisabledEndpoint, { source });
}

/** A URL may have a secret in it. */
function hashOf(url: string): string {
  return sha256(url).toString('hex');
}

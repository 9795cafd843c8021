import { Injectable } from '@nestjs/common';
import { In, type EntityManager } from 'typeorm';
import { Config } from '../config.js';
import { newId } from '../ids.js';
import { Clock } from '../platform/clock.js';
import type { KeyRing } from '../platform/crypto.js';
import type { Transaction } from '../platform/database/database.js';
import { asEntities, run, selectRows } from '../platform/database/rows.js';
import { Suppression, type SuppressionReason } from './feedback.entity.js';

/** Soft bounces in a row after which an address gets no more mails. */
const SOFT_BOUNCES = 5;
/**
 * A row is broken by a word that a mail was delivered. Over plain SMTP nobody says that, so it also ends by time: five
 * full mailboxes in a month are a dead one, five in two years are somebody on holiday.
 */
const SOFT_ROW_MS = 30 * 24 * 3_600_000;
const PAGE = 100;

const STANDS = 'since IS NOT NULL AND released_at IS NULL';

/**
 * What stands for an address that must not be known any more, under each key of the ring, the current one first. Whoever
 * has the address and a key finds it again; nobody reads the address out of it.
 */
export function tombstonesOf(ring: KeyRing, addressKey: string): string[] {
  const data = Buffer.from(addressKey);
  return ring.names.map((kid) => `erased:${kid}:${ring.sign('erased-address', data, kid).mac.toString('base64url')}`);
}

/** The addresses that get no mail any more. `addressKey` is `EmailAddress.key` everywhere. */
@Injectable()
export class Suppressions {
  constructor(
    private readonly config: Config,
    private readonly clock: Clock,
  ) {}

  /** Which of these addresses are suppressed, and why: one statement, however many they are. */
  async among(manager: EntityManager, addressKeys: string[]): Promise<Map<string, SuppressionReason>> {
    if (addressKeys.length === 0) return new Map();
    const addressOf = new Map(addressKeys.flatMap((one) => this.keysOf(one).map((key) => [key, one])));
    const found = await run<{ address_key: string; reason: SuppressionReason }>(
      manager,
      `SELECT address_key, reason FROM suppressions WHERE address_key IN ? AND ${STANDS}`,
      [[...addressOf.keys()]],
    );
    return new Map(found.map((row) => [addressOf.get(row.address_key)!, row.reason]));
  }

  async isSuppressed(manager: EntityManager, addressKey: string): Promise<boolean> {
    return (await this.among(manager, [addressKey])).size > 0;
  }

  /** Sends nothing there any more. What stands already keeps its reason and time, unless the reader complains as well. */
  async suppress(tx: Transaction, addressKey: string, reason: SuppressionReason): Promise<void> {
    const now = this.clock.now();
    await run(
      tx,
      `INSERT INTO suppressions (id, address_key, reason, soft_count, since) VALUES (?, ?, ?, 0, ?)
       ON CONFLICT (address_key) DO UPDATE SET reason = excluded.reason, since = excluded.since, released_at = NULL
       WHERE suppressions.since IS NULL OR suppressions.released_at IS NOT NULL OR excluded.reason = 'complaint'`,
      [newId('sup', now), addressKey, reason, now],
    );
  }

  /** Counts one in one statement, so that parallel ones are all counted; the fifth in a row suppresses. */
  async countSoftBounce(tx: Transaction, addressKey: string): Promise<void> {
    const now = this.clock.now();
    const [row] = await run<{ soft_count: number }>(
      tx,
      `INSERT INTO suppressions (id, address_key, soft_count, soft_at) VALUES (?, ?, 1, ?)
       ON CONFLICT (address_key) DO UPDATE SET soft_at = excluded.soft_at,
       soft_count = CASE WHEN suppressions.soft_at > ? THEN suppressions.soft_count + 1 ELSE 1 END
       RETURNING soft_count`,
      [newId('sup', now), addressKey, now, now - SOFT_ROW_MS],
    );
    if (row!.soft_count >= SOFT_BOUNCES) await this.suppress(tx, addressKey, 'soft-bounces');
  }

  /** A mail arrived: the row of soft bounces is broken. A suppression stands until somebody releases it. */
  async forgetSoftBounces(tx: Transaction, addressKey: string): Promise<void> {
    await run(tx, 'UPDATE suppressions SET soft_count = 0 WHERE address_key = ? AND soft_count > 0', [addressKey]);
  }

  /** Lets mails go there again; null if none were held back. Audit it in the same transaction. */
  async release(tx: Transaction, addressKey: string): Promise<Suppression | null> {
    const values = [this.clock.now(), this.keysOf(addressKey)];
    const text = `UPDATE suppressions SET released_at = ?, soft_count = 0 WHERE address_key IN ? AND ${STANDS} RETURNING *`;
    const [released] = asEntities(tx, Suppression, await run(tx, text, values));
    return released ?? null;
  }

  /** All that is known of an address, suppressed or not. */
  async find(manager: EntityManager, addressKey: string): Promise<Suppression | null> {
    const found = await manager.findBy(Suppression, { addressKey: In(this.keysOf(addressKey)) });
    return found.find(({ since, releasedAt }) => since !== null && releasedAt === null) ?? found[0] ?? null;
  }

  /** Forgets the address of a person; what stands against it stays, under a keyed hash. Returns whether anything did. */
  async forget(tx: Transaction, addressKey: string): Promise<boolean> {
    const [tombstone] = tombstonesOf(this.config.secretKeys, addressKey);
    // It may stand already: the person was erased before, and suppressed anew since.
    const kept = await run(
      tx,
      `INSERT INTO suppressions (id, address_key, reason, soft_count, since)
       SELECT ?, ?, reason, 0, since FROM suppressions WHERE address_key = ? AND ${STANDS}
       ON CONFLICT (address_key) DO UPDATE SET since = excluded.since, released_at = NULL
       RETURNING id`,
      [newId('sup', this.clock.now()), tombstone, addressKey],
    );
    await run(tx, 'DELETE FROM suppressions WHERE address_key = ?', [addressKey]);
    return kept.length > 0;
  }

  private keysOf(addressKey: string): string[] {
    return [addressKey, ...tombstonesOf(this.config.secretKeys, addressKey)];
  }

  /** A page of those that stand, newest row first; `before` is the last id of the page before. */
  async list(manager: EntityManager, before: string): Promise<Suppression[]> {
    return selectRows(manager, Suppression, `WHERE ${STANDS} AND id < ? ORDER BY id DESC LIMIT ${PAGE}`, [before]);
  }
}

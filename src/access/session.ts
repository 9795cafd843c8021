import { Injectable } from '@nestjs/common';
import { IsNull } from 'typeorm';
import { Config } from '../config.js';
import { newId, type Holder, type Id } from '../ids.js';
import { Clock } from '../platform/clock.js';
import { hashToken, randomToken } from '../platform/crypto.js';
import { Database, type Transaction } from '../platform/database/database.js';
import { run } from '../platform/database/rows.js';
import { Session } from './access.entity.js';

const TOKEN_BYTES = 32;
/** The last use is written at most this often: a page view must not cost a commit. */
const TOUCH_EVERY_MS = 60_000;

/** What a valid session opens: this ticket, as this participant, while that generation stands. */
export interface OpenSession extends Holder {
  id: Id<'ses'>;
}

/** Sessions of verified guests, one per ticket and browser. Only the hash of a token is stored. */
@Injectable()
export class Sessions {
  constructor(
    private readonly config: Config,
    private readonly database: Database,
    private readonly clock: Clock,
  ) {}

  /** Opens a session and returns its token: 256 random bits, new at each success. */
  async open(tx: Transaction, holder: Holder): Promise<string> {
    const now = this.clock.now();
    const token = randomToken(TOKEN_BYTES);
    await tx.insert(Session, {
      id: newId('ses', now),
      tokenHash: hashToken(token),
      ticketId: holder.ticketId,
      participantId: holder.participantId,
      generation: holder.generation,
      createdAt: now,
      lastUsedAt: now,
      expiresAt: now + this.config.sessionLifetimeHours * 3_600_000,
      endedAt: null,
    });
    return token;
  }

  /** The session of this token on this ticket, if it still lives. A token of another ticket finds nothing. */
  async find(token: string, ticketId: string): Promise<OpenSession | null> {
    const now = this.clock.now();
    const session = await this.database.read((manager) =>
      manager.findOneBy(Session, { tokenHash: hashToken(token), ticketId: ticketId as Id<'tkt'>, endedAt: IsNull() }),
    );
    if (session === null || session.expiresAt <= now) return null;
    if (session.lastUsedAt + this.config.sessionIdleMinutes * 60_000 <= now) return null;
    if (session.lastUsedAt + TOUCH_EVERY_MS <= now)
      await this.database.write((tx) => tx.update(Session, { id: session.id, endedAt: IsNull() }, { lastUsedAt: now }));
    const { id, participantId, generation } = session;
    return { id, ticketId: session.ticketId, participantId, generation };
  }

  /** Those of these sessions that still live, by the time of `find`. Looking on is no use: it keeps none of them alive. */
  async alive(ids: Id<'ses'>[]): Promise<Set<string>> {
    const now = this.clock.now();
    const rows = await this.database.read((manager) =>
      run<{ id: string }>(
        manager,
        `SELECT s.id AS id FROM sessions s JOIN participants p ON p.id = s.participant_id
         WHERE s.id IN ? AND s.ended_at IS NULL AND s.expires_at > ? AND s.last_used_at > ?
           AND p.generation = s.generation AND p.ended_at IS NULL`,
        [ids, now, now - this.config.sessionIdleMinutes * 60_000],
      ),
    );
    return new Set(rows.map(({ id }) => id));
  }

  /**
   * Whose session it was that this token opened once: it opens nothing any more, but what is sent with it may be kept
   * for them. Null for a token that nobody was given, and for a session that was ended on purpose.
   */
  async findExpired(token: string, ticketId: Id<'tkt'>): Promise<OpenSession | null> {
    const session = await this.database.read((manager) =>
      manager.findOneBy(Session, { tokenHash: hashToken(token), ticketId, endedAt: IsNull() }),
    );
    if (session === null) return null;
    const { id, participantId, generation } = session;
    return { id, ticketId, participantId, generation };
  }

  /** Ends it on the server: the cookie alone opens nothing any more. */
  async end(id: Id<'ses'>): Promise<void> {
    await this.database.write((tx) => tx.update(Session, { id }, { endedAt: this.clock.now() }));
  }
}

/** Ends all sessions of a participant. */
export async function endSessions(tx: Transaction, participantId: Id<'ptc'>, now: number): Promise<void> {
  await tx.update(Session, { participantId, endedAt: IsNull() }, { endedAt: now });
}

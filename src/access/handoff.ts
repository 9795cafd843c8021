import { Injectable } from '@nestjs/common';
import { SignJWT } from 'jose';
import { IsNull, LessThanOrEqual, MoreThan } from 'typeorm';
import { Config } from '../config.js';
import { newId, type Holder, type Id } from '../ids.js';
import { Clock } from '../platform/clock.js';
import { hashToken, randomToken } from '../platform/crypto.js';
import { Database, type Transaction } from '../platform/database/database.js';
import type { Source } from '../sources.js';
import { Handoff } from './access.entity.js';

const LIFETIME_SECONDS = 60;
const TOKEN_BYTES = 32;
const TOKEN = /^hof_[\w-]{43}$/;
const PARAMETER = 'handoff';

/** The ticket as its source knows it, and the address that was proven. */
export interface HandedTicket {
  sourceTicketId: string;
  number: string;
  email: string;
}

export interface RedeemedHandoff extends Holder {
  id: Id<'hof'>;
  /** The page that it was made for. */
  target: string;
  verifiedAt: number;
}

/**
 * Takes a verified guest to the source's own ticket page: by a token that the page's server redeems once, or by a JWT that
 * it verifies itself. Either lives a minute and says no more than that this guest reads mail at that address.
 */
@Injectable()
export class Handoffs {
  constructor(
    private readonly config: Config,
    private readonly database: Database,
    private readonly clock: Clock,
  ) {}

  /** Where the source's page of this ticket is; null without one, or where number or id fit no address. */
  target({ ticketPage }: Source, { sourceTicketId, number }: Omit<HandedTicket, 'email'>): string | null {
    return ticketPage?.addressFor({ id: sourceTicketId, number }) ?? null;
  }

  /** The address to send the browser to, made in the transaction that consumes the code. `target` is from `target()`. */
  async issue(
    tx: Transaction,
    holder: Holder,
    { source, ticket, target }: { source: Source; ticket: HandedTicket; target: string },
  ): Promise<string> {
    const value =
      source.handoff === 'jwt'
        ? await this.sign(holder, ticket, target)
        : await this.keepToken(tx, holder, source, target);
    const { sourceTicketId: id, number } = ticket;
    return source.ticketPage!.addressFor({ id, number }, { name: PARAMETER, value })!;
  }

  /**
   * Uses up a token of that source, or returns null: unknown, used, too old and another source's are all the same. One
   * conditional update decides, so of many at once, over several processes, one is given it.
   */
  async redeem(source: string, token: string): Promise<RedeemedHandoff | null> {
    if (!TOKEN.test(token)) return null;
    const tokenHash = hashToken(token);
    return this.database.write(async (tx) => {
      const now = this.clock.now();
      const used = await tx.update(
        Handoff,
        { tokenHash, source, redeemedAt: IsNull(), expiresAt: MoreThan(now) },
        { redeemedAt: now },
      );
      if (used.affected !== 1) return null;
      const { id, ticketId, participantId, generation, target, createdAt } = await tx.findOneByOrFail(Handoff, {
        tokenHash,
      });
      return { id, ticketId, participantId, generation, target, verifiedAt: createdAt };
    });
  }

  private async keepToken(tx: Transaction, holder: Holder, source: Source, target: string): Promise<string> {
    const now = this.clock.now();
    const { ticketId, participantId, generation } = holder;
    // What is over is of no use to anybody.
    await tx.delete(Handoff, { participantId, expiresAt: LessThanOrEqual(now) });
    const token = `hof_${randomToken(TOKEN_BYTES)}`;
    await tx.insert(Handoff, {
      id: newId('hof', now),
      tokenHash: hashToken(token),
      source: source.name,
      ticketId,
      participantId,
      generation,
      target,
      createdAt: now,
      expiresAt: now + LIFETIME_SECONDS * 1000,
      redeemedAt: null,
    });
    return token;
  }

  /** RFC 7519, EdDSA (RFC 8037). */
  private sign({ participantId }: Holder, ticket: HandedTicket, target: string): Promise<string> {
    const { kid, key } = this.config.handoffKeys.current();
    const issuedAt = Math.floor(this.clock.now() / 1000);
    const { sourceTicketId: id, number, email } = ticket;
    return new SignJWT({ ticket: { id, number }, email, email_verified: true })
      .setProtectedHeader({ alg: 'EdDSA', kid, typ: 'JWT' })
      .setIssuer(this.config.publicUrl)
      .setAudience(new URL(target).origin)
      .setSubject(participantId)
      .setIssuedAt(issuedAt)
      .setExpirationTime(issuedAt + LIFETIME_SECONDS)
      .setJti(randomToken(16))
      .sign(key);
  }
}

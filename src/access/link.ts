import { Injectable } from '@nestjs/common';
import { Config } from '../config.js';
import { idBytes, idOfBytes, type Id } from '../ids.js';
import { sha256 } from '../platform/crypto.js';
import { openToken, signToken } from '../platform/signed-token.js';

const PURPOSE = 'ticket-link';
const PAYLOAD_BYTES = 44;
const DAY_MS = 86_400_000;

/** What a link stands for. It opens nothing by itself: it only says to whom a code may be sent. */
export interface TicketLink {
  source: string;
  ticketId: Id<'tkt'>;
  participantId: Id<'ptc'>;
  /** Raised to revoke: a link of a lower generation is dead. */
  generation: number;
  /** ms since 1970, whole seconds. */
  expiresAt: number;
}

export type OpenedLink =
  | {
      ok: true;
      ticketId: Id<'tkt'>;
      participantId: Id<'ptc'>;
      generation: number;
      expired: boolean;
      /** ms since 1970, whole seconds. */
      expiresAt: number;
      isOf(source: string): boolean;
    }
  | { ok: false };

/** Makes and opens the signed links of the mails. No address, name or subject is in them. */
@Injectable()
export class Links {
  constructor(private readonly config: Config) {}

  /** What a link made now is signed with and until when it lives: stored, so that each try of a mail has the same link. */
  terms(now: number): { kid: string; expiresAt: number } {
    const expiresAt = now + this.config.linkLifetimeDays * DAY_MS;
    return { kid: this.config.linkKeys.nameFor(), expiresAt: expiresAt - (expiresAt % 1000) };
  }

  /** The whole URL, always from `PUBLIC_URL`. A kid that was cut off meanwhile gives way to the current one. */
  url(link: TicketLink, kid?: string): string {
    const payload = Buffer.alloc(PAYLOAD_BYTES);
    sourceTag(link.source).copy(payload, 0);
    idBytes(link.ticketId).copy(payload, 4);
    idBytes(link.participantId).copy(payload, 20);
    payload.writeUInt32BE(link.generation, 36);
    payload.writeUInt32BE(Math.floor(link.expiresAt / 1000), 40);
    return `${this.config.publicUrl}/t/${signToken(this.config.linkKeys, PURPOSE, payload, kid)}`;
  }

  /** Opens a token. Whether its generation and source still stand is for the caller to compare with the rows. */
  open(token: string, now: number): OpenedLink {
    const payload = openToken(this.config.linkKeys, PURPOSE, token);
    if (payload === null || payload.length !== PAYLOAD_BYTES) return { ok: false };
    const expiresAt = payload.readUInt32BE(40) * 1000;
    return {
      ok: true,
      ticketId: idOfBytes('tkt', payload.subarray(4, 20)),
      participantId: idOfBytes('ptc', payload.subarray(20, 36)),
      generation: payload.readUInt32BE(36),
      expired: expiresAt <= now,
      expiresAt,
      isOf: (source) => sourceTag(source).equals(payload.subarray(0, 4)),
    };
  }
}

/** Four bytes that name a source, so that a ticket id alone never leads across sources. */
function sourceTag(source: string): Buffer {
  return sha256(`source:${source}`).subarray(0, 4);
}

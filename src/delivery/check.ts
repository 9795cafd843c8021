import { Injectable } from '@nestjs/common';
import { randomBytes } from 'node:crypto';
import { maskAddress } from '../platform/address.js';
import { Database } from '../platform/database/database.js';
import { Delivery } from './delivery.entity.js';
import { hasLeft } from './states.js';

// Crockford's base32: signs that nobody takes for one another, and readings for those that somebody will.
const SIGNS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const REFERENCE_SIGNS = 13; // 65 bits
const REFERENCE = new RegExp(`^[${SIGNS}]{${REFERENCE_SIGNS}}$`);

/** A mail with this reference was ours: what its reader may compare. */
export interface RecognisedMail {
  ticketNumber: string;
  maskedAddress: string;
  /** ms since 1970 */
  sentAt: number;
  locale: string;
  timeZone: string;
  brand: string;
}

export function newCheckReference(): string {
  return [...randomBytes(REFERENCE_SIGNS)].map((byte) => SIGNS[byte % 32]).join('');
}

/** `7QK3-M8WD-2XHVA`: groups that can be typed from a small screen. */
export function writtenReference(reference: string): string {
  return reference.replace(/^(.{4})(.{4})/, '$1-$2-');
}

/** A reference as somebody typed it: any case, spaces and dashes anywhere, O for 0, I and L for 1. Null if it is none. */
export function readReference(typed: string): string | null {
  const signs = typed
    .slice(0, 100)
    .normalize('NFKC')
    .toUpperCase()
    .replace(/[\s\p{Pd}.·_]/gu, '')
    .replaceAll('O', '0')
    .replace(/[IL]/g, '1');
  return REFERENCE.test(signs) ? signs : null;
}

/** "Is this mail really from you?" */
@Injectable()
export class MailCheck {
  constructor(private readonly database: Database) {}

  /** Null for a reference that no mail carries, and for that of a mail which never left. */
  async recognise(reference: string): Promise<RecognisedMail | null> {
    const delivery = await this.database.read((manager) => manager.findOneBy(Delivery, { checkReference: reference }));
    if (delivery === null || !hasLeft(delivery)) return null;
    const { recipient, inputs, locale, endedAt, uncertainAt, createdAt } = delivery;
    const { ticketNumber, timeZone, brand } = inputs;
    const sentAt = uncertainAt ?? endedAt ?? createdAt;
    return { ticketNumber, maskedAddress: maskAddress(recipient), sentAt, locale, timeZone, brand };
  }
}

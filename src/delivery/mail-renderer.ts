import { Injectable } from '@nestjs/common';
import { Links } from '../access/link.js';
import { Config } from '../config.js';
import { siblingId } from '../ids.js';
import { parseMailbox } from '../platform/address.js';
import { headerAddress, headerDate, headerField, headerMailbox, headerText } from '../platform/mime.js';
import type { Brand } from '../templates/brand.js';
import { Brands } from '../templates/brands.js';
import { type EncodedMail, TemplateCatalogue } from '../templates/catalogue.js';
import { writtenReference } from './check.js';
import type { Delivery } from './delivery.entity.js';
import type { Mail } from './transports/transport.js';

export interface CodeForMail {
  code: string;
  reference: string;
  createdAt: number;
  expiresAt: number;
}

/** Say that a machine wrote this and that nobody is to answer it (RFC 3834 5). */
const FIXED_HEADERS = { 'Auto-Submitted': 'auto-generated', 'X-Auto-Response-Suppress': 'All' };

/** What all mails of a brand have in common: made once. */
interface Frame {
  brand: Brand;
  from: { name: string; address: string };
  /** Of the ids. */
  domain: string;
  /** Finished header fields. */
  fixed: string;
}

/** Makes the finished mail of a delivery: a pure function of its row (and code), so every try has the same bytes. */
@Injectable()
export class MailRenderer {
  /** An edited brand is another one, and so has a frame of its own. */
  private readonly frames = new WeakMap<Brand, Frame>();

  constructor(
    private readonly config: Config,
    private readonly catalogue: TemplateCatalogue,
    private readonly links: Links,
    private readonly brands: Brands,
  ) {}

  /** @throws if it cannot be rendered, now or at any later try; what it returns never throws */
  render(delivery: Delivery, code: CodeForMail | null): Mail {
    const { brand, from, fixed, domain } = this.frame(this.brands.at(delivery.inputs.brand, delivery.createdAt));
    const link = this.linkOf(delivery);
    const mail = this.fill(delivery, brand, code, link);
    const { id, recipient, ticketId, createdAt } = delivery;
    const own = {
      'X-Postern-Notification': siblingId('ntf', id),
      'Content-Language': mail.locale,
      ...unsubscribing(delivery, link),
    };
    // `=_` cannot stand in quoted-printable, nor in base64: whatever a part holds, it is no boundary (RFC 2045 6.7).
    const boundary = `=_${id}`;
    const head =
      fixed +
      headerField('To', headerAddress(recipient)) +
      headerField('Subject', headerText(mail.subject, 'Subject: '.length)) +
      headerField('Date', headerDate(createdAt)) +
      headerField('Message-ID', `<${id}@${domain}>`) +
      // One thread per ticket in the reader's mail program; nothing is ever authorised by it.
      headerField('References', `<${ticketId}@${domain}>`) +
      headerField('In-Reply-To', `<${ticketId}@${domain}>`) +
      headerFields(own) +
      headerField('Content-Type', `multipart/alternative;\r\n boundary="${boundary}"`);
    return {
      deliveryId: id,
      from: this.config.mail.returnPath.given,
      to: recipient,
      mime: () => alternatives(head, boundary, mail.parts()),
      content: () => ({
        from,
        to: recipient,
        subject: mail.subject,
        html: mail.html(),
        text: mail.text,
        headers: { ...FIXED_HEADERS, ...own },
      }),
    };
  }

  private fill(
    { templateKey, locale, inputs, checkReference }: Delivery,
    brand: Brand,
    code: CodeForMail | null,
    link: string | null,
  ): EncodedMail {
    const { ticketNumber, recipientName, timeZone, occurredAt, guest, updates } = inputs;
    const check =
      checkReference === null
        ? {}
        : { checkUrl: `${this.config.publicUrl}/check`, checkReference: writtenReference(checkReference) };
    const logoUrl = this.logoUrl(brand);
    const common = { ticketNumber, recipientName, timeZone, occurredAt, brand, logoUrl, ...check };
    if (templateKey === 'access-code') {
      if (code === null) throw new Error('a code mail is rendered with its code');
      const codeMinutes = Math.round((code.expiresAt - code.createdAt) / 60_000);
      return this.catalogue.encode(templateKey, locale, { ...common, ...code, codeMinutes });
    }
    if (link === null) throw new Error('a ticket mail is rendered with its link');
    return this.catalogue.encode(templateKey, locale, {
      ...common,
      guest,
      updateCount: Math.max(1, updates.length),
      link,
    });
  }

  private logoUrl(brand: Brand): string | undefined {
    const logo = this.brands.logo(brand);
    return logo === null ? undefined : `${this.config.publicUrl}${logo.path}`;
  }

  private linkOf({ inputs: { link, generation }, ticketId, participantId }: Delivery): string | null {
    if (link === null) return null;
    return link.kind === 'account'
      ? link.url
      : this.links.url({ ...link, ticketId, participantId, generation }, link.kid);
  }

  private frame(brand: Brand): Frame {
    const known = this.frames.get(brand);
    if (known) return known;
    const from = this.sender(brand);
    const fixed = headerField('From', headerMailbox(from)) + headerField('MIME-Version', '1.0');
    const domain = from.address.slice(from.address.lastIndexOf('@') + 1);
    const frame = { brand, from, domain, fixed: fixed + headerFields(FIXED_HEADERS) };
    this.frames.set(brand, frame);
    return frame;
  }

  private sender(brand: Brand): { name: string; address: string } {
    const own = brand.sender === undefined ? null : parseMailbox(brand.sender);
    if (own?.ok) return { name: own.name, address: own.address.given };
    const { name, address } = this.config.mail.from;
    return { name, address: address.given };
  }
}

/** One click in the mail program ends the mails about this ticket (RFC 8058). What somebody asked for has no such thing. */
function unsubscribing({ inputs }: Delivery, link: string | null): Record<string, string> {
  if (inputs.link?.kind !== 'guest' || inputs.updates.length === 0) return {};
  return { 'List-Unsubscribe': `<${link}/stop>`, 'List-Unsubscribe-Post': 'List-Unsubscribe=One-Click' };
}

function headerFields(headers: Readonly<Record<string, string>>): string {
  return Object.entries(headers)
    .map(([name, value]) => headerField(name, value))
    .join('');
}

/** Header, and parts of which the reader shows one (RFC 2046 5.1.4). */
function alternatives(head: string, boundary: string, parts: readonly string[]): Buffer {
  const body = parts.map((part) => `--${boundary}\r\n${part}\r\n`).join('');
  return Buffer.from(`${head}\r\n${body}--${boundary}--\r\n`, 'latin1');
}

import { Injectable } from '@nestjs/common';
import { Links } from '../access/link.js';
import { Config } from '../config.js';
import { newId, siblingId } from '../ids.js';
import type { Brand } from '../templates/brand.js';
import { Brands } from '../templates/brands.js';
import { type EncodedMail, TemplateCatalogue } from '../templates/catalogue.js';
import type { CompiledMail } from '../templates/compile.js';
import { newCheckReference, writtenReference } from './check.js';
import type { Delivery } from './delivery.entity.js';
import { alternatives, FIXED_HEADERS, frameOf, mailBytes, mailHead, senderOf, type Frame } from './mail-frame.js';
import type { Mail } from './transports/transport.js';

export interface CodeForMail {
  code: string;
  reference: string;
  createdAt: number;
  expiresAt: number;
}

/** Makes the finished mail of a delivery: a pure function of its row (and code), so every try has the same bytes. */
@Injectable()
export class MailRenderer {
  /** Made once for all mails of a brand. An edited brand is another one, and so has a frame of its own. */
  private readonly frames = new WeakMap<Brand, Frame>();

  constructor(
    private readonly config: Config,
    private readonly catalogue: TemplateCatalogue,
    private readonly links: Links,
    private readonly brands: Brands,
  ) {}

  /**
   * @param words those of this try; without them the ones that count now
   * @param brand as it was when it was planned (`brandOf`); without it as it is now
   * @throws if it cannot be rendered, now or at any later try; what it returns never throws
   */
  render(
    delivery: Delivery,
    code: CodeForMail | null,
    words: CompiledMail = this.catalogue.current(delivery.templateKey, delivery.locale),
    brand: Brand = this.brands.get(delivery.inputs.brand),
  ): Mail {
    const frame = this.frame(brand);
    const link = this.linkOf(delivery);
    const mail = this.fill(delivery, brand, code, link, words);
    const { id, recipient, ticketId, createdAt } = delivery;
    const own = {
      'X-Postern-Notification': siblingId('ntf', id),
      'Content-Language': mail.locale,
      ...unsubscribing(delivery, link),
    };
    // One thread per ticket in the reader's mail program; nothing is ever authorised by it.
    const thread = `<${ticketId}@${frame.domain}>`;
    const { contentType, body } = alternatives(id);
    const head = mailHead(
      frame,
      { id, to: recipient, subject: mail.subject, at: createdAt },
      { References: thread, 'In-Reply-To': thread, ...own, 'Content-Type': contentType },
    );
    return {
      deliveryId: id,
      from: this.config.mail.returnPath.given,
      to: recipient,
      mime: () => mailBytes(head, body(mail.parts())),
      content: () => ({
        from: frame.from,
        to: recipient,
        subject: mail.subject,
        html: mail.html(),
        text: mail.text,
        headers: { ...FIXED_HEADERS, ...own },
      }),
    };
  }

  /** Who sends a mail and how it looks: as it was when it was planned, whatever was edited since. */
  brandOf({ inputs, createdAt }: Delivery): Promise<Brand> {
    return this.brands.at(inputs.brand, createdAt);
  }

  /** What a ticket mail says, with a link that opens nothing and a reference that nobody knows. */
  preview(delivery: Delivery): { subject: string; text: string; html: string } {
    const now = delivery.createdAt;
    const nobodys = {
      ...delivery,
      id: newId('dlv', now),
      ticketId: newId('tkt', now),
      participantId: newId('ptc', now),
      checkReference: newCheckReference(),
    };
    const { subject, text, html } = this.render(nobodys, null).content();
    return { subject, text, html };
  }

  private fill(
    { templateKey, locale, inputs, checkReference }: Delivery,
    brand: Brand,
    code: CodeForMail | null,
    link: string | null,
    words: CompiledMail,
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
      return this.catalogue.encode(templateKey, locale, { ...common, ...code, codeMinutes }, words);
    }
    if (link === null) throw new Error('a ticket mail is rendered with its link');
    const values = { ...common, guest, updateCount: Math.max(1, updates.length), link };
    return this.catalogue.encode(templateKey, locale, values, words);
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
    const { name, address } = this.config.mail.from;
    const frame = frameOf(senderOf(brand, { name, address: address.given }));
    this.frames.set(brand, frame);
    return frame;
  }
}

/** One click in the mail program ends the mails about this ticket (RFC 8058). What somebody asked for has no such thing. */
function unsubscribing({ inputs }: Delivery, link: string | null): Record<string, string> {
  if (inputs.link?.kind !== 'guest' || inputs.updates.length === 0) return {};
  return { 'List-Unsubscribe': `<${link}/stop>`, 'List-Unsubscribe-Post': 'List-Unsubscribe=One-Click' };
}

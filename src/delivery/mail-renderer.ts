import { Injectable } from '@nestjs/common';
import { createRequire } from 'node:module';
import type MailComposerClass from 'nodemailer/lib/mail-composer';
import { Links } from '../access/link.js';
import { Config } from '../config.js';
import { siblingId } from '../ids.js';
import { parseMailbox } from '../platform/address.js';
import { loadBrand, type Brand } from '../templates/brand.js';
import { TemplateCatalogue, type RenderedMail } from '../templates/catalogue.js';
import { templatesDir } from '../templates/templates.module.js';
import type { Delivery } from './delivery.entity.js';
import type { Mail } from './transports/transport.js';

const MailComposer = createRequire(import.meta.url)('nodemailer/lib/mail-composer') as typeof MailComposerClass;

export interface CodeForMail {
  code: string;
  reference: string;
  createdAt: number;
  expiresAt: number;
}

/** Makes the finished mail of a delivery: a pure function of its row (and code), so every try has the same bytes. */
@Injectable()
export class MailRenderer {
  private readonly brands = new Map<string, Brand>();

  constructor(
    private readonly config: Config,
    private readonly catalogue: TemplateCatalogue,
    private readonly links: Links,
  ) {}

  async render(delivery: Delivery, code: CodeForMail | null): Promise<Mail> {
    const brand = this.brand(delivery.inputs.brand);
    const { subject, html, text, locale } = this.fill(delivery, brand, code);
    const from = this.sender(brand);
    const domain = from.address.slice(from.address.lastIndexOf('@') + 1);
    const headers = {
      'Auto-Submitted': 'auto-generated',
      'X-Auto-Response-Suppress': 'All',
      'X-Postern-Notification': siblingId('ntf', delivery.id),
      'Content-Language': locale,
    };
    const content = { from, to: delivery.recipient, subject, html, text, headers };
    const bytes = await compose({
      ...content,
      date: new Date(delivery.createdAt),
      messageId: `<${delivery.id}@${domain}>`,
      // One thread per ticket in the reader's mail program; nothing is ever authorised by it.
      references: `<${delivery.ticketId}@${domain}>`,
      inReplyTo: `<${delivery.ticketId}@${domain}>`,
      baseBoundary: delivery.id,
    });
    return {
      deliveryId: delivery.id,
      from: this.config.mail.returnPath.given,
      to: delivery.recipient,
      mime: () => bytes,
      content: () => content,
    };
  }

  private fill(
    { templateKey, locale, inputs, ticketId, participantId }: Delivery,
    brand: Brand,
    code: CodeForMail | null,
  ): RenderedMail {
    const { ticketNumber, recipientName, timeZone, occurredAt, guest, updates, link } = inputs;
    const common = { ticketNumber, recipientName, timeZone, occurredAt, brand };
    if (templateKey === 'access-code') {
      if (code === null) throw new Error('a code mail is rendered with its code');
      const codeMinutes = Math.round((code.expiresAt - code.createdAt) / 60_000);
      return this.catalogue.render(templateKey, locale, { ...common, ...code, codeMinutes });
    }
    if (link === null) throw new Error('a ticket mail is rendered with its link');
    const url =
      link.kind === 'account'
        ? link.url
        : this.links.url({ ...link, ticketId, participantId, generation: inputs.generation }, link.kid);
    return this.catalogue.render(templateKey, locale, {
      ...common,
      guest,
      updateCount: Math.max(1, updates.length),
      link: url,
    });
  }

  private brand(name: string): Brand {
    const known = this.brands.get(name);
    if (known) return known;
    const brand = loadBrand(templatesDir, name);
    this.brands.set(name, brand);
    return brand;
  }

  private sender(brand: Brand): { name: string; address: string } {
    const own = brand.sender === undefined ? null : parseMailbox(brand.sender);
    if (own?.ok) return { name: own.name, address: own.address.given };
    const { name, address } = this.config.mail.from;
    return { name, address: address.given };
  }
}

type ComposedMail = ConstructorParameters<typeof MailComposerClass>[0] & { baseBoundary: string };

function compose(mail: ComposedMail): Promise<Buffer> {
  return new MailComposer({ ...mail, disableFileAccess: true, disableUrlAccess: true }).compile().build();
}

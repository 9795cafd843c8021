import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { Config } from '../config.js';
import { Clock } from '../platform/clock.js';
import { randomToken } from '../platform/crypto.js';
import { encodeBody, shorterEncoding } from '../platform/mime.js';
import type { Brand } from '../templates/brand.js';
import type { EncodedMail } from '../templates/catalogue.js';
import { alternatives, FIXED_HEADERS, frameOf, mailBytes, mailHead, senderOf, type Sender } from './mail-frame.js';
import type { Mail, Transport } from './transports/transport.js';
import { openTransports } from './transports/transports.js';

export interface StaffLetter {
  to: string;
  subject: string;
  /** Paragraphs of plain text. */
  paragraphs: readonly string[];
}

/** Whether a transport took it, or may have; else in whose words it did not. */
export type DirectOutcome = { taken: true } | { taken: false; detail: string };

/** A mail before its header is written. */
interface Draft {
  from: Sender;
  to: string;
  subject: string;
  /** Header fields after the usual ones, in their order. */
  fields: Readonly<Record<string, string>>;
  /** See `mailBytes`. */
  body: string;
  text: string;
  html: () => string;
}

/** Few mails, each while somebody waits for the answer. */
const CONNECTIONS = 1;

/**
 * Mails to the people who run this place, by the ways that guests' mails go. They are about no ticket, so they have no
 * row: one that is lost is asked for again by the person who waits for it.
 */
@Injectable()
export class DirectMail implements OnApplicationShutdown {
  /** Opened with the first mail. */
  private transports: Promise<Transport[]> | null = null;

  constructor(
    private readonly config: Config,
    private readonly clock: Clock,
  ) {}

  sendLetter({ to, subject, paragraphs }: StaffLetter): Promise<DirectOutcome> {
    const text = `${paragraphs.join('\n\n')}\n`;
    const encoding = shorterEncoding(text);
    return this.send({
      from: this.ownSender(),
      to,
      subject,
      fields: { 'Content-Type': 'text/plain; charset=utf-8', 'Content-Transfer-Encoding': encoding },
      body: encodeBody(text, encoding),
      text,
      html: () => paragraphs.map((one) => `<p>${escapeHtml(one)}</p>`).join('\n'),
    });
  }

  /** A mail with sample values to whoever writes its words, marked as a test. */
  sendSample(to: string, mail: EncodedMail, brand: Brand): Promise<DirectOutcome> {
    const { contentType, body } = alternatives(randomToken(16));
    return this.send({
      from: senderOf(brand, this.ownSender()),
      to,
      subject: `[Test] ${mail.subject}`,
      fields: { 'Content-Language': mail.locale, 'Content-Type': contentType },
      body: body(mail.parts()),
      text: mail.text,
      html: () => mail.html(),
    });
  }

  async onApplicationShutdown(): Promise<void> {
    for (const transport of (await this.transports) ?? []) transport.close();
  }

  private ownSender(): Sender {
    const { name, address } = this.config.mail.from;
    return { name, address: address.given };
  }

  private async send(draft: Draft): Promise<DirectOutcome> {
    this.transports ??= openTransports(this.config.mail, CONNECTIONS);
    const mail = this.write(draft);
    let detail = 'there is no way out';
    for (const transport of await this.transports) {
      const sent = await transport.send(mail);
      // After a lost answer the next transport could send it a second time.
      if (sent.outcome === 'accepted' || sent.outcome === 'uncertain') return { taken: true };
      detail = sent.detail;
      if (sent.outcome === 'rejected') break;
    }
    return { taken: false, detail };
  }

  private write({ from, to, subject, fields, body, text, html }: Draft): Mail {
    const id = randomToken(16);
    const head = mailHead(frameOf(from), { id, to, subject, at: this.clock.now() }, fields);
    return {
      deliveryId: `direct-${id}`,
      from: this.config.mail.returnPath.given,
      to,
      mime: () => mailBytes(head, body),
      content: () => ({ from, to, subject, html: html(), text, headers: FIXED_HEADERS }),
    };
  }
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);
}

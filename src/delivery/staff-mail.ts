import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { Config } from '../config.js';
import { Clock } from '../platform/clock.js';
import { randomToken } from '../platform/crypto.js';
import {
  encodeBody,
  headerAddress,
  headerDate,
  headerField,
  headerMailbox,
  headerText,
  shorterEncoding,
} from '../platform/mime.js';
import type { Mail, Transport } from './transports/transport.js';
import { openTransports } from './transports/transports.js';

export interface StaffLetter {
  to: string;
  subject: string;
  /** Paragraphs of plain text. */
  paragraphs: readonly string[];
}

/** Few mails, each while somebody waits for the answer. */
const CONNECTIONS = 1;
const HEADERS = { 'Auto-Submitted': 'auto-generated', 'X-Auto-Response-Suppress': 'All' };

/**
 * Mails to the people who run this place, by the ways that guests' mails go. No template, no row: one that is lost is
 * asked for again by the person who waits for it.
 */
@Injectable()
export class StaffMail implements OnApplicationShutdown {
  /** Opened with the first mail. */
  private transports: Promise<Transport[]> | null = null;

  constructor(
    private readonly config: Config,
    private readonly clock: Clock,
  ) {}

  /** True if a transport took it, or may have. */
  async send(letter: StaffLetter): Promise<boolean> {
    this.transports ??= openTransports(this.config.mail, CONNECTIONS);
    const mail = this.write(letter);
    for (const transport of await this.transports) {
      const { outcome } = await transport.send(mail);
      // After a lost answer the next transport could send it a second time.
      if (outcome === 'accepted' || outcome === 'uncertain') return true;
      if (outcome === 'rejected') return false;
    }
    return false;
  }

  async onApplicationShutdown(): Promise<void> {
    for (const transport of (await this.transports) ?? []) transport.close();
  }

  private write({ to, subject, paragraphs }: StaffLetter): Mail {
    const { name, address } = this.config.mail.from;
    const from = { name, address: address.given };
    const text = `${paragraphs.join('\n\n')}\n`;
    const encoding = shorterEncoding(text);
    const id = randomToken(16);
    const head = [
      headerField('From', headerMailbox(from)),
      headerField('To', headerAddress(to)),
      headerField('Subject', headerText(subject, 'Subject: '.length)),
      headerField('Date', headerDate(this.clock.now())),
      headerField('Message-ID', `<${id}@${address.domain}>`),
      ...Object.entries(HEADERS).map(([field, value]) => headerField(field, value)),
      headerField('MIME-Version', '1.0'),
      headerField('Content-Type', 'text/plain; charset=utf-8'),
      headerField('Content-Transfer-Encoding', encoding),
    ].join('');
    const html = paragraphs.map((one) => `<p>${escapeHtml(one)}</p>`).join('\n');
    return {
      deliveryId: `staff-${id}`,
      from: this.config.mail.returnPath.given,
      to,
      mime: () => Buffer.from(`${head}\r\n${encodeBody(text, encoding)}`, 'latin1'),
      content: () => ({ from, to, subject, html, text, headers: HEADERS }),
    };
  }
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);
}

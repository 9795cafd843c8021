import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { Config } from '../config.js';
import { parseMailbox } from '../platform/address.js';
import { Clock } from '../platform/clock.js';
import { randomToken } from '../platform/crypto.js';
import { headerAddress, headerDate, headerField, headerMailbox, headerText } from '../platform/mime.js';
import type { Brand } from '../templates/brand.js';
import type { EncodedMail } from '../templates/catalogue.js';
import type { Mail, Transport } from './transports/transport.js';
import { openTransports } from './transports/transports.js';

/** Few mails, each while somebody waits for the answer. */
const CONNECTIONS = 1;
const HEADERS = { 'Auto-Submitted': 'auto-generated', 'X-Auto-Response-Suppress': 'All' };

/** Whether it was taken, and in whose words. */
export type TestMailOutcome = { taken: true } | { taken: false; detail: string };

/**
 * A mail with sample values to whoever writes its words, by the ways that guests' mails go. It is about no ticket, so it
 * has no row: one that is lost is asked for again.
 */
@Injectable()
export class TestMail implements OnApplicationShutdown {
  /** Opened with the first mail. */
  private transports: Promise<Transport[]> | null = null;

  constructor(
    private readonly config: Config,
    private readonly clock: Clock,
  ) {}

  async send(to: string, mail: EncodedMail, brand: Brand): Promise<TestMailOutcome> {
    this.transports ??= openTransports(this.config.mail, CONNECTIONS);
    const written = this.write(to, mail, brand);
    let detail = 'there is no way out';
    for (const transport of await this.transports) {
      const outcome = await transport.send(written);
      // After a lost answer the next transport could send it a second time.
      if (outcome.outcome === 'accepted' || outcome.outcome === 'uncertain') return { taken: true };
      detail = outcome.detail;
      if (outcome.outcome === 'rejected') break;
    }
    return { taken: false, detail };
  }

  async onApplicationShutdown(): Promise<void> {
    for (const transport of (await this.transports) ?? []) transport.close();
  }

  private write(to: string, mail: EncodedMail, { sender }: Brand): Mail {
    const own = sender === undefined ? null : parseMailbox(sender);
    const { name, address } = own?.ok ? own : this.config.mail.from;
    const from = { name, address: address.given };
    const id = randomToken(16);
    const subject = `[Test] ${mail.subject}`;
    // See MailRenderer: no part can hold it.
    const boundary = `=_${id}`;
    const head = [
      headerField('From', headerMailbox(from)),
      headerField('To', headerAddress(to)),
      headerField('Subject', headerText(subject, 'Subject: '.length)),
      headerField('Date', headerDate(this.clock.now())),
      headerField('Message-ID', `<${id}@${from.address.slice(from.address.lastIndexOf('@') + 1)}>`),
      ...Object.entries(HEADERS).map(([field, value]) => headerField(field, value)),
      headerField('Content-Language', mail.locale),
      headerField('MIME-Version', '1.0'),
      headerField('Content-Type', `multipart/alternative;\r\n boundary="${boundary}"`),
    ].join('');
    const body = mail.parts().map((part) => `--${boundary}\r\n${part}\r\n`);
    return {
      deliveryId: `test-${id}`,
      from: this.config.mail.returnPath.given,
      to,
      mime: () => Buffer.from(`${head}\r\n${body.join('')}--${boundary}--\r\n`, 'latin1'),
      content: () => ({ from, to, subject, html: mail.html(), text: mail.text, headers: HEADERS }),
    };
  }
}

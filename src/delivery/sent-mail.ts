import { Injectable } from '@nestjs/common';
import { Config } from '../config.js';
import { isId } from '../ids.js';
import { maskAddress } from '../platform/address.js';
import { isoTime } from '../platform/clock.js';
import { Database } from '../platform/database/database.js';
import { selectRows } from '../platform/database/rows.js';
import { Renditions } from '../templates/renditions.js';
import { Delivery } from './delivery.entity.js';
import { MailRenderer } from './mail-renderer.js';

const PAGE = 100;
/** What stands where nobody but the reader may look. */
const HIDDEN = '••••••';

/** What was sent: made again of the words that its tries had, without what opens anything. */
@Injectable()
export class SentMail {
  constructor(
    private readonly config: Config,
    private readonly database: Database,
    private readonly renditions: Renditions,
    private readonly renderer: MailRenderer,
  ) {}

  /** @param ticket a ticket's id, or its number; newest first */
  async ofTicket(ticket: string): Promise<object[]> {
    const byNumber = `ticket_id IN (SELECT id FROM tickets WHERE number = ?)`;
    const where = isId('tkt', ticket) ? 'ticket_id = ?' : byNumber;
    const found = await this.database.read((manager) =>
      selectRows(manager, Delivery, `WHERE ${where} ORDER BY id DESC LIMIT ${PAGE}`, [ticket]),
    );
    return found.map(sentView);
  }

  /** Null if there is no such delivery, or it was not tried yet. */
  async show(id: string): Promise<object | null> {
    if (!isId('dlv', id)) return null;
    const [delivery] = await this.database.read((manager) => selectRows(manager, Delivery, 'WHERE id = ?', [id]));
    if (!delivery || delivery.revisionFixedAt === null) return null;
    const words = await this.renditions.find(delivery.templateRevision);
    if (!words) return null;
    const { createdAt } = delivery;
    const expiresAt = createdAt + this.config.codeLifetimeSeconds * 1000;
    const code = delivery.challengeId === null ? null : { code: HIDDEN, reference: '•••', createdAt, expiresAt };
    const brand = await this.renderer.brandOf(delivery);
    const { from, subject, html, text } = this.renderer.render(delivery, code, words, brand).content();
    const hide = (given: string) => given.replaceAll(/(\/t\/)[\w.~-]{20,}/g, `$1${HIDDEN}`);
    return {
      ...sentView(delivery),
      words: await this.renditions.wordsIn(delivery.templateRevision),
      ...{ from: from.address, subject, html: hide(html), text: hide(text) },
    };
  }
}

function sentView(delivery: Delivery): object {
  const { id, ticketId, templateKey, templateRevision, locale, recipient, state, createdAt, endedAt } = delivery;
  return {
    ...{ id, ticketId, key: templateKey, locale, state, to: maskAddress(recipient) },
    revision: delivery.revisionFixedAt === null ? null : templateRevision,
    ...{ createdAt: isoTime(createdAt), endedAt: isoTime(endedAt) },
  };
}

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Links } from '../../src/access/link.js';
import { loadConfig } from '../../src/config.js';
import type { Delivery } from '../../src/delivery/delivery.entity.js';
import { MailRenderer } from '../../src/delivery/mail-renderer.js';
import type { TemplateCatalogue } from '../../src/templates/catalogue.js';
import type { TemplateKey } from '../../src/templates/values.js';
import { templateKeys } from '../../src/templates/values.js';
import { shippedBrands } from '../support/brands.js';

const SENT_AT = Date.parse('2026-11-23T02:15:00Z');
const MINUTE_MS = 60_000;
const ID = '0T6KQ1P5J8MZ3WXV7Y2C4BDFGH';

export interface RawMail {
  key: TemplateKey;
  locale: string;
  /** As it leaves for the relay. */
  mime: Buffer;
}

/** An address that tells one mail from all others. */
export function addressFor(key: TemplateKey, locale: string): string {
  return `${key}.${locale}@example.com`;
}

/** Every mail of a locale to a guest, whole, as a worker hands it over. */
export function rawMails(catalogue: TemplateCatalogue, locale: string): RawMail[] {
  const dataDir = mkdtempSync(join(tmpdir(), 'postern-raw-'));
  const config = loadConfig({
    NODE_ENV: 'test',
    DATA_DIR: dataDir,
    PUBLIC_URL: 'https://support.example',
    MAIL_FROM: 'Acme Support <no-reply@support.example>',
  });
  const renderer = new MailRenderer(config, catalogue, new Links(config), shippedBrands(config));
  const link = { kind: 'guest', source: 'default', expiresAt: SENT_AT + 30 * 24 * 60 * MINUTE_MS } as const;
  const kid = config.linkKeys.nameFor();
  const mails = templateKeys
    .filter((key) => catalogue.resolveLocale(locale, key).locale === locale)
    .map((key): RawMail => {
      const isCode = key === 'access-code';
      const news = isCode || key === 'link-renewed' ? 0 : key === 'ticket-summary' ? 4 : 1;
      const delivery = {
        id: `dlv_${ID}`,
        ticketId: `tkt_${ID}`,
        participantId: `ptc_${ID}`,
        templateKey: key,
        locale,
        recipient: addressFor(key, locale),
        checkReference: '7QK3M8WD2XHVA',
        createdAt: SENT_AT,
        inputs: {
          ticketNumber: '12345',
          recipientName: 'Siti',
          guest: true,
          generation: 1,
          timeZone: 'Asia/Jakarta',
          brand: 'default',
          occurredAt: SENT_AT,
          updates: Array.from({ length: news }, () => ({})),
          link: isCode ? null : { ...link, kid },
        },
      } as unknown as Delivery;
      const code = { code: '048213', reference: 'XK4', createdAt: SENT_AT, expiresAt: SENT_AT + 10 * MINUTE_MS };
      return { key, locale, mime: renderer.render(delivery, isCode ? code : null).mime() };
    });
  rmSync(dataDir, { recursive: true });
  return mails;
}

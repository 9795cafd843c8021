import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../src/config.js';

const folder = join(packageRoot, 'test', 'fixtures', 'dsn');

export interface ReturnedOf {
  deliveryId: string;
  recipient: string;
  /** Another Message-ID in the returned mail, as some relays put. */
  messageId?: string;
}

/** A bounce or complaint as a mail system writes it, about this delivery: the name of a file in `test/fixtures/dsn`. */
export function returnedMail(name: string, { deliveryId, recipient, messageId }: ReturnedOf): string {
  return readFileSync(join(folder, `${name}.eml`), 'utf8')
    .replaceAll('{{MESSAGE_ID}}', messageId ?? `<${deliveryId}@support.example>`)
    .replaceAll('{{NOTIFICATION}}', deliveryId.replace('dlv_', 'ntf_'))
    .replaceAll('{{RECIPIENT}}', recipient)
    .replaceAll('\n', '\r\n');
}

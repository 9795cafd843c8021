import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Code from '../../templates/layouts/code.js';
import Notification from '../../templates/layouts/notification.js';
import { renderShell } from '../../templates/layouts/parts.js';

/** Makes of the layouts what the build makes of them, in `folder`. */
export async function writeShells(folder: string): Promise<void> {
  mkdirSync(folder);
  for (const [name, Layout] of Object.entries({ notification: Notification, code: Code })) {
    writeFileSync(join(folder, `${name}.html.hbs`), await renderShell(Layout));
    cpSync(join(process.cwd(), 'templates', 'layouts', `${name}.txt.hbs`), join(folder, `${name}.txt.hbs`));
  }
}

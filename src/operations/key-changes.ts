import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { Config } from '../config.js';
import { audit } from '../platform/audit.js';
import { Clock } from '../platform/clock.js';
import { Database, type Transaction } from '../platform/database/database.js';
import { run } from '../platform/database/rows.js';

/** Keys change by settings, which nobody logs: so each start compares their names with those of the start before. */
@Injectable()
export class KeyChanges implements OnApplicationBootstrap {
  constructor(
    private readonly config: Config,
    private readonly database: Database,
    private readonly clock: Clock,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    const { linkKeys, secretKeys, handoffKeys } = this.config;
    await this.database.write(async (tx) => {
      await this.note(tx, 'LINK_KEYS', linkKeys.names);
      await this.note(tx, 'SECRET_KEYS', secretKeys.names);
      const published = handoffKeys.published.map(({ kid }) => kid);
      await this.note(tx, 'HANDOFF_KEYS', published);
    });
  }

  /** Of several processes that start at once with the same new keys one changes the row, and that one tells of it. */
  private async note(tx: Transaction, ring: string, kids: readonly string[]): Promise<void> {
    const [now, names] = [this.clock.now(), JSON.stringify(kids)];
    // The first start ever has changed nothing.
    const first = 'INSERT INTO key_names (ring, kids, noted_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING RETURNING ring';
    if ((await run(tx, first, [ring, names, now])).length > 0) return;
    const lock = this.database.kind === 'postgres' ? 'FOR UPDATE' : '';
    const [row] = await run<{ kids: string }>(tx, `SELECT kids FROM key_names WHERE ring = ? ${lock}`, [ring]);
    if (row!.kids === names) return;
    await run(tx, 'UPDATE key_names SET kids = ?, noted_at = ? WHERE ring = ?', [names, now, ring]);
    const detail = told(JSON.parse(row!.kids) as string[], kids);
    await audit(tx, { actor: 'settings', action: 'keys.changed', subject: ring, detail }, now);
  }
}

function told(before: readonly string[], now: readonly string[]): string {
  const parts = {
    added: now.filter((kid) => !before.includes(kid)),
    removed: before.filter((kid) => !now.includes(kid)),
    signs: now[0] === before[0] ? [] : now.slice(0, 1),
  };
  const words = Object.entries(parts).flatMap(([word, kids]) =>
    kids.length > 0 ? [`${word} ${kids.join(', ')}`] : [],
  );
  return words.join('; ') || 'another order';
}

import { Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { Clock } from '../platform/clock.js';
import { Database } from '../platform/database/database.js';
import { run } from '../platform/database/rows.js';
import { Logger } from '../platform/logger.js';
import { FileStore } from './file-store.js';
import { Draft } from './visit.entity.js';

const HOUR_MS = 3_600_000;
/** Longer than any reply takes from its first file to its commit. */
const ORPHAN_AFTER_MS = 24 * HOUR_MS;
const EVERY_MS = 6 * HOUR_MS;
const PAGE = 200;
/** Crashes leave few. More than these, and more than belong to replies: another database's files, not crumbs. */
const MOST_ORPHANS = 50;

/** Removes files that no row names: of a process that died between storing them and its commit. */
@Injectable()
export class FileSweep implements OnApplicationBootstrap, OnApplicationShutdown {
  private timer: NodeJS.Timeout | null = null;

  constructor(
    private readonly files: FileStore,
    private readonly database: Database,
    private readonly clock: Clock,
    private readonly logger: Logger,
  ) {}

  onApplicationBootstrap(): void {
    const sweep = () =>
      // The next one finds them as well.
      void this.sweep().catch((error: unknown) => this.logger.warn('orphaned files were not removed', { error }));
    this.timer = setInterval(sweep, EVERY_MS);
    this.timer.unref();
  }

  onApplicationShutdown(): void {
    if (this.timer) clearInterval(this.timer);
  }

  /** Several processes may do it at once. Returns how many were removed. */
  async sweep(): Promise<number> {
    const before = this.clock.now() - ORPHAN_AFTER_MS;
    await this.files.clearIncoming(before);
    const drafted = await this.drafted();
    const orphans: string[] = [];
    let known = 0;
    let page: string[] = [];
    const look = async () => {
      const strangers = await this.strangers(page, drafted);
      known += page.length - strangers.length;
      orphans.push(...strangers);
      page = [];
    };
    for await (const name of this.files.list(before)) if (page.push(name) === PAGE) await look();
    await look();
    if (orphans.length > MOST_ORPHANS && orphans.length > known) {
      this.logger.error('most stored files belong to no reply, so none was removed: is this the right database?', {
        orphans: orphans.length,
        known,
      });
      return 0;
    }
    for (const name of orphans) await this.files.remove(name);
    if (orphans.length > 0) this.logger.info('removed files that belong to no reply', { removed: orphans.length });
    return orphans.length;
  }

  /** Files that wait for their reply. Who goes on adding to a draft keeps it alive longer than a day. */
  private async drafted(): Promise<Set<string>> {
    const drafts = await this.database.read((manager) => manager.find(Draft, { select: { id: true, files: true } }));
    return new Set(drafts.flatMap(({ files }) => files.map(({ file }) => file)));
  }

  private async strangers(names: string[], drafted: Set<string>): Promise<string[]> {
    if (names.length === 0) return [];
    const known = await this.database.read((manager) =>
      run<{ file: string }>(manager, 'SELECT file FROM attachments WHERE file IN ?', [names]),
    );
    const kept = new Set(known.map(({ file }) => file));
    return names.filter((name) => !kept.has(name) && !drafted.has(name));
  }
}

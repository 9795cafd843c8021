import { Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { LessThanOrEqual, MoreThan } from 'typeorm';
import { Config } from '../config.js';
import { newId, type Id } from '../ids.js';
import { Clock } from '../platform/clock.js';
import { Database, type Transaction } from '../platform/database/database.js';
import { Logger } from '../platform/logger.js';
import type { Access } from './conversation.js';
import { FileStore, MOST_BYTES_PER_REPLY, MOST_FILES_PER_REPLY, type ReceivedFile } from './file-store.js';
import { lockTicket } from './replies.js';
import { Draft } from './visit.entity.js';

const LIFETIME_MS = 3_600_000;
const WIPE_EVERY_MS = 300_000;

export interface OpenDraft {
  id: Id<'drf'>;
  body: string;
  files: ReceivedFile[];
}

/** Replies that came when their session was over: kept for an hour, for whoever proves the same mailbox again. */
@Injectable()
export class Drafts implements OnApplicationBootstrap, OnApplicationShutdown {
  private timer: NodeJS.Timeout | null = null;

  constructor(
    private readonly config: Config,
    private readonly database: Database,
    private readonly clock: Clock,
    private readonly files: FileStore,
    private readonly logger: Logger,
  ) {}

  onApplicationBootstrap(): void {
    if (!this.config.roles.worker) return;
    // It is tried again with the next round; until then an old draft is shown to nobody.
    const wipe = () =>
      void this.wipeExpired().catch((error: unknown) => this.logger.warn('old drafts were not wiped', { error }));
    this.timer = setInterval(wipe, WIPE_EVERY_MS).unref();
  }

  onApplicationShutdown(): void {
    if (this.timer) clearInterval(this.timer);
  }

  /** The draft of this person, if it still lives and its key is still among ours. */
  async find({ ticketId, participantId }: Access): Promise<OpenDraft | null> {
    const alive = { ticketId, participantId, expiresAt: MoreThan(this.clock.now()) };
    const draft = await this.database.read((manager) => manager.findOneBy(Draft, alive));
    const body = draft && this.config.secretKeys.decrypt('draft', draft.sealed, participantId);
    return draft && body ? { id: draft.id, body: body.toString(), files: draft.files } : null;
  }

  /** Keeps text and files in place of an earlier draft; what was kept of that one and is named in `keep` goes along. */
  async save(access: Access, body: string, files: ReceivedFile[], keep: string[]): Promise<void> {
    const { ticketId, participantId } = access;
    const unwanted = await this.database.write(async (tx) => {
      await lockTicket(tx, ticketId);
      const before = await tx.findOneBy(Draft, { participantId });
      const alive = before && before.expiresAt > this.clock.now() ? before.files : [];
      const wanted = alive.filter(({ sha256 }) => keep.includes(sha256));
      const kept = withinLimits([...wanted, ...files]);
      await tx.delete(Draft, { participantId });
      await tx.insert(Draft, {
        id: newId('drf', this.clock.now()),
        ticketId,
        participantId,
        sealed: this.config.secretKeys.encrypt('draft', body, participantId),
        files: kept,
        expiresAt: this.clock.now() + LIFETIME_MS,
      });
      return [...(before?.files ?? []), ...files].filter((one) => !kept.includes(one));
    });
    for (const { file } of unwanted) await this.files.remove(file);
  }

  /** Which files of the draft go with the reply, for the transaction that stores it. The ticket is locked already. */
  async peek(tx: Transaction, { ticketId, participantId }: Access, keep: string[]): Promise<ReceivedFile[]> {
    const draft = await tx.findOneBy(Draft, { ticketId, participantId, expiresAt: MoreThan(this.clock.now()) });
    return draft?.files.filter(({ sha256 }) => keep.includes(sha256)) ?? [];
  }

  /** Takes the draft away with the reply that it became; returns the files that the reply left behind. */
  async use(tx: Transaction, { participantId }: Access, taken: ReceivedFile[]): Promise<string[]> {
    const draft = await tx.findOneBy(Draft, { participantId });
    await tx.delete(Draft, { participantId });
    const names = taken.map(({ file }) => file);
    return draft?.files.map(({ file }) => file).filter((file) => !names.includes(file)) ?? [];
  }

  /** Removes what nobody came back for. */
  async wipeExpired(): Promise<void> {
    const expired = { expiresAt: LessThanOrEqual(this.clock.now()) };
    const old = await this.database.read((manager) => manager.find(Draft, { where: expired, take: 500 }));
    for (const { id, ticketId, files } of old) {
      // Only who removed the row removes its files: they may belong to a reply by then.
      const removed = await this.database.write(async (tx) => {
        await lockTicket(tx, ticketId);
        return tx.delete(Draft, { id, ...expired });
      });
      if (removed.affected === 1) for (const { file } of files) await this.files.remove(file);
    }
  }
}

function withinLimits(files: ReceivedFile[]): ReceivedFile[] {
  let bytes = 0;
  return files.slice(0, MOST_FILES_PER_REPLY).filter(({ size }) => (bytes += size) <= MOST_BYTES_PER_REPLY);
}

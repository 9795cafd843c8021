import { Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { LessThanOrEqual, MoreThan } from 'typeorm';
import { Config } from '../config.js';
import { newId, type Holder, type Id } from '../ids.js';
import { Clock } from '../platform/clock.js';
import { Database, type Transaction } from '../platform/database/database.js';
import { Logger } from '../platform/logger.js';
import { FileStore, limitFault, MOST_BYTES_PER_REPLY, MOST_FILES_PER_REPLY, type ReceivedFile } from './file-store.js';
import { hasRoom } from './replies.js';
import { lockTicket } from './ticket-lock.js';
import { Draft } from './visit.entity.js';

/** Of what came when its session was over. */
const LIFETIME_MS = 3_600_000;
const WIPE_EVERY_MS = 300_000;

export interface OpenDraft {
  id: Id<'drf'>;
  body: string;
  files: ReceivedFile[];
}

/** What a reply form says of the files of a draft, by their hashes: which of them it showed, and which go along. */
export interface DraftPick {
  offered: string[];
  keep: string[];
}

export type Added =
  { ok: true; file: ReceivedFile } | { ok: false; reason: 'too-many-files' | 'files-too-large' | 'ticket-full' };

/**
 * What waits for its reply: files that were uploaded while it was written, and whole replies that came when their session
 * was over. It is the person's own, over all their browsers, for whoever proves the same mailbox again.
 */
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
  async find({ ticketId, participantId }: Holder): Promise<OpenDraft | null> {
    const alive = { ticketId, participantId, expiresAt: MoreThan(this.clock.now()) };
    const draft = await this.database.read((manager) => manager.findOneBy(Draft, alive));
    const body = draft && this.config.secretKeys.decrypt('draft', draft.sealed, participantId);
    return draft && body ? { id: draft.id, body: body.toString(), files: draft.files } : null;
  }

  /**
   * Keeps text and files of a reply that came too late, for an hour. Of an earlier draft those files go along that the form
   * kept, or never knew of: they are another tab's.
   */
  async save(holder: Holder, body: string, files: ReceivedFile[], pick: DraftPick): Promise<void> {
    const { ticketId, participantId } = holder;
    const unwanted = await this.database.write(async (tx) => {
      await lockTicket(tx, ticketId);
      const before = await tx.findOneBy(Draft, { participantId });
      const wanted = this.filesOf(before).filter((one) => isKept(one, pick));
      // Sent twice, by a script and by the browser after it, a file is one.
      const fresh = files.filter((file) => !wanted.some((one) => isSame(one, file)));
      const kept = withinLimits([...wanted, ...fresh]);
      await this.put(tx, holder, { body, files: kept, expiresAt: this.clock.now() + LIFETIME_MS });
      return [...(before?.files ?? []), ...files].filter((one) => !kept.includes(one));
    });
    for (const { file } of unwanted) await this.files.remove(file);
  }

  /**
   * Keeps one stored file for the reply that is being written, as long as a session can last. What is there already is
   * kept once, so an upload whose answer was lost can be repeated. What is not kept is removed from the store.
   */
  async add(holder: Holder, received: ReceivedFile): Promise<Added> {
    const { ticketId, participantId } = holder;
    const { added, unwanted } = await this.database.write(async (tx) => {
      await lockTicket(tx, ticketId);
      const before = await tx.findOneBy(Draft, { participantId });
      const files = this.filesOf(before);
      const same = files.find((one) => isSame(one, received));
      if (same) return { added: { ok: true as const, file: same }, unwanted: [received] };
      const all = [...files, received];
      const reason = limitFault(all) ?? ((await hasRoom(tx, ticketId, all)) ? null : ('ticket-full' as const));
      if (reason) return { added: { ok: false as const, reason }, unwanted: [received] };
      const isAlive = before !== null && before.expiresAt > this.clock.now();
      const body = isAlive ? this.bodyOf(before) : '';
      const expiresAt = this.clock.now() + this.config.sessionLifetimeHours * 3_600_000;
      await this.put(tx, holder, { body, files: all, expiresAt });
      return { added: { ok: true as const, file: received }, unwanted: isAlive ? [] : (before?.files ?? []) };
    });
    for (const { file } of unwanted) await this.files.remove(file);
    return added;
  }

  /** Takes one file away again. Nothing happens if it is gone already. */
  async remove(holder: Holder, given: FileSign): Promise<void> {
    const { ticketId, participantId } = holder;
    const gone = await this.database.write(async (tx) => {
      await lockTicket(tx, ticketId);
      const draft = await tx.findOneBy(Draft, { participantId });
      const unwanted = draft?.files.find((one) => isSame(one, given));
      if (!draft || !unwanted) return null;
      const files = draft.files.filter((one) => one !== unwanted);
      if (files.length > 0 || this.bodyOf(draft) !== '') await tx.update(Draft, { id: draft.id }, { files });
      else await tx.delete(Draft, { id: draft.id });
      return unwanted;
    });
    if (gone) await this.files.remove(gone.file);
  }

  /** Which files of the draft go with the reply, for the transaction that stores it. The ticket is locked already. */
  async peek(tx: Transaction, { ticketId, participantId }: Holder, keep: string[]): Promise<ReceivedFile[]> {
    const draft = await tx.findOneBy(Draft, { ticketId, participantId });
    return this.filesOf(draft).filter(({ sha256 }) => keep.includes(sha256));
  }

  /**
   * Takes out of the draft what became a reply: the text, and the `sent` files. Those that the form never knew of, another
   * tab's, stay; returned are the names of all others, which nobody wants any more.
   */
  async use(tx: Transaction, holder: Holder, sent: ReceivedFile[], { offered }: DraftPick): Promise<string[]> {
    const draft = await tx.findOneBy(Draft, { participantId: holder.participantId });
    if (!draft) return [];
    const hashes = [...sent.map(({ sha256 }) => sha256), ...offered];
    const files = this.filesOf(draft).filter(({ sha256 }) => !hashes.includes(sha256));
    const { expiresAt } = draft;
    if (files.length > 0) await this.put(tx, holder, { body: '', files, expiresAt });
    else await tx.delete(Draft, { id: draft.id });
    const named = [...sent, ...files].map(({ file }) => file);
    return draft.files.map(({ file }) => file).filter((file) => !named.includes(file));
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

  private filesOf(draft: Draft | null): ReceivedFile[] {
    return draft && draft.expiresAt > this.clock.now() ? draft.files : [];
  }

  /** Empty also where the key that it was sealed with is gone: nobody can read that any more. */
  private bodyOf({ sealed, participantId }: Draft): string {
    return this.config.secretKeys.decrypt('draft', sealed, participantId)?.toString() ?? '';
  }

  private async put(
    tx: Transaction,
    { ticketId, participantId }: Holder,
    { body, files, expiresAt }: { body: string; files: ReceivedFile[]; expiresAt: number },
  ): Promise<void> {
    await tx.delete(Draft, { participantId });
    const id = newId('drf', this.clock.now());
    const sealed = this.config.secretKeys.encrypt('draft', body, participantId);
    await tx.insert(Draft, { id, ticketId, participantId, sealed, files, expiresAt });
  }
}

type FileSign = Pick<ReceivedFile, 'name' | 'sha256'>;

const isSame = (one: FileSign, other: FileSign) => one.sha256 === other.sha256 && one.name === other.name;

const isKept = ({ sha256 }: ReceivedFile, { keep, offered }: DraftPick) =>
  keep.includes(sha256) || !offered.includes(sha256);

function withinLimits(files: ReceivedFile[]): ReceivedFile[] {
  let bytes = 0;
  return files.slice(0, MOST_FILES_PER_REPLY).filter(({ size }) => (bytes += size) <= MOST_BYTES_PER_REPLY);
}

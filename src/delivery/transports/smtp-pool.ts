import type { DkimSettings } from '../../settings/mail.js';
import { DkimSigner } from './dkim.js';
import { SmtpSession, type SmtpMail, type SmtpServer } from './smtp-session.js';
import type { TransportOutcome } from './transport.js';

/** A connection is renewed after this many mails: relays count them. */
const MAILS_PER_CONNECTION = 1000;

export interface SmtpPoolSettings extends SmtpServer {
  connections: number;
  dkim: DkimSettings | null;
}

/** Connections to one server, at most so many at a time, kept and used again. */
export class SmtpPool {
  /** The one used last is used next, so that a pool too large for its work shrinks. */
  private readonly idle: { session: SmtpSession; leave: NodeJS.Timeout }[] = [];
  private readonly busy = new Set<SmtpSession>();
  private readonly waiting: (() => void)[] = [];
  private readonly signer: DkimSigner | null;
  private free: number;
  private isClosed = false;

  constructor(private readonly settings: SmtpPoolSettings) {
    this.free = settings.connections;
    this.signer = settings.dkim && new DkimSigner(settings.dkim);
  }

  async send(mail: SmtpMail): Promise<TransportOutcome> {
    const signed = this.signer ? { ...mail, bytes: await this.signer.sign(mail.bytes) } : mail;
    if (this.free > 0) this.free--;
    else await new Promise<void>((resolve) => this.waiting.push(resolve));
    const kept = this.takeIdle();
    if (kept) {
      const { outcome, unheard } = await kept.send(signed);
      // Servers end idle connections, some in the moment of the next mail. Once: the next connection is a fresh one.
      if (!unheard || this.isClosed) return this.finish(kept, outcome);
      this.busy.delete(kept);
    }
    return this.sendFreshly(signed);
  }

  /** At once: each mail under way gets the outcome that its progress allows. */
  close(): void {
    this.isClosed = true;
    for (const { session, leave } of this.idle.splice(0)) {
      clearTimeout(leave);
      session.quit();
    }
    for (const session of this.busy) session.close();
  }

  private async sendFreshly(mail: SmtpMail): Promise<TransportOutcome> {
    const session = new SmtpSession(this.settings);
    this.busy.add(session);
    const fault = this.isClosed ? 'the transport was closed' : await session.open();
    if (fault !== null) return this.finish(session, { outcome: 'deferred', detail: fault, scope: 'transport' });
    return this.finish(session, (await session.send(mail)).outcome);
  }

  private takeIdle(): SmtpSession | null {
    for (let next = this.idle.pop(); next; next = this.idle.pop()) {
      clearTimeout(next.leave);
      if (next.session.isOpen) {
        this.busy.add(next.session);
        return next.session;
      }
    }
    return null;
  }

  /** The outcome is known; that the connection is not ready for the next mail yet concerns only that one. */
  private finish(session: SmtpSession, outcome: TransportOutcome): TransportOutcome {
    void this.giveBack(session);
    return outcome;
  }

  private async giveBack(session: SmtpSession): Promise<void> {
    const isFit = (await session.renew()) && session.mails < MAILS_PER_CONNECTION && !this.isClosed;
    if (isFit)
      this.idle.push({ session, leave: setTimeout(() => session.quit(), this.settings.durations.idle).unref() });
    else session.quit();
    this.busy.delete(session);
    const next = this.waiting.shift();
    if (next) next();
    else this.free++;
  }
}

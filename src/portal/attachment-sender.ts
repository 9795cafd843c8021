import { Injectable } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import type { Readable } from 'node:stream';
import { HttpClient, HttpStreamError, type HttpStreamOutcome } from '../platform/http-client.js';
import type { SourceApiSettings } from '../sources.js';
import { Slots, SlotsByKey } from '../platform/slots.js';
import { attachmentDisposition, cleanName } from '../tickets/file-rules.js';
import { FileStore } from '../tickets/file-store.js';
import { Previews } from '../tickets/previews.js';
import { Scanner } from '../tickets/scanner.js';
import type { Attachment } from '../tickets/ticket.entity.js';

/** Largest file that is fetched from a source for a guest. */
const MOST_FETCHED_BYTES = 50 * 1024 * 1024;
const FETCH_TIMEOUT_MS = 60_000;
/** Fetched files of one process at once, each up to 50 MB on its disk while it is scanned, and those that wait. */
const MOST_FETCHES = 8;
const MOST_WAITING = 24;
/** Of one session: a browser asks for a few at once. */
const MOST_OF_ONE = 2;
const MOST_WAITING_OF_ONE = 6;

/** What became of it: `unsafe` and `unchecked` are the scanner's word on a file of the source, `busy`: too many are fetched. */
export type Sending = 'sent' | 'gone' | 'unsafe' | 'unchecked' | 'busy';

const SANDBOX = "sandbox; default-src 'none'";

/** Sends files so that no browser opens them on our origin: as a download, with no guess at the type, in a sandbox. */
@Injectable()
export class AttachmentSender {
  private readonly fetches = new Slots(MOST_FETCHES, MOST_WAITING);
  private readonly ofOne = new SlotsByKey(MOST_OF_ONE, MOST_WAITING_OF_ONE);

  constructor(
    private readonly files: FileStore,
    private readonly previews: Previews,
    private readonly scanner: Scanner,
    private readonly http: HttpClient,
  ) {}

  /**
   * Nothing was answered unless it was `sent`; `gone`: there is no such file, or the source does not give it.
   * @param asker the session that wants it
   * @param api of the source, for a file that it alone gives out
   */
  async send(
    reply: FastifyReply,
    attachment: Attachment | null,
    { asker, api }: { asker: string; api: SourceApiSettings | null } = { asker: '', api: null },
  ): Promise<Sending> {
    const send = () => this.sendNow(reply, attachment, api);
    if (!attachment || attachment.file !== null) return send();
    return (await this.ofOne.run(asker, () => this.fetches.run(send))) ?? 'busy';
  }

  /** Its promise is settled once the last of the file is on its way, or the reader gone. */
  private async sendNow(
    reply: FastifyReply,
    attachment: Attachment | null,
    api: SourceApiSettings | null,
  ): Promise<Sending> {
    const stream = attachment && (await this.open(attachment, api));
    if (!stream) return 'gone';
    if (typeof stream === 'string') return stream;
    await reply
      .status(200)
      .header('content-type', attachment.file === null ? 'application/octet-stream' : attachment.contentType)
      .header('content-disposition', attachmentDisposition(cleanName(attachment.name)))
      .header('content-security-policy', SANDBOX)
      .header('cache-control', 'no-store')
      .send(stream);
    return 'sent';
  }

  /** A picture made anew, small. False if there is none. `asker`: the session that looks at it. */
  async sendPreview(reply: FastifyReply, attachment: Attachment | null, asker: string): Promise<boolean> {
    const preview = attachment && (await this.previews.open(attachment, asker));
    if (!preview) return false;
    await reply
      .status(200)
      .header('content-type', 'image/webp')
      .header('content-disposition', 'inline')
      .header('content-security-policy', SANDBOX)
      .header('cache-control', 'no-store')
      .send(preview);
    return true;
  }

  /** Ours from the store; the source's through the client that reaches public addresses only. */
  private async open(
    { file, url }: Attachment,
    api: SourceApiSettings | null,
  ): Promise<Readable | 'unsafe' | 'unchecked' | null> {
    if (file !== null) return this.files.read(file);
    const fetched = url === null ? null : await this.fetch(url, api);
    if (!fetched?.ok) return null;
    if (fetched.status === 200) return this.scanner.isConfigured ? this.scanned(fetched.stream) : fetched.stream;
    fetched.stream.destroy();
    return null;
  }

  /**
   * Systems keep their files at a CDN and send us there, so one redirect is followed: to an address that is checked like
   * the first one, and without the credential.
   */
  private async fetch(url: string, api: SourceApiSettings | null): Promise<HttpStreamOutcome> {
    const limits = { maxBytes: MOST_FETCHED_BYTES, timeoutMs: FETCH_TIMEOUT_MS };
    const headers = api && isFileOf(api, url) ? { authorization: api.authorization } : undefined;
    const first = await this.http.getStream(url, { ...limits, headers });
    if (first.ok || first.location === undefined || !URL.canParse(first.location, url)) return first;
    return this.http.getStream(new URL(first.location, url).href, limits);
  }

  /** With a scanner nothing that it has not seen is handed out, whoever wrote it. */
  private async scanned(stream: Readable): Promise<Readable | 'unsafe' | 'unchecked' | null> {
    try {
      return await this.files.scanned(stream);
    } catch (error) {
      if (error instanceof HttpStreamError) return null; // it broke off, or was too large
      throw error;
    }
  }
}

/**
 * Whether the source's credential goes along: to its API's own origin, and to files alone. Whoever wrote the event must
 * not have other things fetched by it.
 */
function isFileOf({ url: root }: SourceApiSettings, url: string): boolean {
  if (!URL.canParse(url)) return false;
  const { origin, pathname } = new URL(url);
  return origin === new URL(root).origin && /\/(ticket_)?attachments?\//.test(pathname);
}

import { Injectable } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import type { Readable } from 'node:stream';
import { HttpClient, HttpStreamError } from '../platform/http-client.js';
import { attachmentDisposition, cleanName } from '../tickets/file-rules.js';
import { FileStore } from '../tickets/file-store.js';
import { Previews } from '../tickets/previews.js';
import { Scanner } from '../tickets/scanner.js';
import type { Attachment } from '../tickets/ticket.entity.js';

/** Largest file that is fetched from a source for a guest. */
const MOST_FETCHED_BYTES = 50 * 1024 * 1024;
const FETCH_TIMEOUT_MS = 60_000;

/** What became of it: `unsafe` and `unchecked` are the scanner's word on a file of the source. */
export type Sending = 'sent' | 'gone' | 'unsafe' | 'unchecked';

const SANDBOX = "sandbox; default-src 'none'";

/** Sends files so that no browser opens them on our origin: as a download, with no guess at the type, in a sandbox. */
@Injectable()
export class AttachmentSender {
  constructor(
    private readonly files: FileStore,
    private readonly previews: Previews,
    private readonly scanner: Scanner,
    private readonly http: HttpClient,
  ) {}

  /** Nothing was answered unless it was `sent`; `gone`: there is no such file, or the source does not give it. */
  async send(reply: FastifyReply, attachment: Attachment | null): Promise<Sending> {
    const stream = attachment && (await this.open(attachment));
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

  /** A picture made anew, small. False if there is none. */
  async sendPreview(reply: FastifyReply, attachment: Attachment | null): Promise<boolean> {
    const preview = attachment && (await this.previews.open(attachment));
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
  private async open({ file, url }: Attachment): Promise<Readable | 'unsafe' | 'unchecked' | null> {
    if (file !== null) return this.files.read(file);
    if (url === null) return null;
    const fetched = await this.http.getStream(url, { maxBytes: MOST_FETCHED_BYTES, timeoutMs: FETCH_TIMEOUT_MS });
    if (!fetched.ok) return null;
    if (fetched.status === 200) return this.scanner.isConfigured ? this.scanned(fetched.stream) : fetched.stream;
    fetched.stream.destroy();
    return null;
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

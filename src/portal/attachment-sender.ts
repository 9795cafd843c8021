import { Injectable } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import type { Readable } from 'node:stream';
import { HttpClient } from '../platform/http-client.js';
import { attachmentDisposition } from '../tickets/file-rules.js';
import { FileStore } from '../tickets/file-store.js';
import type { Attachment } from '../tickets/ticket.entity.js';

/** Largest file that is fetched from a source for a guest. */
const MOST_FETCHED_BYTES = 50 * 1024 * 1024;
const FETCH_TIMEOUT_MS = 60_000;

/** Sends files so that no browser opens them on our origin: as a download, with no guess at the type, in a sandbox. */
@Injectable()
export class AttachmentSender {
  constructor(
    private readonly files: FileStore,
    private readonly http: HttpClient,
  ) {}

  /** False if there is no such file, or the source does not give it. */
  async send(reply: FastifyReply, attachment: Attachment | null): Promise<boolean> {
    const stream = attachment && (await this.open(attachment));
    if (!stream) return false;
    await reply
      .status(200)
      .header('content-type', attachment.file === null ? 'application/octet-stream' : attachment.contentType)
      .header('content-disposition', attachmentDisposition(attachment.name))
      .header('content-security-policy', "sandbox; default-src 'none'")
      .header('cache-control', 'no-store')
      .send(stream);
    return true;
  }

  /** Ours from the store; the source's through the client that reaches public addresses only. */
  private async open({ file, url }: Attachment): Promise<Readable | null> {
    if (file !== null) return this.files.read(file);
    if (url === null) return null;
    const fetched = await this.http.getStream(url, { maxBytes: MOST_FETCHED_BYTES, timeoutMs: FETCH_TIMEOUT_MS });
    if (!fetched.ok) return null;
    if (fetched.status === 200) return fetched.stream;
    fetched.stream.destroy();
    return null;
  }
}

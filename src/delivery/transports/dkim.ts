import { buffer } from 'node:stream/consumers';
import DKIM from 'nodemailer/lib/dkim';
import type { DkimSettings } from '../../settings/mail.js';

/**
 * The headers that the signature covers where they are there (RFC 6376 5.4.1), those of one-click unsubscribing among
 * them (RFC 8058 4).
 */
const SIGNED_HEADERS = [
  'From:Reply-To:To:Subject:Date:Message-ID:In-Reply-To:References:MIME-Version:Content-Type:Content-Transfer-Encoding',
  'Content-Language:Auto-Submitted:List-Unsubscribe:List-Unsubscribe-Post',
].join(':');

/** Signs with rsa-sha256, relaxed/relaxed (RFC 6376, RFC 8301). The same mail has the same signature each time: it holds no time. */
export class DkimSigner {
  private readonly dkim: DKIM;

  constructor({ domain, selector, privateKey }: DkimSettings) {
    const key = { domainName: domain, keySelector: selector, privateKey };
    this.dkim = new DKIM({ ...key, headerFieldNames: SIGNED_HEADERS });
  }

  /** The mail with its signature in front. */
  async sign(mime: Uint8Array): Promise<Uint8Array> {
    const signed = await buffer(this.dkim.sign(Buffer.from(mime.buffer, mime.byteOffset, mime.byteLength)));
    // nodemailer lets a mail pass that it could not sign.
    if (!signed.subarray(0, 15).equals(Buffer.from('DKIM-Signature:'))) throw new Error('the DKIM key does not sign');
    return signed;
  }
}

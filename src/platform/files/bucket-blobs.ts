import { AwsV4Signer } from 'aws4fetch';
import { createReadStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { text } from 'node:stream/consumers';
import { checkBlobName, type Blobs } from './blobs.js';

/** A bucket of a server that speaks S3, by path style (`{endpoint}/{bucket}/{name}`), which every server takes. */
export interface BucketSettings {
  /** Origin of the server. */
  endpoint: string;
  bucket: string;
  region: string;
  accessKeyId: string;
  secretAccessKey: string;
}

const CONNECTIONS = 32;
/** Without a byte in either direction. */
const SILENCE_MS = 30_000;
const EMPTY_SHA256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

/** Files in a bucket (Amazon S3, and what speaks like it). Every request is signed (AWS Signature Version 4), body included. */
export class BucketBlobs implements Blobs {
  private readonly agent: HttpAgent;

  constructor(private readonly bucket: BucketSettings) {
    const options = { keepAlive: true, maxSockets: CONNECTIONS };
    this.agent = bucket.endpoint.startsWith('https:') ? new HttpsAgent(options) : new HttpAgent(options);
  }

  async keep(name: string, path: string, { size, sha256 }: { size: number; sha256: string }): Promise<void> {
    const headers = { 'content-length': String(size), 'content-type': 'application/octet-stream' };
    await this.expect([200], await this.call('PUT', this.url(name), { headers, sha256, path }));
    await rm(path, { force: true });
  }

  async read(name: string): Promise<Readable | null> {
    const answer = await this.call('GET', this.url(name));
    if (answer.statusCode === 200) return answer;
    await this.expect([404], answer);
    return null;
  }

  async remove(name: string): Promise<void> {
    await this.expect([200, 204, 404], await this.call('DELETE', this.url(name)));
  }

  async *list(before: number): AsyncIterable<string> {
    let after: string | undefined;
    do {
      const url = new URL(`${this.bucket.endpoint}/${this.bucket.bucket}`);
      url.searchParams.set('list-type', '2');
      if (after !== undefined) url.searchParams.set('continuation-token', after);
      const page = await this.expect([200], await this.call('GET', url));
      for (const [, entry = ''] of page.matchAll(/<Contents>([^]*?)<\/Contents>/g))
        if (Date.parse(element(entry, 'LastModified')) < before) yield element(entry, 'Key');
      after = element(page, 'IsTruncated') === 'true' ? element(page, 'NextContinuationToken') : undefined;
    } while (after);
  }

  private url(name: string): URL {
    checkBlobName(name);
    return new URL(`${this.bucket.endpoint}/${this.bucket.bucket}/${name}`);
  }

  private async call(
    method: string,
    url: URL,
    given: { headers?: Record<string, string>; sha256?: string; path?: string } = {},
  ): Promise<IncomingMessage> {
    const { accessKeyId, secretAccessKey, region } = this.bucket;
    const headers = { ...given.headers, 'x-amz-content-sha256': given.sha256 ?? EMPTY_SHA256 };
    const signer = new AwsV4Signer({
      method,
      url: url.href,
      headers,
      accessKeyId,
      secretAccessKey,
      service: 's3',
      region,
    });
    const signed = await signer.sign();
    const request = (url.protocol === 'https:' ? httpsRequest : httpRequest)(url, {
      method,
      agent: this.agent,
      timeout: SILENCE_MS,
      headers: Object.fromEntries(signed.headers as unknown as Iterable<[string, string]>),
    });
    request.on('timeout', () => request.destroy(new Error('the file store is silent')));
    let isAnswered = false;
    const answered = new Promise<IncomingMessage>((resolve, reject) => {
      request.on('response', (answer) => {
        isAnswered = true;
        resolve(answer);
      });
      request.on('error', reject);
    });
    if (given.path === undefined) request.end();
    else
      pipeline(createReadStream(given.path), request).catch((error: Error) => {
        // A server may answer before it has read everything, and close: then its answer is what counts.
        if (!isAnswered) request.destroy(error);
      });
    return answered;
  }

  /** Reads the answer to its end. Throws unless its status is one of these; the message holds no address and no key. */
  private async expect(statuses: number[], answer: IncomingMessage): Promise<string> {
    const body = await text(answer);
    if (statuses.includes(answer.statusCode ?? 0)) return body;
    throw new Error(`the file store answered ${answer.statusCode} ${element(body, 'Code').slice(0, 60)}`);
  }
}

/** Text of an element; our names and the server's tokens hold nothing but `&amp;` to unescape. */
function element(xml: string, name: string): string {
  const found = new RegExp(`<${name}>([^<]*)</${name}>`).exec(xml)?.[1] ?? '';
  return found.replaceAll('&quot;', '"').replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&');
}

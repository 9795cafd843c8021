import { randomUUID } from 'node:crypto';
import { signWebhook } from '../../src/platform/webhook-signature.js';
import type { TestClock } from './clock.js';

export type EventBody = { type: string; timestamp: string; data: Record<string, unknown> } & Record<string, unknown>;

export interface PostOptions {
  id?: string;
  secret?: string;
  /** Seconds that the signature's time is off. */
  ageSeconds?: number;
  headers?: Record<string, string>;
  path?: string;
}

/** A ticket system that signs and posts events. */
export class TestSource {
  private version = 0;

  constructor(
    readonly gatewayUrl: string,
    readonly secret: string,
    private readonly clock: TestClock,
    readonly name = 'default',
  ) {}

  /** A whole event; what is given replaces its part. Each has a version above the one before, unless told. */
  event(
    type: string,
    given: { ticket?: object; requester?: object; message?: object | null; data?: object; timestamp?: string } = {},
  ): EventBody {
    const version = ++this.version;
    const at = given.timestamp ?? new Date(this.clock.now()).toISOString();
    return {
      type,
      timestamp: at,
      data: {
        ticket: {
          id: 't-1',
          number: '12345',
          subject: 'Penarikan tertunda',
          status: 'open',
          version,
          updatedAt: at,
          ...given.ticket,
        },
        requester: {
          kind: 'guest',
          email: 'siti@example.com',
          name: 'Siti',
          locale: 'id-ID',
          timeZone: 'Asia/Jakarta',
          ...given.requester,
        },
        ...(given.message === undefined || given.message === null
          ? {}
          : {
              message: {
                id: `m-${version}`,
                author: { kind: 'agent', name: 'Rina' },
                body: 'Mohon kirim ID transaksi.',
                format: 'text',
                createdAt: at,
                visibility: 'public',
                ...given.message,
              },
            }),
        ...given.data,
      },
    };
  }

  /** Posts a body, signed as Standard Webhooks say. */
  async post(
    body: EventBody | string,
    { id = `evt_${randomUUID()}`, secret = this.secret, ageSeconds = 0, headers = {}, path }: PostOptions = {},
  ): Promise<Response> {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    const timestamp = Math.floor(this.clock.now() / 1000) - ageSeconds;
    return fetch(`${this.gatewayUrl}${path ?? `/v1/sources/${this.name}/events`}`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...signWebhook({ secret, id, timestamp, body: text }),
        ...headers,
      },
      body: text,
    });
  }

  /** Posts an event that must be taken. */
  async send(
    type: string,
    given: Parameters<TestSource['event']>[1] = {},
    options: PostOptions = {},
  ): Promise<{ eventId: string; duplicate: boolean }> {
    const answer = await this.post(this.event(type, given), options);
    if (!answer.ok) throw new Error(`${type} was answered ${answer.status}: ${await answer.text()}`);
    return (await answer.json()) as { eventId: string; duplicate: boolean };
  }
}

import { Controller, Get, Header, HttpCode, Param, Post, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { Handoffs } from '../access/handoff.js';
import { Config } from '../config.js';
import { PosternError } from '../errors.js';
import { Clock, isoTime } from '../platform/clock.js';
import { Database } from '../platform/database/database.js';
import { Logger } from '../platform/logger.js';
import type { PublicKey } from '../platform/signing-keys.js';
import { jsonProblem, parseStrictJson } from '../platform/strict-json.js';
import { verifyWebhook } from '../platform/webhook-signature.js';
import { sourceNamed, type Source } from '../sources.js';
import { findConversation } from '../tickets/conversation.js';

const MAX_DEPTH = 4;
/** Long enough to spare requests, short enough that a new key is known when it begins to sign. */
const KEYS_KEPT_SECONDS = 300;

interface HandedOver {
  ticket: { id: string; number: string };
  email: string;
  verifiedAt: string;
}

const redeemRequest = z.object({ token: z.string().max(512) });

/** What the server of a source's own ticket page asks, once a guest has come there. */
@Controller()
export class HandoffController {
  constructor(
    private readonly config: Config,
    private readonly database: Database,
    private readonly clock: Clock,
    private readonly handoffs: Handoffs,
    private readonly logger: Logger,
  ) {}

  /** Says who came, once. Signed like an event: the token alone, in a browser's history or a log, is worth nothing. */
  @Post('v1/sources/:source/handoffs/redeem')
  @HttpCode(200)
  @Header('cache-control', 'no-store')
  async redeem(@Param('source') name: string, @Req() request: FastifyRequest): Promise<HandedOver> {
    const source = sourceNamed(this.config.sources, name);
    if (!source) throw new PosternError('unknown-source', 'Check the source in the address.');
    const token = this.readToken(source, request);
    const handoff = await this.handoffs.redeem(source.name, token);
    const found = handoff && (await this.database.read((manager) => findConversation(manager, handoff)));
    // Asked again after it was used up: the link may have been revoked, or the page moved, since the guest was sent there.
    if (!found || found.ticket.source !== source.name || this.handoffs.target(source, found.ticket) !== handoff.target)
      throw new PosternError(
        'handoff-unusable',
        'It is unknown, was used before, or is older than a minute. Send the guest back to the newest mail.',
      );
    this.logger.debug('handoff redeemed', { handoffId: handoff.id, source: source.name });
    const { ticket, participant } = found;
    return {
      ticket: { id: ticket.sourceTicketId, number: ticket.number },
      email: participant.email,
      verifiedAt: isoTime(handoff.verifiedAt),
    };
  }

  /** The public keys of `handoff: jwt` (RFC 7517). */
  @Get('.well-known/jwks.json')
  @Header('cache-control', `public, max-age=${KEYS_KEPT_SECONDS}`)
  @Header('content-type', 'application/jwk-set+json')
  keys(): { keys: readonly PublicKey[] } {
    return { keys: this.config.handoffKeys.published };
  }

  private readToken(source: Source, { headers, body }: FastifyRequest): string {
    const contentType = headers['content-type']?.split(';')[0]?.trim().toLowerCase();
    if (contentType !== 'application/json') throw new PosternError('unsupported-media-type', 'Send application/json.');
    const rawBody = Buffer.isBuffer(body) ? body : Buffer.alloc(0);
    if (!verifyWebhook({ secrets: source.handoffSecrets, headers, rawBody, now: this.clock.now() }).ok)
      throw new PosternError(
        'bad-signature',
        'Sign the raw body by Standard Webhooks with the handoffSecret of this source, else with the secret of its events.',
      );
    const json = parseStrictJson(rawBody, { maxDepth: MAX_DEPTH });
    if (!json.ok) throw jsonProblem(json);
    const parsed = redeemRequest.safeParse(json.value);
    if (!parsed.success)
      throw new PosternError('invalid-request', 'The body is {"token":"hof_…"}.', {
        errors: [{ pointer: '/token', detail: 'must be the token that came with the guest' }],
      });
    return parsed.data.token;
  }
}

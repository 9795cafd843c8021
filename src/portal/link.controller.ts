import { Body, Controller, Get, Param, Post, Query, Req, Res, UseFilters } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Codes, type IssuedCode } from '../access/code.js';
import { Handoffs } from '../access/handoff.js';
import { renewalLimits, takeLimits, type Taken } from '../access/limits.js';
import { Config } from '../config.js';
import { Deliveries, type CodeProgress } from '../delivery/delivery.js';
import { Suppressions } from '../delivery/suppression.js';
import { accountPage } from '../notifications/planner.js';
import { Outbound } from '../outbound/outbound.js';
import { maskAddress } from '../platform/address.js';
import { Clock } from '../platform/clock.js';
import { Database } from '../platform/database/database.js';
import { Metrics } from '../platform/metrics.js';
import { confirm } from '../tickets/ways-out.js';
import { canonicalIp } from '../platform/client-network.js';
import { Doors, newsOf, seeOther, type Door } from './doors.js';
import { PageErrorFilter } from './page-error.filter.js';
import { PageWriter } from './page-writer.js';
import { Visitors } from './visitor.js';

const RESEND_AFTER_MS = 60_000;
/** Within that a code mail is with its transport, or something is wrong. */
const SLOW_AFTER_MS = 60_000;

interface CodeForm {
  formToken?: string;
  code?: string;
}

/** The guest's way in: link, code, session. A GET changes nothing and sends nothing, whoever asks and how often. */
@Controller('t/:token')
@UseFilters(PageErrorFilter)
export class LinkController {
  constructor(
    private readonly config: Config,
    private readonly database: Database,
    private readonly clock: Clock,
    private readonly doors: Doors,
    private readonly codes: Codes,
    private readonly handoffs: Handoffs,
    private readonly deliveries: Deliveries,
    private readonly suppressions: Suppressions,
    private readonly outbound: Outbound,
    private readonly metrics: Metrics,
    private readonly visitors: Visitors,
    private readonly writer: PageWriter,
  ) {}

  @Get()
  async landing(
    @Param('token') token: string,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const door = await this.open(token, request, reply);
    if (!door) return;
    const { ticket, participant } = door;
    const maskedAddress = maskAddress(participant.email);
    const sendAction = `/t/${token}/code`;
    if (participant.deniedAt !== null)
      return this.writer.notice(request, reply, 200, { kind: 'not-mine', maskedAddress, action: sendAction }, door);
    const view = {
      ticketNumber: ticket.number,
      maskedAddress,
      sendAction,
      notMineAction: participant.confirmedAt === null ? `/t/${token}/not-mine` : null,
      stopAction: participant.mailStoppedAt === null ? `/t/${token}/stop` : null,
    };
    await this.writer.send(request, reply, 200, 'landing', view, door);
  }

  /** Sends the code to the bound address. Only this counts as the link having been opened. */
  @Post('code')
  async sendCode(
    @Param('token') token: string,
    @Body() form: CodeForm,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    this.checkForm(request, form);
    const door = await this.open(token, request, reply);
    if (!door) return;
    if (await this.isSuppressed(door)) return this.unreachable(door, request, reply);
    const { ticket, participant, source, holder } = door;
    const result = await this.database.write(async (tx) => {
      const challenge = await this.codes.issue(tx, holder, {
        addressKey: participant.emailKey,
        ip: canonicalIp(request.ip),
      });
      if (!challenge.ok) return challenge;
      const occurredAt = challenge.createdAt;
      const mails = await this.deliveries.plan(tx, [
        { ticket, participant, templateKey: 'access-code', occurredAt, challenge },
      ]);
      const news = await this.outbound.enqueue(tx, {
        source: source.name,
        type: 'link.opened',
        data: newsOf(door, this.clock.now()),
      });
      return { ok: true as const, mails, news };
    });
    this.metrics.codes.inc({ outcome: result.ok ? 'sent' : 'limited' });
    if (result.ok) {
      this.deliveries.wake(result.mails);
      this.outbound.wake(result.news);
      return seeOther(reply, `/t/${token}/code`);
    }
    const latest = await this.codes.latest(holder);
    // Pressed twice: the code on its way still works, and the page says that no second one was sent.
    if (latest?.alive && latest.createdAt + RESEND_AFTER_MS > this.clock.now())
      return seeOther(reply, `/t/${token}/code?again=1`);
    const works = latest?.alive === true && (await this.progress(door, latest)) !== 'given-up';
    const href = works ? `/t/${token}/code` : null;
    await this.wait(door, request, reply, result, 'code', href);
  }

  @Get('code')
  async codePage(
    @Param('token') token: string,
    @Query('again') again: string | undefined,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const door = await this.open(token, request, reply);
    if (!door) return;
    // Suppressed since the button was pressed: that code did not leave, and the page must not say that it did.
    if (await this.isSuppressed(door)) return this.unreachable(door, request, reply);
    const latest = await this.codes.latest(door.holder);
    const progress = latest?.alive ? await this.progress(door, latest) : 'sent';
    // Refused by the mail server, or given up by us.
    if (progress === 'given-up') return this.unreachable(door, request, reply);
    await this.showCode(token, door, request, reply, 200, {
      notice: again === undefined ? 'sent' : 'already-sent',
      isSlow: latest !== null && progress === 'waiting' && latest.createdAt + SLOW_AFTER_MS <= this.clock.now(),
    });
  }

  @Post('verify')
  async verify(
    @Param('token') token: string,
    @Body() form: CodeForm,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    this.checkForm(request, form);
    const door = await this.open(token, request, reply);
    if (!door) return;
    const { ticket, participant, source, holder, linkExpiresAt } = door;
    const { email } = participant;
    const target = this.handoffs.target(source, ticket);
    const verdict = await this.codes.verify(
      { ...holder, linkExpiresAt },
      String(form.code ?? ''),
      async (tx) => {
        // Whoever reads the mailbox is in again, whatever somebody said who only had the link.
        await confirm(tx, holder, this.clock.now());
        return {
          news: await this.outbound.enqueue(tx, {
            source: source.name,
            type: 'guest.verified',
            data: newsOf(door, this.clock.now()),
          }),
          handedTo: target && (await this.handoffs.issue(tx, holder, { source, target, ticket: { ...ticket, email } })),
        };
      },
      { opensSession: target === null },
    );
    this.metrics.codes.inc({ outcome: verdict.ok ? 'right' : verdict.reason });
    if (verdict.ok) {
      const { news, handedTo } = verdict.also;
      this.outbound.wake(news);
      if (verdict.sessionToken === null) return this.goAway(reply, handedTo!);
      this.visitors.keepSession(reply, ticket.id, verdict.sessionToken, door.chosenLocale ?? participant.locale);
      return seeOther(reply, `/tickets/${ticket.id}#newest`);
    }
    if (verdict.reason === 'link-dead') return this.deadLink(door, request, reply);
    if (verdict.reason === 'dead') return this.deadCode(token, door, request, reply);
    if (verdict.reason === 'limited') {
      void reply.header('retry-after', String(verdict.retryAfterSeconds));
      return this.writer.notice(request, reply, 429, { kind: 'guess-wait', seconds: verdict.retryAfterSeconds }, door);
    }
    const triesLeft = verdict.reason === 'wrong' ? verdict.triesLeft : undefined;
    await this.showCode(token, door, request, reply, 422, { error: verdict.reason, triesLeft });
  }

  /** Mails a fresh link for an expired one, to the address it was made for. */
  @Post('renew')
  async renew(
    @Param('token') token: string,
    @Body() form: CodeForm,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    this.checkForm(request, form);
    const door = await this.doors.find(token);
    if (!door) return this.writer.notice(request, reply, 404, { kind: 'not-found' });
    if (!door.expired) return seeOther(reply, `/t/${token}`);
    if (await this.isSuppressed(door)) return this.unreachable(door, request, reply);
    const { ticket, participant, source } = door;
    const now = this.clock.now();
    const planned = await this.database.write(async (tx) => {
      const asker = {
        participantId: participant.id,
        addressKey: participant.emailKey,
        ip: canonicalIp(request.ip),
      };
      const taken = await takeLimits(tx, renewalLimits(this.config.secretKeys, asker), now);
      const accountUrl = participant.kind === 'account' ? accountPage(source, ticket) : null;
      const plan = { ticket, participant, templateKey: 'link-renewed' as const, occurredAt: now, accountUrl };
      return taken.ok ? { ok: true as const, mails: await this.deliveries.plan(tx, [plan]) } : taken;
    });
    if (!planned.ok) return this.wait(door, request, reply, planned, 'link');
    this.deliveries.wake(planned.mails);
    await this.writer.notice(
      request,
      reply,
      200,
      { kind: 'renewed', maskedAddress: maskAddress(participant.email) },
      door,
    );
  }

  private checkForm(request: FastifyRequest, form: CodeForm | undefined): void {
    this.visitors.checkOrigin(request);
    this.visitors.checkFormToken(request, null, form?.formToken);
  }

  /** The door behind a link, or the page that says why there is none: forged, revoked and unknown look the same. */
  private async open(token: string, request: FastifyRequest, reply: FastifyReply): Promise<Door | null> {
    const door = await this.doors.find(token);
    if (!door) await this.writer.notice(request, reply, 404, { kind: 'not-found' });
    else if (door.expired)
      await this.writer.notice(request, reply, 410, { kind: 'expired', action: `/t/${token}/renew` }, door);
    else if (await this.codes.isLinkDead(door.holder, door.linkExpiresAt)) await this.deadLink(door, request, reply);
    else return door;
    return null;
  }

  private async showCode(
    token: string,
    door: Door,
    request: FastifyRequest,
    reply: FastifyReply,
    status: number,
    told: { notice?: 'sent' | 'already-sent'; isSlow?: boolean; error?: 'wrong' | 'malformed'; triesLeft?: number },
  ): Promise<void> {
    const latest = await this.codes.latest(door.holder);
    if (latest === null) return seeOther(reply, `/t/${token}`);
    if (!latest.alive) return this.deadCode(token, door, request, reply);
    const resendInSeconds = (latest.createdAt + RESEND_AFTER_MS - this.clock.now()) / 1000;
    const view = {
      ticketNumber: door.ticket.number,
      maskedAddress: maskAddress(door.participant.email),
      reference: latest.reference,
      verifyAction: `/t/${token}/verify`,
      resendAction: `/t/${token}/code`,
      resendInSeconds,
      expiresAt: new Date(latest.expiresAt),
      ...told,
    };
    await this.writer.send(request, reply, status, 'code', view, door);
  }

  private async deadCode(token: string, door: Door, request: FastifyRequest, reply: FastifyReply): Promise<void> {
    // Its last try may have been the link's last one too: then there is no new code to offer.
    if (await this.codes.isLinkDead(door.holder, door.linkExpiresAt)) return this.deadLink(door, request, reply);
    await this.writer.notice(request, reply, 410, { kind: 'code-dead', action: `/t/${token}/code` }, door);
  }

  private deadLink(door: Door, request: FastifyRequest, reply: FastifyReply): Promise<void> {
    return this.writer.notice(request, reply, 410, { kind: 'too-many-tries' }, door);
  }

  /** Nothing was sent: how long to wait, and what to do instead. With `href` there is a code that still works. */
  private wait(
    door: Door,
    request: FastifyRequest,
    reply: FastifyReply,
    { full, retryAfterSeconds: seconds }: Exclude<Taken, { ok: true }>,
    wanted: 'code' | 'link',
    href: string | null = null,
  ): Promise<void> {
    void reply.header('retry-after', String(seconds));
    const isTheirs = wanted === 'code' && (full === 'code' || full === 'mail');
    const kind = full === 'renew' ? 'renew-wait' : isTheirs ? 'wait' : 'send-wait';
    return this.writer.notice(request, reply, 429, { kind, seconds, href }, door);
  }

  private progress({ ticket }: Door, code: IssuedCode): Promise<CodeProgress> {
    return this.database.read((manager) => this.deliveries.progressOfCode(manager, code, ticket.id));
  }

  private isSuppressed({ participant }: Door): Promise<boolean> {
    return this.database.read((manager) => this.suppressions.isSuppressed(manager, participant.emailKey));
  }

  /** Mails to this address came back: nothing is sent, nothing is counted, and the page says so. */
  private unreachable(door: Door, request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const maskedAddress = maskAddress(door.participant.email);
    return this.writer.notice(request, reply, 409, { kind: 'unreachable', maskedAddress }, door);
  }

  /** To the source's own page. Neither it nor anything it loads learns from the Referer where the guest came from. */
  private async goAway(reply: FastifyReply, address: string): Promise<void> {
    void reply.header('referrer-policy', 'no-referrer');
    await seeOther(reply, address);
  }
}

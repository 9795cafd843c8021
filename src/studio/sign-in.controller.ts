import { Controller, Delete, Get, HttpCode, Param, Patch, Post, Req, Res, UseGuards } from '@nestjs/common';
import type { AuthenticationResponseJSON, RegistrationResponseJSON } from '@simplewebauthn/server';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { studioPersonLimit, studioTryLimit, takeLimits, type LimitRule } from '../access/limits.js';
import { Config } from '../config.js';
import { DirectMail } from '../delivery/direct-mail.js';
import { senderOf } from '../delivery/mail-frame.js';
import { PosternError } from '../errors.js';
import { isId, type Id } from '../ids.js';
import { canonicalIp } from '../platform/client-network.js';
import { Clock, isoTime } from '../platform/clock.js';
import { Database } from '../platform/database/database.js';
import type { Brand } from '../templates/brand.js';
import { Brands } from '../templates/brands.js';
import { Challenges } from './challenges.js';
import { Enrolment, isFor, refused, type Enrolling } from './enrolment.js';
import { Invitations, unusable } from './invitations.js';
import { readJson } from './json-body.js';
import { OidcSignIn } from './oidc.js';
import { challengeIn, Passkeys } from './passkeys.js';
import { People } from './people.js';
import { emailShape, nameShape } from './shapes.js';
import { Anybody, Fresh, signedIn, SignedInOnly, signedInOrNull, StudioGuard } from './studio.guard.js';
import { StudioSessions } from './studio-session.js';

/** Who is being enrolled: by an invitation's token, or the one who is signed in. */
const enrolmentShape = z.object({
  token: z.string().max(100).optional(),
  /** With the operator's link: whoever holds it says who they are. */
  email: emailShape.optional(),
  name: nameShape.optional(),
});
const base64urlOf = (most: number) =>
  z
    .string()
    .min(1)
    .max(most)
    .regex(/^[\w-]+$/);
const base64url = base64urlOf(8192);
// The library checks the rest; what it is not given it cannot trip over.
const credentialOf = <S extends z.ZodRawShape>(response: S) =>
  z.object({
    id: base64url,
    rawId: base64url,
    type: z.literal('public-key'),
    authenticatorAttachment: z.string().optional(),
    clientExtensionResults: z.looseObject({}),
    response: z.object({ clientDataJSON: base64url, ...response }),
  });
const newKeyShape = enrolmentShape.extend({
  /** By which the person tells their passkeys apart. */
  label: nameShape.optional(),
  response: credentialOf({
    // It may hold a chain of certificates.
    attestationObject: base64urlOf(65_536),
    transports: z.array(z.string().max(20)).max(10).optional(),
  }),
});
const answerShape = z.object({
  response: credentialOf({
    authenticatorData: base64url,
    signature: base64url,
    userHandle: base64url.optional(),
  }),
});

/** What is told of a passkey, and what to do about it. */
const ADDED = {
  what: 'added to',
  otherwise: 'sign in, remove it under “Your passkeys”, end all other sessions, and tell an admin',
};
const REMOVED = {
  what: 'removed from',
  otherwise: 'sign in with another one, end all other sessions, and tell an admin',
};

/** The ways in, and what a person holds of them. All refusals of a sign-in are one and the same. */
@Controller('studio')
@UseGuards(StudioGuard)
export class SignInController {
  constructor(
    private readonly config: Config,
    private readonly database: Database,
    private readonly clock: Clock,
    private readonly people: People,
    private readonly invitations: Invitations,
    private readonly enrolment: Enrolment,
    private readonly passkeys: Passkeys,
    private readonly challenges: Challenges,
    private readonly oidc: OidcSignIn,
    private readonly sessions: StudioSessions,
    private readonly brands: Brands,
    private readonly mail: DirectMail,
  ) {}

  /** What the sign-in page offers. */
  @Get('api/sign-in')
  @Anybody()
  ways(): { passkeys: true; oidc: boolean } {
    return { passkeys: true, oidc: this.config.studio.oidc !== null };
  }

  @Get('api/me')
  @SignedInOnly()
  me(@Req() request: FastifyRequest): object {
    const person = signedIn(request);
    const { id, name, email, roles } = person;
    const { secondPerson, oidc } = this.config.studio;
    const { from } = this.config.mail;
    const brands = this.brands.keys().map((key) => this.brands.get(key));
    const sender = (brand: Brand) => senderOf(brand, { name: from.name, address: from.address.given });
    return {
      ...{ id, name, email, roles },
      token: this.sessions.formToken(person),
      settings: {
        secondPerson,
        oidc: oidc !== null,
        sources: this.config.sources.map((source) => source.name),
        brands: brands.map(({ key }) => key),
        brandNames: Object.fromEntries(brands.map(({ key, name }) => [key, name])),
        senderNames: Object.fromEntries(
          brands.map((brand) => [brand.key, sender(brand).name || sender(brand).address]),
        ),
      },
    };
  }

  /** Who is invited by a token, for the page that greets them. It stays good. */
  @Post('api/invitation')
  @HttpCode(200)
  @Anybody()
  async invitation(@Req() request: FastifyRequest): Promise<object> {
    const { token } = readJson(request, z.object({ token: z.string().max(100) }));
    await this.count(request);
    const found = await this.invitations.find(token);
    if (found === null) throw unusable();
    const { email, name, roles, expiresAt } = found;
    return { kind: email === null ? 'first' : 'invitation', email, name, roles, expiresAt: isoTime(expiresAt) };
  }

  @Post('api/passkeys/register/options')
  @HttpCode(200)
  @Anybody()
  async registerOptions(
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<object> {
    const { person, invitation } = await this.enrolling(request, readJson(request, enrolmentShape));
    // The device answers for the challenge: whoever brings that answer was asked here.
    if (invitation === null) this.sessions.mustBeFresh(signedIn(request));
    const forWhom = { personId: person.id, invitationId: invitation?.id ?? null };
    const challenge = await this.challenges.issue(request, reply, 'register', forWhom);
    return this.passkeys.registrationOptions(challenge, person);
  }

  @Post('api/passkeys/register/verify')
  @HttpCode(200)
  @Anybody()
  async registerVerify(
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<{ id: Id<'usr'> }> {
    const body = readJson(request, newKeyShape);
    const { response, label = 'Passkey' } = body;
    const { person, invitation } = await this.enrolling(request, body);
    const challenge = challengeIn(response.response.clientDataJSON);
    const asked = await this.challenges.useUp(request, 'register', challenge);
    if (!isFor(asked, person.id, invitation)) throw refused();
    const key = await this.passkeys.verifyNew(response as RegistrationResponseJSON, challenge);
    if (key === null) throw refused();
    if (invitation === null) {
      await this.database.write((tx) => this.passkeys.add(tx, person.id, key, label));
      await this.tell(person.email, ADDED);
      return { id: person.id };
    }
    // The id under which the device keeps its key was made with the options.
    const enrolled = { ...person, id: asked!.personId! };
    const { token, wasThere } = await this.database.write(async (tx) => {
      await this.invitations.useUp(tx, invitation.id);
      const wasThere = await this.enrolment.settle(tx, enrolled, invitation);
      const passkey = await this.passkeys.add(tx, enrolled.id, key, label);
      return { token: await this.enrolment.signIn(tx, request, enrolled.id, passkey), wasThere };
    });
    this.sessions.keep(reply, token);
    if (wasThere) await this.tell(person.email, ADDED);
    return { id: enrolled.id };
  }

  @Post('api/passkeys/sign-in/options')
  @HttpCode(200)
  @Anybody()
  async signInOptions(
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<object> {
    readJson(request, z.object({}));
    await this.count(request);
    return this.passkeys.signInOptions(await this.challenges.issue(request, reply, 'sign-in'));
  }

  @Post('api/passkeys/sign-in/verify')
  @HttpCode(200)
  @Anybody()
  async signInVerify(
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<{ id: Id<'usr'> }> {
    const { response } = readJson(request, answerShape);
    const passkey = await this.passkeys.find(response.id);
    await this.count(request, ...(passkey ? [studioPersonLimit(this.config.secretKeys, passkey.personId)] : []));
    const challenge = challengeIn(response.response.clientDataJSON);
    const asked = await this.challenges.useUp(request, 'sign-in', challenge);
    const answer =
      asked && passkey && (await this.passkeys.check(response as AuthenticationResponseJSON, challenge, passkey));
    if (!passkey || !answer) throw refused();
    const token = await this.database.write(async (tx) => {
      const person = await this.people.find(tx, { id: passkey.personId });
      if (person === null || !(await this.passkeys.verify(tx, passkey, answer))) return null;
      return this.enrolment.signIn(tx, request, person.id, passkey.id);
    });
    if (token === null) throw refused();
    this.sessions.keep(reply, token);
    return { id: passkey.personId };
  }

  @Get('oidc/start')
  @Anybody()
  async oidcStart(@Res() reply: FastifyReply): Promise<void> {
    await reply.redirect(await this.oidc.begin(reply).catch(unreachable), 303);
  }

  /**
   * Where the provider sends the browser back to. The page that answers leads on by itself: a redirect would still count
   * as coming from the provider's site, and the browser would not send the new cookie, which is `SameSite=Strict`.
   */
  @Get('oidc/callback')
  @Anybody()
  async oidcCallback(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    await this.count(request);
    const target = await this.backFromProvider(request, reply).catch(unreachable);
    await reply
      .status(200)
      .header('content-type', 'text/html; charset=utf-8')
      .send(
        `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Postern studio</title><meta http-equiv="refresh" content="0;url=${target}"></head><body><p><a href="${target}">Go on</a></p></body></html>`,
      );
  }

  /** Where it leads on to: signed in, or to the page that says why not. */
  private async backFromProvider(request: FastifyRequest, reply: FastifyReply): Promise<string> {
    const vouched = await this.oidc.finish(request, reply);
    const token = vouched && (await this.enrolment.letIn(request, vouched));
    if (token === null) return '/studio/sign-in?problem=refused';
    this.sessions.keep(reply, token);
    return '/studio';
  }

  @Post('api/sign-out')
  @HttpCode(204)
  @SignedInOnly()
  async signOut(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<void> {
    const { id, sessionId } = signedIn(request);
    await this.database.write((tx) => this.sessions.end(tx, id, sessionId));
    this.sessions.forget(reply);
  }

  @Get('api/sessions')
  @SignedInOnly()
  async listSessions(@Req() request: FastifyRequest): Promise<object[]> {
    const person = signedIn(request);
    const sessions = await this.sessions.list(person.id);
    return sessions.map(({ id, browser, createdAt, lastUsedAt }) => ({
      ...{ id, browser, current: id === person.sessionId },
      ...{ createdAt: isoTime(createdAt), lastUsedAt: isoTime(lastUsedAt) },
    }));
  }

  @Delete('api/sessions/:id')
  @HttpCode(204)
  @SignedInOnly()
  async endSession(@Req() request: FastifyRequest, @Param('id') id: string): Promise<void> {
    const person = signedIn(request);
    const ended = isId('ses', id) && (await this.database.write((tx) => this.sessions.end(tx, person.id, id)));
    if (!ended) throw new PosternError('not-found', 'You have no such session.');
  }

  @Get('api/passkeys')
  @SignedInOnly()
  async listPasskeys(@Req() request: FastifyRequest): Promise<object[]> {
    const passkeys = await this.passkeys.list(signedIn(request).id);
    return passkeys.map(({ id, name, backedUp, createdAt, lastUsedAt }) => ({
      ...{ id, name, backedUp },
      ...{ createdAt: isoTime(createdAt), lastUsedAt: isoTime(lastUsedAt) },
    }));
  }

  @Patch('api/passkeys/:id')
  @HttpCode(204)
  @SignedInOnly()
  async renamePasskey(@Req() request: FastifyRequest, @Param('id') id: string): Promise<void> {
    const { name } = readJson(request, z.object({ name: nameShape }));
    if (!(await this.passkeys.rename(signedIn(request).id, id, name)))
      throw new PosternError('not-found', 'You have no such passkey.');
  }

  @Delete('api/passkeys/:id')
  @HttpCode(204)
  @SignedInOnly()
  @Fresh()
  async removePasskey(@Req() request: FastifyRequest, @Param('id') id: string): Promise<void> {
    const person = signedIn(request);
    const hasOtherWay = person.hasOidc && this.config.studio.oidc !== null;
    if (!(await this.passkeys.remove(person, id, hasOtherWay)))
      throw new PosternError('not-found', 'You have no such passkey.');
    await this.tell(person.email, REMOVED);
  }

  /** By a token, else by the session; each try is counted before it is looked at. */
  private async enrolling(
    request: FastifyRequest,
    { token, email, name }: z.infer<typeof enrolmentShape>,
  ): Promise<Enrolling> {
    if (token === undefined) {
      const person = signedInOrNull(request);
      if (person === null) throw new PosternError('sign-in-required', 'Sign in, or open your invitation again.');
      if (!this.sessions.isFormToken(person, request.headers['x-studio-token']))
        throw new PosternError('forbidden', 'Send the token of this session in x-studio-token.');
      await this.count(request);
      return { person, invitation: null };
    }
    await this.count(request);
    return this.enrolment.begin(token, { email, name });
  }

  private async count(request: FastifyRequest, ...more: LimitRule[]): Promise<void> {
    const rules = [studioTryLimit(this.config.secretKeys, canonicalIp(request.ip)), ...more];
    const taken = await this.database.write((tx) => takeLimits(tx, rules, this.clock.now()));
    if (taken.ok) return;
    const { retryAfterSeconds } = taken;
    throw new PosternError('too-many-requests', 'Too many tries. Wait a little.', { retryAfterSeconds });
  }

  /** Whoever did not do that wants to know. */
  private async tell(to: string, { what, otherwise }: { what: string; otherwise: string }): Promise<void> {
    await this.mail.sendLetter({
      to,
      subject: `A passkey was ${what} your account in the studio`,
      paragraphs: [
        `A passkey was just ${what} your account in the Postern studio.`,
        `If that was you, there is nothing to do. If not, ${otherwise}: ${this.config.publicUrl}/studio`,
      ],
    });
  }
}

/** Whoever pressed the button is in a browser: they are told on the page they came from. */
function unreachable(error: unknown): string {
  if (error instanceof PosternError && error.code === 'unavailable') return '/studio/sign-in?problem=unreachable';
  throw error;
}

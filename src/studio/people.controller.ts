import { Controller, Delete, Get, HttpCode, Param, Patch, Post, Query, Req, UseGuards } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { LessThan } from 'typeorm';
import { z } from 'zod';
import { studioInviteLimits, takeLimits } from '../access/limits.js';
import { Config } from '../config.js';
import { DirectMail } from '../delivery/direct-mail.js';
import { PosternError } from '../errors.js';
import { isId } from '../ids.js';
import { addressKey } from '../platform/address.js';
import { AuditEntry } from '../platform/audit.entity.js';
import { audit } from '../platform/audit.js';
import { Clock, isoTime } from '../platform/clock.js';
import { Database } from '../platform/database/database.js';
import { Brands } from '../templates/brands.js';
import { Invitations, OPERATOR } from './invitations.js';
import { readJson } from './json-body.js';
import { Person } from './people.entity.js';
import { People } from './people.js';
import { EVERY_BRAND, ROLES, type RoleOfBrand } from './roles.js';
import { emailShape, nameShape } from './shapes.js';
import { Fresh, Needs, signedIn, StudioGuard } from './studio.guard.js';

const PAGE = 100;

const role = z.enum(ROLES);
const brand = z.string().max(60).default(EVERY_BRAND);
const invitationShape = z.object({ email: emailShape, name: nameShape, brand, role });
const changeShape = z.object({ brand, role: role.nullable().optional(), blocked: z.boolean().optional() });

/** Who may come in, and what everybody did. For admins of all brands. */
@Controller('studio/api')
@UseGuards(StudioGuard)
export class PeopleController {
  constructor(
    private readonly config: Config,
    private readonly database: Database,
    private readonly clock: Clock,
    private readonly people: People,
    private readonly invitations: Invitations,
    private readonly brands: Brands,
    private readonly mail: DirectMail,
  ) {}

  @Get('people')
  @Needs('admin')
  async list(): Promise<object> {
    const [people, invitations] = await Promise.all([this.people.list(), this.invitations.list()]);
    return {
      people: people.map(({ id, name, email, roles, passkeys, oidcSubject, blockedAt, createdAt }) => ({
        ...{ id, name, email, roles, passkeys, oidc: oidcSubject !== null, blocked: blockedAt !== null },
        createdAt: isoTime(createdAt),
      })),
      // The operator's own link is nobody's invitation.
      invitations: invitations
        .filter(({ email }) => email !== null)
        .map(({ id, email, name, roles, createdAt, expiresAt }) => ({
          ...{ id, email, name, roles },
          ...{ createdAt: isoTime(createdAt), expiresAt: isoTime(expiresAt) },
        })),
    };
  }

  /** Mails a link. A second one to the same address ends the first. `mailed` false: no way out took the mail. */
  @Post('people/invitations')
  @Needs('admin')
  @Fresh()
  async invite(@Req() request: FastifyRequest): Promise<{ id: string; mailed: boolean }> {
    const by = signedIn(request);
    const { email, name, brand, role } = readJson(request, invitationShape);
    this.mustBeBrand(brand);
    const key = addressKey(email);
    const rules = studioInviteLimits(this.config.secretKeys, by.id, key);
    const taken = await this.database.write((tx) => takeLimits(tx, rules, this.clock.now()));
    if (!taken.ok) throw new PosternError('too-many-requests', 'Too many invitations. Wait a little.', taken);
    const roles: RoleOfBrand[] = [{ brand, role }];
    const { id, link } = await this.database.write(async (tx) => {
      // Of somebody who is blocked too.
      if (await tx.existsBy(Person, { emailKey: key }))
        throw new PosternError('already-there', 'This address belongs to somebody already.');
      const made = await this.invitations.invite(tx, { email, name, roles }, by.id);
      const entry = { actor: by.id, action: 'person.invited', subject: made.id, detail: `${brand}:${role}` };
      await audit(tx, entry, this.clock.now());
      return made;
    });
    const outcome = await this.mail.sendLetter(letter(email, name, by.name, link));
    return { id, mailed: outcome.taken };
  }

  @Delete('people/invitations/:id')
  @HttpCode(204)
  @Needs('admin')
  async withdraw(@Param('id') id: string, @Req() request: FastifyRequest): Promise<void> {
    const withdrawn = await this.database.write(async (tx) => {
      if (!(await this.invitations.withdraw(tx, id))) return false;
      const entry = { actor: signedIn(request).id, action: 'invitation.withdrawn', subject: id, detail: '' };
      await audit(tx, entry, this.clock.now());
      return true;
    });
    if (!withdrawn) throw new PosternError('not-found', 'There is no such invitation, or it is used or over.');
  }

  @Patch('people/:id')
  @HttpCode(204)
  @Needs('admin')
  @Fresh()
  async change(@Param('id') id: string, @Req() request: FastifyRequest): Promise<void> {
    const change = readJson(request, changeShape);
    this.mustBeBrand(change.brand);
    await this.people.change(id, change, signedIn(request).id);
  }

  @Delete('people/:id')
  @HttpCode(204)
  @Needs('admin')
  @Fresh()
  async remove(@Param('id') id: string, @Req() request: FastifyRequest): Promise<void> {
    await this.people.remove(id, signedIn(request).id);
  }

  /** Newest first; `subject` (an id, a brand) leaves out the rest. */
  @Get('audit')
  @Needs('admin')
  async audit(@Query('cursor') cursor?: string, @Query('subject') subject?: string): Promise<object> {
    if (cursor !== undefined && !isId('aud', cursor))
      throw new PosternError('invalid-request', 'Take the cursor from nextCursor as it is.');
    const where = {
      ...(cursor === undefined ? {} : { id: LessThan(cursor) }),
      ...(subject === undefined ? {} : { subject: String(subject) }),
    };
    const entries = await this.database.read((manager) =>
      manager.find(AuditEntry, { where, order: { id: 'DESC' }, take: PAGE }),
    );
    const names = await this.people.names(entries.flatMap(({ actor, subject }) => [actor, subject]));
    const named = (id: string) => ({ id, name: names.get(id) ?? (id === OPERATOR ? 'Operator' : null) });
    return {
      items: entries.map(({ id, at, actor, action, subject, detail }) => ({
        ...{ id, at: isoTime(at), who: named(actor), action, subject: named(subject), detail },
      })),
      nextCursor: entries.length < PAGE ? null : entries.at(-1)!.id,
    };
  }

  private mustBeBrand(key: string): void {
    if (key !== EVERY_BRAND && !this.brands.keys().includes(key))
      throw new PosternError('invalid-request', 'There is no such brand.');
  }
}

function letter(to: string, name: string, inviter: string, link: string) {
  return {
    to,
    subject: 'You are invited to the Postern studio',
    paragraphs: [
      `Hello ${name},`,
      `${inviter} invites you to the Postern studio, where the words of support mails and pages are edited.`,
      `Open this link and make a passkey. It works once, for seven days:\n${link}`,
      'If you do not expect this, there is nothing to do.',
    ],
  };
}

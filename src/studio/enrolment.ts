import { Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { PosternError } from '../errors.js';
import type { Id } from '../ids.js';
import { addressKey } from '../platform/address.js';
import { audit } from '../platform/audit.js';
import { Clock } from '../platform/clock.js';
import { Database, type Transaction } from '../platform/database/database.js';
import type { ForWhom } from './challenges.js';
import { Invitations, OPERATOR, unusable } from './invitations.js';
import type { Vouched } from './oidc.js';
import { People } from './people.js';
import { Person, type Invitation } from './people.entity.js';
import { EVERY_BRAND, isInCharge } from './roles.js';
import { StudioSessions } from './studio-session.js';

/** Somebody who is about to get a passkey. */
export interface Enrolling {
  person: { id: Id<'usr'>; email: string; name: string };
  invitation: Invitation | null;
}

/** How people come to be people of the studio, and back into it. */
@Injectable()
export class Enrolment {
  constructor(
    private readonly database: Database,
    private readonly clock: Clock,
    private readonly people: People,
    private readonly invitations: Invitations,
    private readonly sessions: StudioSessions,
  ) {}

  /**
   * Who comes by an invitation; what it leaves open they say themselves. It stays good.
   * @throws PosternError if the invitation is not good any more, or name or address is missing
   */
  async begin(token: string, given: { email?: string; name?: string }): Promise<Enrolling> {
    const invitation = await this.invitations.find(token);
    if (invitation === null) throw unusable();
    const who = { email: invitation.email ?? given.email, name: invitation.name || given.name };
    if (who.email === undefined || who.name === undefined)
      throw new PosternError('invalid-request', 'Say your name and your e-mail address.');
    const known = await this.database.read((manager) =>
      this.people.find(manager, { emailKey: addressKey(who.email!) }),
    );
    return {
      person: { id: known?.id ?? this.people.newId(), email: who.email, name: who.name },
      invitation,
    };
  }

  /**
   * The person of an invitation that was just used up: a new one, or (true), by the operator's link, one who lost their
   * passkeys. No other invitation that is left from before is a way into what is somebody's.
   */
  async settle(tx: Transaction, person: Enrolling['person'], invitation: Invitation): Promise<boolean> {
    const { roles, invitedBy } = invitation;
    const emailKey = addressKey(person.email);
    const known = await this.people.find(tx, { emailKey });
    if (known === null) {
      await this.people.add(tx, { ...person, roles });
      await this.invitations.withdrawFor(tx, emailKey);
    } else if (known.id !== person.id || invitedBy !== OPERATOR) throw refused();
    // The operator's link puts somebody in charge again who lost it.
    else if (!isInCharge(known.roles))
      await tx.update(Person, { id: known.id }, { roles: [...known.roles.filter(isOfOneBrand), ...roles] });
    const entry = { actor: person.id, action: 'invitation.used', subject: invitation.id, detail: `by ${invitedBy}` };
    await audit(tx, entry, this.clock.now());
    return known !== null;
  }

  /** Somebody whom the provider vouches for, if they are known or invited: the token of their session, or null. */
  letIn(request: FastifyRequest, { subject, email, name }: Vouched): Promise<string | null> {
    return this.database.write(async (tx) => {
      const known = await this.people.find(tx, { oidcSubject: subject });
      if (known) return this.signIn(tx, request, known.id, null);
      // Of somebody blocked: nobody who is new, whatever address they have there now.
      if (await tx.existsBy(Person, { oidcSubject: subject })) return null;
      const sameAddress = await this.people.find(tx, { emailKey: addressKey(email) });
      if (sameAddress) return this.bind(tx, request, sameAddress, subject);
      const invitation = await this.invitations.findFor(tx, email);
      if (invitation === null || (await tx.existsBy(Person, { emailKey: addressKey(email) }))) return null;
      const id = this.people.newId();
      await this.invitations.useUp(tx, invitation.id);
      const person = { id, email, name: invitation.name || name || email.split('@')[0]! };
      await this.settle(tx, person, invitation);
      await tx.update(Person, { id }, { oidcSubject: subject });
      return this.signIn(tx, request, id, null);
    });
  }

  /** From their first sign-in there on a person is known by the subject: an address may be given to somebody else. */
  private async bind(
    tx: Transaction,
    request: FastifyRequest,
    { id, oidcSubject }: Person,
    subject: string,
  ): Promise<string | null> {
    if (oidcSubject !== null) return null;
    const bound = await tx
      .createQueryBuilder()
      .update(Person)
      .set({ oidcSubject: subject })
      .where('id = :id AND oidc_subject IS NULL', { id })
      .execute();
    if (bound.affected !== 1) return null;
    await audit(tx, { actor: id, action: 'oidc.bound', subject: id, detail: subject }, this.clock.now());
    return this.signIn(tx, request, id, null);
  }

  /** The token of a new session, by a passkey or (null) by the provider; give it to `StudioSessions.keep` once it is committed. */
  async signIn(tx: Transaction, request: FastifyRequest, id: Id<'usr'>, passkey: Id<'pky'> | null): Promise<string> {
    const detail = passkey === null ? 'oidc' : 'passkey';
    await audit(tx, { actor: id, action: 'person.signed-in', subject: id, detail }, this.clock.now());
    return this.sessions.open(tx, request, id, passkey);
  }
}

/** The options were given to this browser for the same person and invitation. */
export function isFor(asked: ForWhom | null, personId: Id<'usr'>, invitation: Invitation | null): boolean {
  if (asked === null || asked.invitationId !== (invitation?.id ?? null)) return false;
  return invitation !== null || asked.personId === personId;
}

/** One and the same for whatever was wrong: nobody learns who has a passkey here. */
export function refused(): PosternError {
  return new PosternError('sign-in-refused', 'That did not work. Try again, or use another passkey.');
}

function isOfOneBrand({ brand }: { brand: string }): boolean {
  return brand !== EVERY_BRAND;
}

import { Injectable } from '@nestjs/common';
import { IsNull, LessThanOrEqual, MoreThan, Not, type FindOptionsWhere } from 'typeorm';
import { Config } from '../config.js';
import { PosternError } from '../errors.js';
import { newId, type Id } from '../ids.js';
import { addressKey } from '../platform/address.js';
import { audit } from '../platform/audit.js';
import { Clock } from '../platform/clock.js';
import { hashToken, randomToken } from '../platform/crypto.js';
import { Database, type Transaction } from '../platform/database/database.js';
import { insertNew } from '../platform/database/rows.js';
import { Invitation, Person } from './people.entity.js';
import { EVERY_BRAND, isInCharge, type RoleOfBrand } from './roles.js';
import { stillIn } from './studio-session.js';

const FIRST_LIFETIME_MS = 24 * 3_600_000;
const LIFETIME_MS = 7 * 24 * 3_600_000;
/** After they ended. */
const KEPT_MS = 30 * 24 * 3_600_000;
const TOKEN = /^[\w-]{43}$/;
/** In the place of an address: the link that the operator prints. Whoever has it is in charge. */
const FIRST = 'first';
export const OPERATOR = 'operator';

export interface Invited {
  email: string;
  name: string;
  roles: RoleOfBrand[];
}

/** One-use tokens that let somebody in for the first time. Only their hashes are kept. */
@Injectable()
export class Invitations {
  constructor(
    private readonly config: Config,
    private readonly database: Database,
    private readonly clock: Clock,
  ) {}

  /** Makes the link to mail; a former one for the same address opens nothing any more. */
  async invite(
    tx: Transaction,
    { email, name, roles }: Invited,
    by: Id<'usr'>,
  ): Promise<{ id: Id<'inv'>; link: string }> {
    const { id, token } = await this.issue(tx, { openKey: addressKey(email), email, name, roles, by }, LIFETIME_MS);
    return { id, link: `${this.config.publicUrl}/studio/invitation#${token}` };
  }

  /**
   * The link for the first admin, if nobody is in charge and none waits to be used: at a start, of many processes one
   * gets it. Null for all others.
   */
  async offerFirst(): Promise<string | null> {
    return this.database.write(async (tx) => {
      const now = this.clock.now();
      if (await isSomebodyInCharge(tx)) return null;
      await tx.delete(Invitation, { openKey: FIRST, expiresAt: LessThanOrEqual(now) });
      return this.makeFirst(tx);
    });
  }

  async isNobodyInCharge(): Promise<boolean> {
    return !(await this.database.read(isSomebodyInCharge));
  }

  /** The same for an operator who asks: a new one, whoever is in charge, and the former opens nothing any more. */
  async renewFirst(): Promise<string> {
    return this.database.write(async (tx) => {
      await tx.update(Invitation, { openKey: FIRST }, { openKey: null });
      const link = await this.makeFirst(tx);
      if (link === null) throw new Error('another one was made at the same moment: ask again');
      return link;
    });
  }

  /** What a token stands for, or null: unknown, used, withdrawn and too old are all the same. */
  async find(token: string): Promise<Invitation | null> {
    if (!TOKEN.test(token)) return null;
    return this.database.read((manager) => this.findOpen(manager, { tokenHash: hashToken(token) }));
  }

  /** That of an address, for whoever has proven the address in another way. */
  findFor(tx: Transaction, email: string): Promise<Invitation | null> {
    return this.findOpen(tx, { openKey: addressKey(email) });
  }

  /**
   * Uses it up: one conditional update decides, so of many at once, over several processes, one is let in.
   * @throws PosternError `invitation-unusable`, which undoes the transaction
   */
  async useUp(tx: Transaction, id: Id<'inv'>): Promise<void> {
    const invitation = await this.findOpen(tx, { id });
    const used = await tx.update(Invitation, { id, ...this.open() }, { usedAt: this.clock.now(), openKey: null });
    if (invitation === null || used.affected !== 1) throw unusable();
  }

  /** False if it is not open any more. */
  async withdraw(tx: Transaction, id: string): Promise<boolean> {
    const withdrawn = await tx.update(Invitation, { id: id as Id<'inv'>, ...this.open() }, { openKey: null });
    return withdrawn.affected === 1;
  }

  /** Closes what is open for an address that is somebody's now. */
  async withdrawFor(tx: Transaction, emailKey: string): Promise<void> {
    await tx.update(Invitation, { openKey: emailKey }, { openKey: null });
  }

  /** Withdraws whatever somebody invited who may invite no more: a stolen session leaves no way in behind. */
  async withdrawAllBy(tx: Transaction, invitedBy: Id<'usr'>, by: Id<'usr'>): Promise<void> {
    for (const { id } of await tx.findBy(Invitation, { ...this.open(), invitedBy })) {
      const entry = {
        actor: by,
        action: 'invitation.withdrawn',
        subject: id,
        detail: 'its inviter is no admin any more',
      };
      if (await this.withdraw(tx, id)) await audit(tx, entry, this.clock.now());
    }
  }

  /** Those that still open, newest first. */
  list(): Promise<Invitation[]> {
    return this.database.read((manager) => manager.find(Invitation, { where: this.open(), order: { id: 'DESC' } }));
  }

  /** One whose inviter may still invite: one that was written while they lost the role opens nothing either. */
  private async findOpen(manager: Transaction, where: FindOptionsWhere<Invitation>): Promise<Invitation | null> {
    const invitation = await manager.findOneBy(Invitation, { ...this.open(), ...where });
    if (invitation === null || invitation.invitedBy === OPERATOR) return invitation;
    const inviter = await manager.findOneBy(Person, { id: invitation.invitedBy as Id<'usr'>, ...stillIn });
    return inviter !== null && isInCharge(inviter.roles) ? invitation : null;
  }

  private open() {
    return { usedAt: IsNull(), openKey: Not(IsNull()), expiresAt: MoreThan(this.clock.now()) };
  }

  private async makeFirst(tx: Transaction): Promise<string | null> {
    const now = this.clock.now();
    const id = newId('inv', now);
    const token = randomToken(32);
    const made = await insertNew(tx, Invitation, [
      {
        id,
        tokenHash: hashToken(token),
        openKey: FIRST,
        email: null,
        name: '',
        roles: [{ brand: EVERY_BRAND, role: 'admin' }],
        invitedBy: OPERATOR,
        createdAt: now,
        expiresAt: now + FIRST_LIFETIME_MS,
        usedAt: null,
      },
    ]);
    if (!made.has(id)) return null;
    await audit(tx, { actor: OPERATOR, action: 'studio-link.made', subject: id, detail: '' }, now);
    return `${this.config.publicUrl}/studio/first#${token}`;
  }

  private async issue(
    tx: Transaction,
    { by, openKey, ...invited }: Invited & { openKey: string; by: Id<'usr'> },
    lifetimeMs: number,
  ): Promise<{ id: Id<'inv'>; token: string }> {
    const now = this.clock.now();
    // What is over for so long is of no use to anybody, and holds an address.
    await tx.delete(Invitation, { expiresAt: LessThanOrEqual(now - KEPT_MS) });
    await tx.update(Invitation, { openKey }, { openKey: null });
    const id = newId('inv', now);
    const token = randomToken(32);
    const made = await insertNew(tx, Invitation, [
      {
        ...invited,
        ...{ id, openKey, invitedBy: by, tokenHash: hashToken(token) },
        ...{ createdAt: now, expiresAt: now + lifetimeMs, usedAt: null },
      },
    ]);
    if (!made.has(id)) throw new PosternError('already-there', 'Somebody else invites this address at this moment.');
    return { id, token };
  }
}

async function isSomebodyInCharge(manager: Transaction): Promise<boolean> {
  const people = await manager.findBy(Person, stillIn);
  return people.some(({ roles }) => isInCharge(roles));
}

export function unusable(): PosternError {
  return new PosternError(
    'invitation-unusable',
    'It is unknown, was used before, was replaced by a newer one, or is too old. Ask for a new one.',
  );
}

import { Injectable } from '@nestjs/common';
import { IsNull } from 'typeorm';
import { PosternError } from '../errors.js';
import { newId, type Id } from '../ids.js';
import { addressKey } from '../platform/address.js';
import { audit } from '../platform/audit.js';
import { Clock } from '../platform/clock.js';
import { Database, type Transaction } from '../platform/database/database.js';
import { insertNew, selectRows } from '../platform/database/rows.js';
import { Invitations } from './invitations.js';
import { Invitation, Passkey, Person } from './people.entity.js';
import { isInCharge, type Role, type RoleOfBrand } from './roles.js';
import { endStudioSessions, stillIn } from './studio-session.js';

export interface NewPerson {
  id: Id<'usr'>;
  email: string;
  name: string;
  roles: RoleOfBrand[];
}

/** What an admin changes of a person. `role` null takes the role for that brand away. */
export interface PersonChange {
  brand: string;
  role?: Role | null;
  blocked?: boolean;
}

/** Who may come into the studio. */
@Injectable()
export class People {
  constructor(
    private readonly database: Database,
    private readonly clock: Clock,
    private readonly invitations: Invitations,
  ) {}

  newId(): Id<'usr'> {
    return newId('usr', this.clock.now());
  }

  /** @throws PosternError `already-there`: the address belongs to somebody */
  async add(tx: Transaction, { id, email, name, roles }: NewPerson): Promise<void> {
    const added = await insertNew(tx, Person, [
      {
        ...{ id, email, name, roles },
        emailKey: addressKey(email),
        oidcSubject: null,
        createdAt: this.clock.now(),
        blockedAt: null,
        removedAt: null,
      },
    ]);
    if (!added.has(id)) throw new PosternError('already-there', 'This address belongs to somebody already.');
  }

  /** Everybody but those who were removed, oldest first, each with the number of their passkeys. */
  list(): Promise<(Person & { passkeys: number })[]> {
    return this.database.read(async (manager) => {
      const people = await manager.find(Person, { where: { removedAt: IsNull() }, order: { id: 'ASC' } });
      const passkeys = await manager.find(Passkey, { select: { id: true, personId: true } });
      return people.map((one) => ({ ...one, passkeys: passkeys.filter(({ personId }) => personId === one.id).length }));
    });
  }

  /** Somebody who may sign in; null for the blocked and the removed. */
  find(manager: Transaction, where: { id: Id<'usr'> } | { emailKey: string } | { oidcSubject: string }) {
    return manager.findOneBy(Person, { ...where, ...stillIn });
  }

  /** Names by id, of those who were removed too: they stand in histories. */
  async names(ids: readonly string[]): Promise<Map<string, string>> {
    const people = await this.database.read((manager) =>
      selectRows(manager, Person, 'WHERE id IN ?', [[...new Set(ids)]]),
    );
    return new Map(people.map(({ id, name }) => [id, name]));
  }

  /** @throws PosternError `not-found`, `last-admin` */
  change(id: string, { brand, role, blocked }: PersonChange, by: Id<'usr'>): Promise<void> {
    return this.keepingAnAdmin(id, by, async (tx, person, now) => {
      const others = person.roles.filter((one) => one.brand !== brand);
      const roles = role === undefined ? person.roles : role === null ? others : [...others, { brand, role }];
      const blockedAt = blocked === undefined ? person.blockedAt : blocked ? (person.blockedAt ?? now) : null;
      await tx.update(Person, { id: person.id }, { roles, blockedAt });
      if (blockedAt !== null) await endStudioSessions(tx, person.id, now);
      const written = `${rolesText(person)} → ${rolesText({ roles, blockedAt })}`;
      return { action: 'person.changed', detail: written };
    });
  }

  /** Takes address, passkeys and sessions away; the name stays for the history of what they wrote. */
  remove(id: string, by: Id<'usr'>): Promise<void> {
    return this.keepingAnAdmin(id, by, async (tx, person, now) => {
      const gone = { email: '', emailKey: person.id, oidcSubject: null, roles: [], removedAt: now };
      await tx.update(Person, { id: person.id }, gone);
      await tx.delete(Passkey, { personId: person.id });
      await tx.delete(Invitation, { email: person.email });
      await endStudioSessions(tx, person.id, now);
      return { action: 'person.removed', detail: rolesText(person) };
    });
  }

  /** Two admins who take each other's role at once: all rows are locked first, so the second sees what the first did. */
  private keepingAnAdmin(
    id: string,
    by: Id<'usr'>,
    work: (tx: Transaction, person: Person, now: number) => Promise<{ action: string; detail: string }>,
  ): Promise<void> {
    return this.database.write(async (tx) => {
      await tx.query('UPDATE studio_people SET created_at = created_at');
      const now = this.clock.now();
      const person = await tx.findOneBy(Person, { id: id as Id<'usr'>, removedAt: IsNull() });
      if (person === null) throw new PosternError('not-found', 'There is no such person.');
      const entry = await work(tx, person, now);
      const left = (await tx.findBy(Person, stillIn)).filter(({ roles }) => isInCharge(roles));
      if (left.length === 0) throw new PosternError('last-admin', 'Make somebody else admin for all brands first.');
      if (!left.some((one) => one.id === person.id)) await this.invitations.withdrawAllBy(tx, person.id, by);
      await audit(tx, { actor: by, subject: person.id, ...entry }, now);
    });
  }
}

/** For the audit log: `*:admin, acme:editor, blocked`. */
function rolesText({ roles, blockedAt }: Pick<Person, 'roles' | 'blockedAt'>): string {
  const all = roles.map(({ brand, role }) => `${brand}:${role}`);
  return [...all, ...(blockedAt === null ? [] : ['blocked'])].join(', ') || 'no role';
}

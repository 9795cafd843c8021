import { Injectable } from '@nestjs/common';
import {
  generateAuthenticationOptions,
  generateRegistrationOptions,
  verifyAuthenticationResponse,
  verifyRegistrationResponse,
  type AuthenticationResponseJSON,
  type RegistrationResponseJSON,
  type VerifiedAuthenticationResponse,
  type VerifiedRegistrationResponse,
} from '@simplewebauthn/server';
import { IsNull, Not } from 'typeorm';
import { Config } from '../config.js';
import { PosternError } from '../errors.js';
import { idBytes, newId, type Id } from '../ids.js';
import { audit } from '../platform/audit.js';
import { Clock } from '../platform/clock.js';
import { Database, type Transaction } from '../platform/database/database.js';
import { insertNew } from '../platform/database/rows.js';
import { Passkey, StudioSession } from './people.entity.js';
import type { SignedIn } from './studio-session.js';

/** The name that a person's device shows beside the key. */
const RELYING_PARTY = 'Postern studio';
/** ES256, EdDSA, RS256: what devices have. */
const ALGORITHMS = [-7, -8, -257];
const MOST_PASSKEYS = 20;

export type NewPasskey = Pick<Passkey, 'credentialId' | 'publicKey' | 'counter' | 'transports' | 'backedUp'>;

/** Keys on people's devices (WebAuthn level 3): discoverable, and used only by whom the device knows. */
@Injectable()
export class Passkeys {
  private readonly origin: string;
  private readonly rpID: string;

  constructor(
    { publicUrl }: Config,
    private readonly database: Database,
    private readonly clock: Clock,
  ) {
    this.origin = new URL(publicUrl).origin;
    this.rpID = new URL(publicUrl).hostname;
  }

  async registrationOptions(challenge: Buffer, person: { id: Id<'usr'>; email: string; name: string }) {
    const known = await this.list(person.id);
    return generateRegistrationOptions({
      rpName: RELYING_PARTY,
      rpID: this.rpID,
      userID: Uint8Array.from(idBytes(person.id)),
      userName: person.email,
      userDisplayName: person.name,
      challenge: Uint8Array.from(challenge),
      attestationType: 'none',
      excludeCredentials: known.map(({ credentialId: id, transports }) => ({ id, transports })),
      authenticatorSelection: { residentKey: 'required', requireResidentKey: true, userVerification: 'required' },
      supportedAlgorithmIDs: ALGORITHMS,
    });
  }

  signInOptions(challenge: Buffer) {
    // No list of keys: it would tell whose address is known here.
    return generateAuthenticationOptions({
      rpID: this.rpID,
      challenge: Uint8Array.from(challenge),
      userVerification: 'required',
    });
  }

  /** The key of a genuine answer, or null. */
  async verifyNew(response: RegistrationResponseJSON, challenge: string): Promise<NewPasskey | null> {
    const verified = await orNull<VerifiedRegistrationResponse>(() =>
      verifyRegistrationResponse({
        response,
        expectedChallenge: challenge,
        expectedOrigin: this.origin,
        expectedRPID: this.rpID,
        requireUserVerification: true,
        supportedAlgorithmIDs: ALGORITHMS,
      }),
    );
    if (!verified?.verified) return null;
    const { credential, credentialBackedUp } = verified.registrationInfo;
    return {
      credentialId: credential.id,
      publicKey: Buffer.from(credential.publicKey).toString('base64url'),
      counter: credential.counter,
      transports: credential.transports ?? [],
      backedUp: credentialBackedUp,
    };
  }

  find(credentialId: string): Promise<Passkey | null> {
    return this.database.read((manager) => manager.findOneBy(Passkey, { credentialId }));
  }

  /**
   * True if the answer is genuine and newer than the last. Two answers with one count, of a device and of its copy, are
   * decided by the conditional update, whichever process they come to.
   */
  async verify(tx: Transaction, passkey: Passkey, answer: VerifiedAuthenticationResponse): Promise<boolean> {
    const { newCounter, credentialBackedUp } = answer.authenticationInfo;
    const counts = passkey.counter > 0 || newCounter > 0;
    if (counts && newCounter <= passkey.counter) return false;
    const updated = await tx.update(
      Passkey,
      { id: passkey.id, counter: passkey.counter },
      { counter: newCounter, backedUp: credentialBackedUp, lastUsedAt: this.clock.now() },
    );
    return updated.affected === 1;
  }

  /** What a device answered, checked against its key; null if it is not genuine. Nothing is written. */
  async check(
    response: AuthenticationResponseJSON,
    challenge: string,
    passkey: Passkey,
  ): Promise<VerifiedAuthenticationResponse | null> {
    const { credentialId: id, publicKey, counter, transports, personId } = passkey;
    // The device says whose key it is (level 3, 7.2 step 6): it must be the person whom we know it of.
    if (response.response.userHandle !== idBytes(personId).toString('base64url')) return null;
    const verified = await orNull<VerifiedAuthenticationResponse>(() =>
      verifyAuthenticationResponse({
        response,
        expectedChallenge: challenge,
        expectedOrigin: this.origin,
        expectedRPID: this.rpID,
        requireUserVerification: true,
        credential: {
          id,
          publicKey: Uint8Array.from(Buffer.from(publicKey, 'base64url')),
          counter,
          transports,
        },
      }),
    );
    return verified?.verified ? verified : null;
  }

  /** @throws PosternError `already-there`: the key is somebody's, or the person has enough */
  async add(tx: Transaction, personId: Id<'usr'>, key: NewPasskey, name: string): Promise<Id<'pky'>> {
    const now = this.clock.now();
    const id = newId('pky', now);
    if ((await tx.countBy(Passkey, { personId })) >= MOST_PASSKEYS)
      throw new PosternError('already-there', `You have ${MOST_PASSKEYS} passkeys: remove one first.`);
    const added = await insertNew(tx, Passkey, [{ id, personId, ...key, name, createdAt: now, lastUsedAt: null }]);
    if (!added.has(id)) throw new PosternError('already-there', 'This passkey is known already.');
    await audit(tx, { actor: personId, action: 'passkey.added', subject: id, detail: '' }, now);
    return id;
  }

  list(personId: Id<'usr'>): Promise<Passkey[]> {
    return this.database.read((manager) => manager.find(Passkey, { where: { personId }, order: { id: 'ASC' } }));
  }

  /** False if it is not one of this person. */
  async rename(personId: Id<'usr'>, id: string, name: string): Promise<boolean> {
    const renamed = await this.database.write((tx) => tx.update(Passkey, { id: id as Id<'pky'>, personId }, { name }));
    return renamed.affected === 1;
  }

  /**
   * Ends whatever it was signed in with, but the session that removes it. False if it is not one of this person.
   * @throws PosternError `last-passkey` when nothing would be left to sign in with
   */
  async remove({ id: personId, sessionId }: SignedIn, id: string, hasOtherWay: boolean): Promise<boolean> {
    return this.database.write(async (tx) => {
      // All of them are locked: of two that are removed at once the second sees that it is the last.
      await tx.update(Passkey, { personId }, { personId });
      const removed = await tx.delete(Passkey, { id: id as Id<'pky'>, personId });
      if (removed.affected !== 1) return false;
      if (!hasOtherWay && (await tx.countBy(Passkey, { personId })) === 0)
        throw new PosternError('last-passkey', 'It is the only one: add another passkey first.');
      const now = this.clock.now();
      const itsSessions = { passkeyId: id as Id<'pky'>, id: Not(sessionId), endedAt: IsNull() };
      await tx.update(StudioSession, itsSessions, { endedAt: now });
      await audit(tx, { actor: personId, action: 'passkey.removed', subject: id, detail: '' }, now);
      return true;
    });
  }
}

/** The challenge that an answer of a device says it signed: by it the one that was given is found. */
export function challengeIn(clientDataJSON: string): string {
  try {
    const { challenge } = JSON.parse(Buffer.from(clientDataJSON, 'base64url').toString('utf8')) as {
      challenge?: unknown;
    };
    return typeof challenge === 'string' ? challenge : '';
  } catch {
    return ''; // not JSON: no challenge is found by it
  }
}

/** The library throws for whatever is wrong with an answer that a stranger sent. */
async function orNull<T>(work: () => Promise<T>): Promise<T | null> {
  try {
    return await work();
  } catch {
    return null; // not genuine, and what exactly is wrong with it is told to nobody
  }
}
